"""Where spans live: `base` is the contract, one package per database, `open_store` picks by URL.

Nouns: a `Batch` is written in one transaction together with the journal positions it reaches; a `SpanFilter` says
which spans; rollups answer totals; dictionaries answer filter menus.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from gateway.core.sealing import Sealer
from gateway.errors import StoreError
from gateway.store.base import Store

BACKENDS = {
    "sqlite": "gateway.store.sqlite",
}
"""URL scheme → the package whose `open_url(url, data)` makes the store. Adding a store is a package and a line here."""


def open_store(url: str, data: Path, sealer: Sealer | None = None) -> Store:
    """The store of `store.url`, not connected yet; relative names are below the folder `data`. With a `sealer` bodies
    are written sealed; without one those that are sealed stay so."""
    scheme = url.partition("://")[0].partition("+")[0]
    package = BACKENDS.get(scheme)
    if package is None:
        raise StoreError(f"store.url {url!r} is not supported. Supported now: {', '.join(f'{s}://' for s in BACKENDS)}")
    store: Store = import_module(package).open_url(url, data, sealer)
    return store
