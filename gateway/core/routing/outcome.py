"""How an attempt ended, and what that means for the next one."""

from __future__ import annotations

import msgspec


class Outcome(msgspec.Struct, frozen=True):
    status: int | None
    """None: no answer came, and `reason` says why."""
    reason: str | None = None
    """`connect`, `reset`, `timeout`, `malformed`; `cancelled` where the client went away."""
    retry_after_us: int | None = None
    """How long the target asked to be left alone, see `retry_after_us()`."""


class Verdict(msgspec.Struct, frozen=True):
    retry: bool = False
    """Whether another attempt may succeed. With `rotate_key`, only one with another key or at another target."""
    rotate_key: bool = False
    """The key was refused, for now."""
    drop_key: bool = False
    """The key was refused for good: it is wrong, unpaid or not allowed."""
    harms_target: bool = False
    """The target did not do its work: counts towards leaving it alone."""


FINE = Verdict()
"""An answer that is the client's: a success, or an error that the same request would get anywhere."""
CONFLICT = Verdict(retry=True)
LIMITED = Verdict(retry=True, rotate_key=True)
REFUSED = Verdict(retry=True, rotate_key=True, drop_key=True)
BROKEN = Verdict(retry=True, harms_target=True)

_BY_STATUS = {401: REFUSED, 402: REFUSED, 403: REFUSED, 408: BROKEN, 409: CONFLICT, 429: LIMITED}


def judge(outcome: Outcome) -> Verdict:
    """A 5xx says nothing about the key, so it keeps it; a 429 says nothing about the target's health."""
    status = outcome.status
    if status is None:
        return FINE if outcome.reason == "cancelled" else BROKEN
    if status >= 500:
        return BROKEN
    return _BY_STATUS.get(status, FINE)
