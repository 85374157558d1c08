"""Who is not to be told of what, until when."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

import msgspec


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    rule: str
    """A pattern: a rule's name, `budget:NAME`, `runaway`, or `*`."""
    of: str = "*"
    """A pattern of the value that the rule tells apart, as a tenant."""
    until_us: int
    note: str = ""
    by: str = ""
    """Who asked for it, as the audit log names them."""
    created_at: int = 0


def is_silenced(silences: Iterable[Silence], rule: str, of: str, now_us: int) -> bool:
    return any(
        now_us < each.until_us and fnmatchcase(rule, each.rule) and fnmatchcase(of, each.of) for each in silences
    )
