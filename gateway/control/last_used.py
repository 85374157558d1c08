"""When each key was last used: noted in memory with every call, written now and then, right to the minute.

One document for all keys and workers, since a row for every key and minute would be more writing than the log itself.
It is no change that anybody made, so the audit log does not hear of it.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from gateway.control.keys import Keyring
from gateway.errors import CallgateError, Conflict
from gateway.store.documents import Documents

KIND = "last_used"
ID = "keys"
INTERVAL_S = 60.0

log = logging.getLogger(__name__)
_times = msgspec.json.Decoder(dict[str, int])


class LastUsed:
    def __init__(self, store: Documents, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring
        self._written: dict[str, int] = {}

    async def all(self) -> dict[str, int]:
        """µs UTC by key id: what all workers wrote, and what this one knows."""
        stored = await self._store.document(KIND, ID)
        return _latest(_times.decode(stored.body) if stored else {}, self._keyring.used)

    async def flush(self) -> None:
        """Writes what is new since the last time. Of two workers that write at once one comes again next time."""
        used = dict(self._keyring.used)
        if used == self._written:
            return
        stored = await self._store.document(KIND, ID)
        times = _latest(_times.decode(stored.body) if stored else {}, used)
        version = stored.version if stored else 0
        await self._store.put_document(KIND, ID, msgspec.json.encode(times), expected=version)
        self._written = used

    async def follow(self, interval_s: float = INTERVAL_S) -> None:
        """Writes every minute until cancelled."""
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.flush()
            except Conflict:
                continue
            except CallgateError as exc:
                log.debug("when keys were used was not written: %s", exc)


def _latest(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {key_id: max(one.get(key_id, 0), other.get(key_id, 0)) for key_id in one.keys() | other.keys()}
