"""What a dialect is: how a provider's language is read. One file each, all passing one contract suite.

Two ways to read an answer. `settle` runs in the data plane when the answer ends: the few facts that money and health
depend on, found without parsing the rest. `read` runs in the recorder: everything. Where both give a fact they agree;
the contract suite checks it on every recording, cut anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from gateway.core.providers import Evidence
from gateway.core.span import ToolCall
from gateway.errors import CallError
from pricing.usage import Billed as Billed  # dialects make them
from pricing.usage import Usage


class Context(msgspec.Struct, frozen=True, gc=False):
    """What surrounds an answer, for dialects whose bill is not in its body alone: a price by the image or character
    stands in the request, some token counts only in a header, the model only in the path."""

    path: bytes = b""
    """As the client called it, without the query and without `/p/{provider}`."""
    request: bytes = b""
    """The request's body, decoded, as far as it is at hand: empty where it streamed through."""
    headers: Mapping[bytes, bytes] = {}
    """Of the answer, names in lower case."""
    model: str | None = None
    """As it was sent upstream."""
    evidence: Evidence | None = None
    """What is known of where this provider states its charge; None where nothing is, or in the recorder."""


NOTHING = Context()


class Answer(msgspec.Struct, kw_only=True):
    """What a provider answered. Facts that were not there are None or empty."""

    model: str | None = None
    usage: Usage | None = None
    usage_raw: bytes | None = None
    service_tier: str | None = None
    error: str | None = None
    """The provider's error message, also when it came inside a 200 stream."""
    also: list[Billed] = []
    """What is billed at other models' prices: an advisor's tokens, the lines of a batch. Not counted in `usage`."""
    priced_as: str | None = None
    """The name whose price holds, where it is not `model`: Bedrock's answers leave out the region in a model's id."""
    provider: str | None = None
    """Who really answered, by a routing service's word."""
    cost_nanousd: int | None = None
    """What the provider says that it charges for this call, everything included."""
    bill_id: str | None = None
    """The id of what is being paid for, where more than one call can report it (a background response, a batch): only
    the first report is booked. None for a call that pays for itself."""
    shared: dict[str, Billed] = {}
    """Of `also`, what other calls may be paid for as well, by its id: a container that several responses compute in."""
    bill_is_own: bool = False
    """This call made the bill that `bill_id` names: it is booked whatever was seen before, later reports are not."""
    complete: bool = True
    """False for a stream that ended without its end mark or finish reason: it was cut."""

    # Only from `read`:
    kind: str | None = None
    """The span's kind, where only the body tells it: a tool that was called."""
    name: str | None = None
    """What was called, as the span's name."""
    response_id: str | None = None
    text: str | None = None
    reasoning: str | None = None
    finish_reasons: list[str] = []
    tool_calls: list[ToolCall] = []


class Meter(Protocol):
    """Reads an answer while it passes. Neither method raises, whatever the bytes."""

    def feed(self, data: bytes) -> None:
        """The next piece of the body, cut anywhere, without its content coding."""

    def settle(self, context: Context) -> Answer:
        """The body is complete: what `Dialect.settle` would have made of all of it."""


