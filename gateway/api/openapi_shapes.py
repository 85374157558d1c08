"""The words of the API's description: an *operation* is a method of a path, a *parameter* a name it takes; and the
shapes of answers that handlers put together without a struct."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import msgspec

from gateway.api.alerts import RuleRecord
from gateway.api.health import Check
from gateway.api.traces import TraceSpanRecord
from gateway.translation import EngineState

T = TypeVar("T")


class Parameter(msgspec.Struct, frozen=True):
    name: str
    about: str
    schema: dict[str, Any] = msgspec.field(default_factory=lambda: {"type": "string"})
    required: bool = False
    where: str = "query"
    """query or header; those of the path are read from it."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    group: str
    summary: str
    answer: Any = None
    """The type of the JSON it answers; None: no JSON."""
    status: int = 200
    also: tuple[int, ...] = ()
    """Other statuses with the same answer."""
    body: Any = None
    """The struct it reads."""
    query: tuple[Parameter, ...] = ()
    media: tuple[str, ...] = ()
    """Of answers that are not JSON."""


class ErrorDetail(msgspec.Struct):
    message: str
    type: str
    param: str | None
    """The parameter or field that is wrong."""
    code: str
    """For programs; docs/api.md lists them."""


class Error(msgspec.Struct):
    error: ErrorDetail


class Listed(msgspec.Struct, Generic[T]):
    items: list[T]
    next_cursor: str | None
    """Of the page after; null on the last."""


class Alive(msgspec.Struct):
    status: Literal["ok"]


class Readiness(msgspec.Struct):
    status: Literal["ok", "degraded", "down"]
    """The worst of its parts; `down` is a 503."""
    version: str
    uptime_s: float
    worker: int
    checks: dict[str, Check]
    providers: dict[str, Check]
    translation: EngineState | None
    """How litellm is, which translates between dialects; null where it is not asked for."""


class Trace(msgspec.Struct):
    trace_id: str
    spans: int
    errors: int
    started_at: str
    ended_at: str
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: msgspec.Raw | None
    items: list[TraceSpanRecord]
    """In the order of the tree, each before its children."""


class Me(msgspec.Struct):
    name: str
    role: str
    tenant: str | None
    environment: str | None
    via: str
    """What they came in with."""
    key_id: str | None
    user_id: str | None


class Redacted(msgspec.Struct):
    text: str
    found: dict[str, int]
    """By rule, how many were taken out."""


class RuleList(msgspec.Struct):
    items: list[RuleRecord]
    next_cursor: None
    looked_at: str | None
    """When all were measured last."""


class Sent(msgspec.Struct):
    name: str
    sent: bool
