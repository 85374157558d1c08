"""Bodies sealed anew, when keys are rotated, or sealing began or ended."""

from __future__ import annotations

from gateway.core.sealing import SealedError, Sealer, is_sealed, key_of
from gateway.store.erasing import Resealed
from gateway.store.sqlite.connection import Database
from gateway.store.sqlite.rows import PayloadCodec

BODIES = """
SELECT p.span, p.body, s.request_id FROM payloads p JOIN spans s ON s.id = p.span
WHERE p.span > ? ORDER BY p.span LIMIT ?
"""
PUT = "UPDATE payloads SET body = ? WHERE span = ?"


class Resealer:
    def __init__(self, database: Database, sealer: Sealer | None) -> None:
        self._database = database
        self._sealer = sealer or Sealer()
        self._codec = PayloadCodec(self._sealer)

    async def reseal(self, after: int, *, limit: int) -> Resealed:
        step = Resealed(after)
        async with self._database.writing() as db:
            for number, body, request_id in await db.execute_fetchall(BODIES, (after, limit)):
                step.seen, step.seen_to = step.seen + 1, number
                if (key_of(body)[0] if is_sealed(body) else None) == self._sealer.key_id:
                    continue
                try:
                    await db.execute(PUT, (self._codec.sealed_anew(body, request_id), number))
                    step.changed += 1
                except SealedError:
                    step.unopened += 1
        return step
