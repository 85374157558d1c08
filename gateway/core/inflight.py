"""A call that is not over yet: what is known of it before it is in the log."""

from __future__ import annotations

import msgspec


class InFlight(msgspec.Struct, frozen=True, kw_only=True):
    """A dispatched call of one worker. Times are µs UTC; fields are those of `Span` by the same name."""

    request_id: str
    started_at: int
    kind: str
    endpoint: str
    stream: bool
    provider: str | None
    model_requested: str | None
    model: str | None
    key_id: str | None
    tenant: str | None
    environment: str | None
    tags: dict[str, str]
    is_answering: bool
    """Whether the client has been sent any of its answer."""
    worker: int = 0
    """The number of the worker that carries it."""
