"""The store of a configuration, opened for one command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.config import Loaded
from gateway.errors import CallgateError
from gateway.store import open_store
from gateway.store.base import Store
from gateway.store.sealing import sealer_of


@asynccontextmanager
async def opened(loaded: Loaded, *, create: bool = False) -> AsyncIterator[Store]:
    """Without `create`, a data folder that is not there is an error: a reader has no use for an empty one.

    Raises CallgateError and StoreError.
    """
    if create:
        loaded.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    elif not loaded.data.is_dir():
        raise CallgateError(
            f"no data in {loaded.data}. Start the gateway there first, or say where it is with --data or --config."
        )
    store = open_store(loaded.settings.store.url, loaded.data, sealer_of(loaded.settings.privacy.encryption))
    await store.connect()
    try:
        yield store
    finally:
        await store.close()
