"""What filter menus offer: from the dictionary of series, never from rows."""

from __future__ import annotations

from gateway.store.base import TagKey, TagValue
from gateway.store.sqlite.connection import Database
from gateway.store.sqlite.series import ONE_DIMENSION, TAG, USER

TAG_KEYS = (
    "SELECT substr(scope, 5), value_count, calls, rolled_up FROM scopes "
    "WHERE scope GLOB 'tag:*' ORDER BY calls DESC, scope"
)
LOOKED_AT = 5_000
"""Of a dimension with more values (ids of sessions) those first in the alphabet are ranked, and a prefix finds the
rest: a menu must not sort millions."""
VALUES = f"""
SELECT value, calls FROM (
    SELECT value, calls FROM series WHERE scope = ? AND value >= ? AND value < ? ORDER BY value LIMIT {LOOKED_AT})
WHERE calls > 0 ORDER BY calls DESC, value LIMIT ?
"""  # noqa: S608  # our own number
PROVIDER_MODEL = f"""
SELECT value, calls FROM (
    SELECT provider || '/' || model AS value, sum(calls) AS calls FROM series
    WHERE scope = 'call' AND provider IS NOT NULL AND model IS NOT NULL GROUP BY 1 LIMIT {LOOKED_AT})
WHERE calls > 0 AND substr(value, 1, length(?1)) = ?1 ORDER BY calls DESC, value LIMIT ?2
"""  # noqa: S608  # as above
LAST_CHARACTER = "\U0010ffff"


class Menus:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def tag_keys(self) -> list[TagKey]:
        async with self._database.reading() as reader:
            rows = await reader.all(TAG_KEYS)
        return [TagKey(key, values, calls, bool(has_totals)) for key, values, calls, has_totals in rows]

    async def tag_values(self, key: str, *, prefix: str = "", limit: int = 200) -> list[TagValue]:
        return await self._values(TAG + key, prefix, limit)

    async def field_values(self, field: str, *, prefix: str = "", limit: int = 200) -> list[TagValue]:
        """Raises ValueError for a field that has no menu."""
        if field == "provider_model":
            async with self._database.reading() as reader:
                return [TagValue(*row) for row in await reader.all(PROVIDER_MODEL, (prefix, limit))]
        if field not in ONE_DIMENSION and field != USER:
            raise ValueError(f"{field!r} has no menu; {', '.join([*ONE_DIMENSION, USER])} have")
        return await self._values(field, prefix, limit)

    async def _values(self, scope: str, prefix: str, limit: int) -> list[TagValue]:
        async with self._database.reading() as reader:
            return [TagValue(*row) for row in await reader.all(VALUES, (scope, prefix, prefix + LAST_CHARACTER, limit))]
