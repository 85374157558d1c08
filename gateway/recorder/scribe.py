"""From the frames of a call to its row: read by the dialect, redacted, with previews. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter

import msgspec

from gateway.core.capture import tightest
from gateway.core.ids import uuid7_time_us
from gateway.core.span import CallClosed, CallOpened, Payload, Span, ToolCall
from gateway.dialects import Answer, Context, dialect_named
from gateway.recorder.bodies import binary_note, cut, decoded, is_text, readable
from gateway.recorder.redaction import Redactor
from gateway.settings import Log
from gateway.settings.privacy import Presidio
from gateway.store.base import SpanWrite
from pricing.usage import Usage

PREVIEW_CHARACTERS = 500
ERROR_CHARACTERS = 2000


class _Body(msgspec.Struct):
    """One body, ready to store and to read."""

    whole: bytes
    """Decoded, as it was sent; cut where the journal had to."""
    is_cut: bool
    text: bytes | None
    """Redacted; None where the body is no text."""
    note: bytes | None
    """What stands in its place then."""


class Scribe:
    """`shows_previews`: whether content may stand in the row, where it is searched; with sealed bodies it may not."""

    def __init__(self, log: Log, presidio: Presidio | None = None, *, shows_previews: bool = True) -> None:
        self._redactor = Redactor(log.redaction, presidio)
        self._payloads = log.payloads
        self._limit = log.max_payload_kb * 1024
        self._shows_previews = shows_previews

    def closed(self, opened: CallOpened | None, closed: CallClosed, request: bytes, response: bytes) -> SpanWrite:
        """The row of a call that came to its end. `opened` is None where that frame was lost to damage."""
        opened = opened or _opened_from(closed)
        level = tightest(self._payloads, closed.capture)
        shows_content = self._shows_previews and level in ("full", "preview")
        counts: Counter[str] = Counter()
        asked = self._body(request, None, closed.request_bytes, closed.request_content_type, False, counts)
        said = self._body(
            response,
            closed.response_encoding,
            closed.response_bytes,
            closed.response_content_type,
            opened.stream,
            counts,
        )
        dialect = dialect_named(opened.dialect)
        answer = dialect.read(
            said.text or b"", opened.stream, closed.status_code, _context(opened, closed, asked.text or b"")
        )
        span = self._span(opened)
        self._add_end(span, opened, closed, answer)
        response_text = self._once_more(answer.text)
        if shows_content:
            span.input_preview = self._preview(dialect.prompt(asked.text) if asked.text else None)
            span.output_preview = self._preview(response_text)
        span.tool_calls = self._tool_calls(answer.tool_calls, shows_content=shows_content) or None
        payload = None
        if level != "none":
            payload = self._payload(closed, counts)
            self._add_bodies(payload, level, asked, said, response_text)
        return SpanWrite(span, payload, closed.bill_id, closed.bill_is_own)

    def interrupted(self, opened: CallOpened) -> SpanWrite:
        """The row of a call whose worker died before its end. The provider may have billed it, so its input counts as
        used where it was estimated; what it cost is not known."""
        span = self._span(opened)
        span.error_type = "interrupted"
        span.error_message = "the gateway's process ended before this call did"
        if opened.input_tokens_estimate is not None:
            span.usage = Usage(input_tokens=opened.input_tokens_estimate)
            span.usage_source = "estimated"
        return SpanWrite(span)

    # ------------------------------------------------------------------------------------------ the row

    def _span(self, opened: CallOpened) -> Span:
        tags = self._redactor.tags(opened.tags, Counter())
        return Span(
            request_id=opened.request_id,
            trace_id=opened.trace_id,
            span_id=opened.request_id.replace("-", "")[-16:],
            parent_span_id=opened.parent_span_id,
            kind=opened.kind,
            name=self._once_more(opened.name),
            started_at=opened.started_at,
            tenant=opened.tenant,
            environment=opened.environment,
            key_id=opened.key_id,
            config=opened.config,
            variant=opened.variant,
            config_version=opened.config_version,
            prompt=opened.prompt if opened.prompt is not None else tags.get("prompt"),
            prompt_version=opened.prompt_version,
            provider=opened.provider,
            endpoint=self._redactor.text(opened.endpoint, Counter()),
            dialect=opened.dialect,
            model_requested=self._once_more(opened.model_requested),
            model=self._once_more(opened.model),
            client_request_id=self._once_more(opened.client_request_id),
            stream=opened.stream,
            tags=tags,
            user=tags.get("userId"),
            session=tags.get("sessionId"),
            feature=tags.get("feature"),
            workflow=tags.get("workflow"),
            agent=tags.get("agent"),
        )

    def _add_end(self, span: Span, opened: CallOpened, closed: CallClosed, answer: Answer) -> None:
        latency_us: int | None = closed.ended_at - opened.started_at
        if closed.ended_at < opened.started_at:  # the clock was set back; what the call measured itself still holds
            known = closed.upstream_us is not None
            latency_us = (closed.upstream_us or 0) + (closed.overhead_us or 0) if known else None
        span.ended_at = opened.started_at + latency_us if latency_us is not None else opened.started_at
        span.latency_us = latency_us
        span.provider = closed.provider or opened.provider
        span.model = closed.model or answer.model or opened.model
        span.response_id = answer.response_id
        span.kind = answer.kind or span.kind
        span.name = span.name or self._once_more(answer.name)
        span.finish_reason = ",".join(dict.fromkeys(answer.finish_reasons)) or None
        message = self._once_more(closed.error_message or answer.error)
        span.error_message = message[:ERROR_CHARACTERS] if message is not None else None
        for name in _SAME_IN_BOTH:
            setattr(span, name, getattr(closed, name))
        # A model is what the client wrote: anything.
        span.model = self._once_more(span.model)
        span.priced_as = self._once_more(span.priced_as)
        span.attempts = [msgspec.structs.replace(each, model=self._once_more(each.model)) for each in closed.attempts]

    # ------------------------------------------------------------------------------------------ content

    def _body(
        self,
        raw: bytes,
        encoding: str | None,
        size: int,
        content_type: str | None,
        streaming: bool,
        counts: Counter[str],
    ) -> _Body:
        is_cut = len(raw) < size
        whole = decoded(raw, encoding)
        if whole is None:
            return _Body(raw, is_cut, None, binary_note(raw, size, f"{content_type}, {encoding}"))
        text = readable(whole, content_type)
        if not is_text(text, content_type):
            return _Body(whole, is_cut, None, binary_note(whole, size, content_type))
        redact = self._redactor.stream if streaming else self._redactor.body
        return _Body(whole, is_cut, redact(text, counts), None)

    def _once_more(self, text: str | None) -> str | None:
        """What was read out of a redacted body is free of escapes now: nothing can hide in them any more."""
        return None if text is None else self._redactor.text(text, Counter())

    def _preview(self, text: str | None) -> str | None:
        text = self._once_more(text)
        return None if text is None else text[:PREVIEW_CHARACTERS]

    def _tool_calls(self, calls: list[ToolCall], *, shows_content: bool) -> list[ToolCall]:
        if not shows_content:
            return [ToolCall(call.name, call.id) for call in calls]
        return [ToolCall(call.name, call.id, self._once_more(call.arguments)) for call in calls]

    def _payload(self, closed: CallClosed, counts: Counter[str]) -> Payload:
        return Payload(
            request_bytes=closed.request_bytes,
            response_bytes=closed.response_bytes,
            request_content_type=self._once_more(closed.request_content_type),
            response_content_type=self._once_more(closed.response_content_type),
            request_headers=self._redactor.headers(closed.request_headers, counts),
            response_headers=self._redactor.headers(closed.response_headers, counts),
            timing=closed.timing,
            redactions=dict(counts),
        )

    def _add_bodies(self, payload: Payload, level: str, asked: _Body, said: _Body, response_text: str | None) -> None:
        if level == "full":
            payload.request_body = self._kept(asked)
            payload.response_body = self._kept(said)
            payload.response_text = response_text[: self._limit] if response_text is not None else None
        elif level == "hash":
            payload.request_body = _hash(asked)
            payload.response_body = _hash(said)

    def _kept(self, body: _Body) -> bytes | None:
        return cut(body.text if body.text is not None else body.note or b"", self._limit) or None


_SAME_IN_BOTH = tuple(
    name
    for name in CallClosed.__struct_fields__
    if name in Span.__struct_fields__ and name not in ("request_id", "ended_at", "error_message", "provider", "model")
)


def _hash(body: _Body) -> bytes | None:
    """`sha256:…` of the body as it was sent, decoded; None where there was none, or only a part of it is known."""
    if not body.whole or body.is_cut:
        return None
    return b"sha256:" + hashlib.sha256(body.whole).hexdigest().encode()


def _opened_from(closed: CallClosed) -> CallOpened:
    """What can be said of a call whose beginning was lost: its id holds when it began."""
    try:
        started_at = uuid7_time_us(closed.request_id)
    except ValueError:
        started_at = closed.ended_at
    return CallOpened(
        request_id=closed.request_id,
        started_at=started_at,
        kind="llm",
        endpoint="",
        dialect="",
        stream=(closed.response_content_type or "").startswith("text/event-stream"),
        provider=closed.provider,
        model_requested=None,
        model=closed.model,
        key_id=None,
        tenant=None,
        environment=None,
        tags={},
    )


def _context(opened: CallOpened, closed: CallClosed, request: bytes) -> Context:
    path = opened.endpoint.partition(" ")[2].encode()
    return Context(path, request, dict(closed.response_headers), opened.model)
