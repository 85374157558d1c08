"""Admission: what may be sent, decided before it is sent. Pure: no clock, no network; memory is passed in.

A call **asks**; every limit and budget that applies **holds** a part for it (a request, tokens, a place, money), and
the **lease** gives back or settles what it held once the call is over. This file is what the data plane sees of it;
`gateway.control.admission` is what is behind it.

    lease = admission.admit(ask, now_us)      # CallError 429 or 402, or `Wait` where a limit lets calls queue
    …                                         # the call
    lease.settle(tokens, cost_nanousd, now_us)  or  lease.release(now_us)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from gateway.core.key import Key
from gateway.errors import CallError

DEFAULT_OUTPUT_TOKENS = 1024
"""Reserved for the answer of a request that sets no maximum."""


class Ask(msgspec.Struct, gc=False):
    """What is known of a call before it is sent. Made by position: it is made for every call."""

    key: Key
    tenant: str | None
    environment: str | None
    model: str | None
    """As it goes upstream."""
    model_requested: str | None
    """As the client wrote it."""
    tags: dict[str, str]
    input_tokens: int
    """Estimated from the body's size, a token for four bytes."""
    max_output_tokens: int | None
    """As the body says; None where it does not: DEFAULT_OUTPUT_TOKENS are reserved."""
    provider: str | None
    """The provider's name in the price catalogue; None for a call that is not priced."""
    prompt: str | None = None
    fingerprint: int | None = None
    """Equal for equal bodies, in every worker: their CRC-32. None where it was not made."""
    waited: bool = False
    """Set by who asks again after Wait."""


class Lease(Protocol):
    """One call's hold on every counter that applies. Of `settle` and `release` the first one counts."""

    @property
    def head(self) -> bytes:
        """Header lines `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` of the tightest limit; empty where
        only budgets apply."""
        ...

    def settle(self, tokens: int | None, cost_nanousd: int | None, now_us: int) -> None:
        """The call is over. `tokens` of input and output; None leaves what was reserved until it leaves the window.
        `cost_nanousd` None (nobody knows) adds nothing to a budget, as it adds nothing to the log's totals."""
        ...

    def release(self, now_us: int) -> None:
        """Nothing was used: refused, failed before dispatch, or without any usage. All of it is given back."""
        ...


class Admission(Protocol):
    """Called for every call, in the data plane: no await, no I/O."""

    def admit(self, ask: Ask, now_us: int) -> Lease | None:
        """None: nothing applies. Raises CallError 429 (`rate_limit_exceeded`, error_type `limit`, with retry-after)
        or 402 (`budget_exceeded`, error_type `budget`), 503 where limits cannot be known; Wait where the call may
        queue."""
        ...


class Wait(Exception):  # noqa: N818  (no error: the call goes on, later)
    """The limit is reached and lets calls wait for `queue_ms`. Call `enter(again)` and return; `again()` is called
    once, when it is this call's turn or its time is over. Then set `ask.waited` and `admit` it once more: that admits
    it or raises the CallError, and never Wait."""

    def __init__(self, error: CallError, enter: Callable[[Callable[[], None]], Callable[[], None]]) -> None:
        super().__init__(error.message)
        self.error = error
        """What the call is told if it may wait no longer."""
        self.enter = enter
        """Puts the call into the line; gives back what takes it out again (the client has gone)."""
