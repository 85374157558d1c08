"""The table of the response cache: bounded in bytes, the oldest go first."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.store.answers import KeptAnswer
from gateway.store.sqlite.connection import Database

ONE = "SELECT key, body, until FROM answers WHERE key = ? AND until > ?"
PUT = """
INSERT INTO answers (key, written_at, until, size, body) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET
    written_at = excluded.written_at, until = excluded.until, size = excluded.size, body = excluded.body
"""
DELETE_OVERDUE = "DELETE FROM answers WHERE until <= ?"
DELETE_OLDEST = """
DELETE FROM answers WHERE key IN (
    SELECT key FROM (
        SELECT key, sum(size) OVER (ORDER BY written_at DESC, key) AS so_far FROM answers INDEXED BY ix_answers_age
    ) WHERE so_far > ?
)
"""
SIZE = "SELECT coalesce(sum(size), 0) FROM answers INDEXED BY ix_answers_age"
DELETE_ANSWERS = "DELETE FROM answers"

ROW_BYTES = 128
"""What an answer takes beside its body, about."""


class AnswerTable:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def answer(self, key: bytes, now_us: int) -> KeptAnswer | None:
        async with self._database.reading() as reader:
            row = await reader.first(ONE, (key, now_us))
        return None if row is None else KeptAnswer(*row)

    async def put_answers(self, answers: Sequence[KeptAnswer], *, max_bytes: int, now_us: int) -> None:
        rows = [(each.key, now_us, each.until_us, len(each.body) + ROW_BYTES, each.body) for each in answers]
        async with self._database.writing() as db:
            await db.execute(DELETE_OVERDUE, (now_us,))
            await db.executemany(PUT, rows)
            [(size,)] = await db.execute_fetchall(SIZE)
            if size > max_bytes:
                await db.execute(DELETE_OLDEST, (max_bytes,))

    async def clear_answers(self) -> int:
        async with self._database.writing() as db:
            return (await db.execute(DELETE_ANSWERS)).rowcount
