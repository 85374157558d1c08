"""The configuration in force and those before it, as documents of kind `configuration`: what they said, no secrets.

A version is kept when a gateway starts or reloads with other settings than the newest one has. A secret that was
changed for another makes none: it is not in here, and neither is a hash of it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.errors import Conflict, StoreError
from gateway.settings import SECRET_FIELDS, Settings
from gateway.store.documents import Document, Documents

KIND = "configuration"
KEPT = 500
MASK = "***"

RETRY_AFTER_S = 5.0

log = logging.getLogger("callgate.config")

_URL_PASSWORD = re.compile(r"(://[^/@:\s]*):[^/@\s]*@")
_URL_PARAMETER = re.compile(r"([?&][^=&\s]*(?:key|token|secret|password|sig)[^=&\s]*=)[^&\s]+", re.IGNORECASE)


class Configuration(msgspec.Struct, frozen=True):
    number: int
    """1 is the first that was ever in force."""
    at: int
    """µs UTC, from when on it was in force."""
    source: str
    """The file, or `defaults`."""
    gateway_version: str
    settings: dict[str, Any]
    """As in the file, with every default written out and every secret masked."""


class Difference(msgspec.Struct, frozen=True):
    path: str
    """`log.retention_days`"""
    before: str | None
    """JSON; None where there was nothing."""
    after: str | None


def masked(settings: Settings) -> dict[str, Any]:
    """The settings as plain values without a secret."""
    plain: dict[str, Any] = msgspec.to_builtins(settings)
    return {name: _mask(name, value) for name, value in plain.items()}


def _mask(name: str, value: Any) -> Any:
    if name in SECRET_FIELDS and value not in (None, "", [], {}):
        if isinstance(value, dict):  # of headers, the names say what is sent
            return dict.fromkeys(value, MASK)
        return [MASK] * len(value) if isinstance(value, list) else MASK
    if isinstance(value, dict):
        return {key: _mask(str(key), item) for key, item in value.items()}
    if isinstance(value, list):
        return [_mask("", item) for item in value]
    if isinstance(value, str):
        return _URL_PARAMETER.sub(rf"\1{MASK}", _URL_PASSWORD.sub(rf"\1:{MASK}@", value))
    return value


async def remember(store: Documents, settings: Settings, source: str, gateway_version: str, at: int) -> None:
    """Keeps it as a new version, unless it is as the newest. Workers may do so at the same time. Raises StoreError."""
    shown = masked(settings)
    while True:
        newest = await versions(store, limit=1)
        if newest and newest[0].settings == shown:
            return
        number = newest[0].number + 1 if newest else 1
        version = Configuration(number, at, source, gateway_version, shown)
        try:
            await store.put_document(KIND, _id(number), msgspec.json.encode(version), expected=0)
        except Conflict:
            continue  # another worker was first
        if number > KEPT:
            await store.delete_document(KIND, _id(number - KEPT))
        return


class ConfigurationLog:
    """Keeps what comes into force beside the calls; a store that is down gets it when it is back."""

    def __init__(self, store: Documents, gateway_version: str) -> None:
        self._store = store
        self._gateway_version = gateway_version
        self._newest: tuple[Settings, str, int] | None = None
        self._changed = asyncio.Event()

    def took_effect(self, settings: Settings, source: str) -> None:
        self._newest = (settings, source, time.time_ns() // 1000)
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        failing = False
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._newest is None:
                continue
            settings, source, at = self._newest
            try:
                await remember(self._store, settings, source, self._gateway_version, at)
                failing = False
            except StoreError as exc:
                if not failing:
                    log.warning("the configuration's version is not kept yet: %s", exc)
                failing = True
                await asyncio.sleep(RETRY_AFTER_S)
                self._changed.set()


async def versions(store: Documents, *, limit: int = 50) -> list[Configuration]:
    """Newest first."""
    return [_decoded(document) for document in await store.documents(KIND, limit=limit, newest=True)]


async def version(store: Documents, number: int) -> Configuration | None:
    document = await store.document(KIND, _id(number))
    return None if document is None else _decoded(document)


def differences(before: Configuration | None, after: Configuration) -> list[Difference]:
    """Setting by setting, those that are not the same. Of the first version there is none."""
    if before is None:
        return []
    old, new = dict(_leaves("", before.settings)), dict(_leaves("", after.settings))
    return [
        Difference(path, old.get(path), new.get(path))
        for path in sorted({*old, *new})
        if old.get(path) != new.get(path)
    ]


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Lists count as one value: their order matters."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(f"{path}.{name}" if path else str(name), item)
    else:
        yield path, msgspec.json.encode(value).decode()


def _id(number: int) -> str:
    """Sorts by number."""
    return f"{number:010d}"


def _decoded(document: Document) -> Configuration:
    return msgspec.json.decode(document.body, type=Configuration)
