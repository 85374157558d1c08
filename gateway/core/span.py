"""The nouns of the log: what the data plane writes down about a call, and the row it becomes.

A call is journalled as two frames, `CallOpened` when it is dispatched and `CallClosed` when it is over; the recorder
joins them into a `Span`. Times are integer microseconds UTC, durations integer microseconds, money integer
nano-dollars, ids UUIDv7 strings. `None` is unknown or does not apply, never 0.
"""

from __future__ import annotations

import msgspec

from pricing.usage import Billed, Usage

ERROR_TYPES = (
    "timeout",
    "rate_limit",
    "authentication",
    "invalid_request",
    "content_filter",
    "context_length",
    "upstream_error",
    "network",
    "parse_error",
    "cancelled",
    "interrupted",
    "budget",
    "limit",
)
"""Every value of `error_type`; see docs/api.md."""

RESERVED_TAGS = {
    "tenantSlug": "tenant",
    "userId": "user",
    "sessionId": "session",
    "feature": "feature",
    "environment": "environment",
    "workflow": "workflow",
    "agent": "agent",
    "prompt": "prompt",
}
"""Tags that also fill a column of the span, by the column they fill. A key bound to a tenant decides the tenant."""


class Attempt(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One try at one upstream. `status_code` is None where no answer came."""

    provider: str
    model: str | None
    status_code: int | None
    error_type: str | None
    started_at: int
    latency_us: int
    cost_nanousd: int | None = None


class CallOpened(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Written before the first byte goes upstream: enough to book the call if nothing more is ever heard of it."""

    request_id: str
    started_at: int
    kind: str
    """`llm`, `embedding`, `image`, … : the span kind, from the endpoint."""
    endpoint: str
    """Method and path without the query, e.g. `POST /v1/chat/completions`."""
    dialect: str
    stream: bool
    provider: str | None
    model_requested: str | None
    """As the client wrote it."""
    model: str | None
    """As it was sent upstream."""
    key_id: str | None
    tenant: str | None
    environment: str | None
    tags: dict[str, str]
    """Every tag, the reserved ones included."""
    input_tokens_estimate: int | None = None
    client_request_id: str | None = None
    trace_id: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    config: str | None = None
    variant: str | None = None
    config_version: int | None = None
    prompt: str | None = None
    prompt_version: int | None = None


class CallClosed(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Written before the last byte is handed to the client. The bodies follow it in the frame as raw bytes."""

    request_id: str
    ended_at: int
    status_code: int
    """What the client was answered; 499 where it had gone away."""
    error_type: str | None
    error_message: str | None
    attempts: list[Attempt]
    provider: str | None
    """The provider that answered."""
    model: str | None
    """The model that answered, by its own word."""
    upstream_request_id: str | None
    usage: Usage | None
    usage_source: str
    """`reported`, `estimated` or `none`."""
    usage_raw: bytes | None
    """The provider's usage object as it wrote it (JSON)."""
    service_tier: str | None
    cost_nanousd: int | None
    input_cost_nanousd: int | None
    output_cost_nanousd: int | None
    charge_nanousd: int | None
    """What the tenant is charged: the cost with the tenant's markup."""
    cost_source: str
    """`catalog`, `override`, `provider` or `none`."""
    price_id: str | None
    ttft_us: int | None
    upstream_us: int | None
    overhead_us: int | None
    """What the gateway added: from the request's last byte read to dispatch, plus from the answer to its relay."""
    cache: str | None
    request_bytes: int
    response_bytes: int
    """Whole sizes; the bodies that follow may be cut to `log.max_payload_kb`."""
    request_content_type: str | None
    response_content_type: str | None
    response_encoding: str | None
    """`content-encoding` of the response body as it is kept, e.g. `gzip`; None where it is plain."""
    request_headers: list[tuple[bytes, bytes]]
    response_headers: list[tuple[bytes, bytes]]
    """As on the wire, names in lower case; without credentials and cookies."""
    timing: list[tuple[int, int]] | None = None
    """(µs since started_at, bytes) per chunk, with `log.capture_stream_timing`."""
    upstream_provider: str | None = None
    """Who really answered, by a routing service's word."""
    priced_as: str | None = None
    """The model whose price was taken, where it is not `model`."""
    also: list[Billed] = []
    """What is billed at other models' prices; in the cost, not in `usage`."""
    bill_id: str | None = None
    """`provider:id` of what is paid for, where other calls may report it again: the first one recorded is booked."""
    bill_is_own: bool = False
    """This call made the bill: it is booked in any case."""
    saved_nanousd: int | None = None
    """What an answer from the response cache would have cost; None for all others, and where that is not known."""
    capture: str | None = None
    """How much may be kept of its content, where a rule or the client says less than `log.payloads`."""


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool the model asked for. `arguments` is the text the model wrote, which need not be JSON."""

    name: str
    id: str | None = None
    arguments: str | None = None


class Span(msgspec.Struct, kw_only=True):
    """One row of the log, with what is stored beside it (payload, tags). A gateway call is a span of kind `llm`."""

    request_id: str
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    kind: str
    name: str | None = None
    started_at: int
    ended_at: int | None = None
    tenant: str | None = None
    environment: str | None = None
    key_id: str | None = None
    user: str | None = None
    session: str | None = None
    feature: str | None = None
    workflow: str | None = None
    agent: str | None = None
    config: str | None = None
    variant: str | None = None
    config_version: int | None = None
    prompt: str | None = None
    prompt_version: int | None = None
    provider: str | None = None
    endpoint: str | None = None
    dialect: str | None = None
    model_requested: str | None = None
    model: str | None = None
    response_id: str | None = None
    upstream_request_id: str | None = None
    client_request_id: str | None = None
    stream: bool = False
    status_code: int | None = None
    error_type: str | None = None
    error_message: str | None = None
    finish_reason: str | None = None
    tool_calls: list[ToolCall] | None = None
    usage: Usage | None = None
    usage_source: str = "none"
    usage_raw: bytes | None = None
    service_tier: str | None = None
    cost_nanousd: int | None = None
    input_cost_nanousd: int | None = None
    output_cost_nanousd: int | None = None
    charge_nanousd: int | None = None
    cost_source: str = "none"
    price_id: str | None = None
    latency_us: int | None = None
    ttft_us: int | None = None
    upstream_us: int | None = None
    overhead_us: int | None = None
    cache: str | None = None
    saved_nanousd: int | None = None
    upstream_provider: str | None = None
    priced_as: str | None = None
    also: list[Billed] = []
    attempts: list[Attempt] = []
    tags: dict[str, str] = {}
    input_preview: str | None = None
    output_preview: str | None = None


class Payload(msgspec.Struct, kw_only=True):
    """The bodies of a span, redacted, as they are stored. Text where the body is text."""

    request_body: bytes | None = None
    response_body: bytes | None = None
    """As received: JSON, or the whole event stream."""
    response_text: str | None = None
    """What the model said, put together from the stream."""
    request_bytes: int = 0
    response_bytes: int = 0
    """Whole sizes on the wire; larger than what is kept where a body was cut."""
    request_content_type: str | None = None
    response_content_type: str | None = None
    request_headers: list[tuple[str, str]] = []
    response_headers: list[tuple[str, str]] = []
    timing: list[tuple[int, int]] | None = None
    redactions: dict[str, int] = {}
    """How many of what was taken out, e.g. `{"email": 2}`."""
