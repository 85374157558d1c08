"""What a store erases, and what it says it did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

SubjectKind = Literal["tenant", "user"]


class Subject(msgspec.Struct, frozen=True):
    """Whose everything goes: a tenant by its slug, or a user as calls name them (`userId`)."""

    kind: SubjectKind
    value: str


class Erased(msgspec.Struct):
    """How many of what went."""

    spans: int = 0
    bodies: int = 0
    tags: int = 0
    """Of those spans."""
    values: int = 0
    """Names in the dictionaries of users, tags and tenants; with the totals kept, replaced by `erased-…`."""
    rollups: int = 0
    """Hours and days of totals."""
    bills: int = 0
    keys: int = 0

    def add(self, other: Erased) -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Resealed(msgspec.Struct):
    """One step through the bodies."""

    seen_to: int
    """Where the next step goes on; None of the bodies is beyond it where `seen` is 0."""
    seen: int = 0
    changed: int = 0
    unopened: int = 0
    """Sealed with a key that is not here: left as they are."""


class Erasing(Protocol):
    async def erase_spans(self, subject: Subject, *, totals: bool, limit: int) -> Erased:
        """At most `limit` spans of the subject with all that hangs on them, and the values of tags that nobody else
        has; nothing is left when no span went. `totals` as in `forget`."""
        ...

    async def forget(self, subject: Subject, *, totals: bool, owners: Sequence[str] = ()) -> Erased:
        """Its name in the dictionaries, a tenant's keys, and the tokens of these people (`user_id`). `totals`: what was
        counted under it goes too."""
        ...

    async def expire_tenant(
        self, tenant: str, *, spans_before_us: int | None, payloads: tuple[int, int] | None, limit: int
    ) -> int:
        """As `expire`, of one tenant; `payloads` are those of calls that started in `[from, to)`."""
        ...

    async def reseal(self, after: int, *, limit: int) -> Resealed:
        """Seals bodies as new ones are sealed; `after` is 0, then `seen_to` of the step before."""
        ...