class Dialect:
    """The fallback: a path that is forwarded and logged without usage. Real dialects override what they know.

    `settle`, `read`, `prompt` and `first_content` never raise, whatever the bytes; what cannot be understood is left
    out.
    """

    name = "opaque"
    kind = "llm"
    family = ""
    """What a provider must speak (`core.providers.DIALECTS`) to be called in this dialect as it stands; a provider of
    another family is reached through translation. Empty: any, nothing is translated."""
    reads_body = False
    """Whether the request must be held to be read (model, tags, stream); otherwise it streams through."""
    needs_model = False
    """Whether a request without a model is refused."""
    own_metadata: tuple[str, ...] = ()
    """Keys of `metadata` in a request's body that the provider itself reads; all others are tags."""
    asks_usage = False
    """Whether a stream reports usage only when asked by `stream_options`."""
    keeps_bytes = 0
    """How much of an answer must be kept for `settle` to read it, where that is more than usual."""
    is_long = False
    """Whether answers may be too long to be kept: they are asked for uncompressed, and `meter` reads them."""
    stream_types: tuple[bytes, ...] = (b"text/event-stream",)
    """How the content type of an answer begins that is a stream."""

    def model_in(self, path: bytes) -> str | None:
        """The model that a path names, percent-decoded; None where the body names it."""
        return None

    def with_model(self, path: bytes, model: str) -> bytes:
        """The path with another model in it, percent-encoded. Only called where `model_in` found one."""
        return path

    def streams(self, path: bytes) -> bool | None:
        """Whether a path asks for a stream; None where the body says it."""
        return None

    def meter(self) -> Meter | None:
        """What reads one answer while it passes, instead of `settle`; None where `is_long` is not."""
        return None

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        return Answer()

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        return Answer(error=error_message(data) if status >= 400 else None)

    def prompt(self, body: bytes) -> str | None:
        """The text of a request that a person would recognise it by: the last user message."""
        return None

    def first_content(self, data: bytes) -> bool:
        """Whether the stream so far holds the first thing a model generated (not a role, ping or empty delta)."""
        return bool(data)

    def error_body(self, error: CallError) -> bytes:
        """An error of the gateway's own, in the shape this dialect's clients understand."""
        return msgspec.json.encode(
            {
                "error": {
                    "message": error.message,
                    "type": _openai_type(error.status),
                    "param": error.param,
                    "code": error.code,
                }
            }
        )

    def error_event(self, error: CallError) -> bytes:
        """The same as the last event of a stream that broke."""
        return b"data: " + self.error_body(error) + b"\n\n"

    def last_words(self, sent: bytes, error: CallError) -> bytes | None:
        """What ends a stream that broke after `sent`, whose end is all that is looked at; None where nothing that is
        said would be understood, and the connection has to be cut."""
        whole = sent.endswith((b"\n\n", b"\r\r", b"\n\r\n"))
        return (b"" if whole else b"\n\n") + self.error_event(error)


def _openai_type(status: int) -> str:
    return {
        400: "invalid_request_error",
        401: "authentication_error",
        402: "insufficient_quota",
        403: "permission_error",
        404: "invalid_request_error",
        405: "invalid_request_error",
        413: "invalid_request_error",
        429: "rate_limit_error",
    }.get(status, "invalid_request_error" if status < 500 else "api_error")


class _Message(msgspec.Struct):
    message: str | None = None


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a provider's bytes can raise. The parser looks into text only where it is asked for."""

NULL = msgspec.Raw(b"null")
"""The default of a raw field: absent and null are the same."""


class _Errors(msgspec.Struct):
    error: msgspec.Raw = NULL
    message: str | None = None
    detail: msgspec.Raw = NULL


_decode_errors = msgspec.json.Decoder(_Errors | list[_Errors]).decode
_decode_message = msgspec.json.Decoder(_Message | str).decode


def error_message(data: bytes) -> str | None:
    """The message of a provider's error body, in any of the shapes they come in: `{"error": {"message"}}`,
    `{"error": "…"}`, `{"message"}`, `{"detail": …}`, a list of these, or plain text."""
    try:
        parsed = _decode_errors(data)
    except UNREADABLE:
        return data[:2000].decode("utf-8", "replace").strip() or None
    found = parsed[0] if isinstance(parsed, list) and parsed else parsed
    if not isinstance(found, _Errors):
        return None
    for raw in (bytes(found.error), bytes(found.detail)):
        if raw == b"null":
            continue
        try:
            inner = _decode_message(raw)
        except UNREADABLE:
            return raw[:2000].decode("utf-8", "replace")
        return inner if isinstance(inner, str) else inner.message
    return found.message
