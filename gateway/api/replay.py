"""A recorded request sent once more, to the same or another model: `POST /api/requests/{id}/replay`.

The call is made inside this process, by an exchange of the data plane (`gateway.proxy.inside`): it is admitted,
limited, priced and logged as any other, in the name of whoever replays and not at the tenant's expense. Its tag
`replay_of` names the request it repeats.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import reader
from gateway.api.errors import invalid
from gateway.api.record import usd
from gateway.api.requests import json_response
from gateway.api.scope import sees, state_of
from gateway.control.caller import key_of
from gateway.control.principal import Principal
from gateway.control.state import AppState
from gateway.core.key import Key
from gateway.core.span import Attempt, Payload, Span
from gateway.dialects import Answer, Context, dialect_named
from gateway.errors import CallError
from gateway.store.base import SpanDetail

if TYPE_CHECKING:
    from gateway.proxy.headers import Headers
    from gateway.proxy.inside import Heard, InsideAnswer

SENT_AGAIN = ("content-type", "anthropic-version", "anthropic-beta", "openai-beta", "x-callgate-config")
REPLAYED_KINDS = ("llm", "embedding", "moderation", "rerank")
MODEL_IN_PATH = re.compile(r"(/models/)([^/:]+)(:)")
MAX_ASK_BYTES = 10_000


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    model: str | None = None
    """Another model, or the one of the recorded request."""


class ReplayRecord(msgspec.Struct):
    """`difference` is the replay's figure less the original's, null where either is unknown."""

    replay_of: str
    request_id: str
    status_code: int
    error_message: str | None
    provider: str | None
    model: str | None
    text: str | None
    finish_reason: str | None
    input_tokens: int | None
    output_tokens: int | None
    latency_ms: float
    ttft_ms: float | None
    cost_usd: msgspec.Raw | None
    cost_difference_usd: msgspec.Raw | None
    latency_difference_ms: float | None


async def replay(request: Request) -> Response:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_ASK_BYTES:
            raise CallError(413, "too_large", 'A replay takes an object like {"model": "gpt-5-mini"} and no more.')
    try:
        ask = msgspec.json.decode(body or b"{}", type=Ask)
    except msgspec.DecodeError as exc:
        raise invalid("", f'The body cannot be read: {exc}. It takes {{"model": "…"}}, or nothing.') from exc
    found = await original(state_of(request), reader(request), request.path_params["request_id"])
    made = await replayed(state_of(request), reader(request), found, ask.model)
    return json_response(_record(found.span, made))


async def original(state: AppState, principal: Principal, request_id: str) -> SpanDetail:
    """Raises CallError 404."""
    found = await state.store.span(request_id)
    if found is None or not sees(principal, found.span):
        message = f"There is no request {request_id[:100]!r} in the log. It may be too new or too old."
        raise CallError(404, "request_not_found", message, param="request_id")
    return found


async def replayed(
    state: AppState, principal: Principal, found: SpanDetail, model: str | None, heard: Heard | None = None
) -> SpanDetail:
    """The new call as the log will have it, a moment later. `heard` is told the answer's bytes as they come. Raises
    CallError 409 where it cannot be repeated."""
    refusal = cannot(found)
    if refusal:
        raise CallError(409, "not_replayable", refusal)
    if state.inside is None:
        raise CallError(503, "no_data_plane", "This process carries no calls, so it cannot repeat one.")
    span, payload = found.span, found.payload or Payload()
    method, _, path = (span.endpoint or "").partition(" ")
    body = without_tags(payload.request_body or b"", dialect_named(span.dialect or "").own_metadata)
    if model:
        path, body = with_model(path, body, model)
    headers = [(name.encode(), value.encode()) for name, value in payload.request_headers if name.lower() in SENT_AGAIN]
    if not any(name.lower() == b"content-type" for name, _ in headers):
        headers.append((b"content-type", b"application/json"))
    headers.append((b"x-callgate-tags", msgspec.json.encode({"replay_of": span.request_id})))
    headers.append((b"x-callgate-cache", b"no-store"))  # the call is made again, not looked up
    key = key_of(state.keyring, principal)
    with state.keyring.lend(key) as token:
        headers.append((b"authorization", b"Bearer " + token.encode()))
        answer = await state.inside.call(method.encode(), path.encode(), headers, body, heard)
    return _as_logged(answer, span, key, path, body)


def cannot(found: SpanDetail) -> str:
    """Why this request cannot be repeated, in words; empty if it can."""
    span, payload = found.span, found.payload
    if payload is None or payload.request_body is None:
        return "The body of this request is not kept, so it cannot be sent again."
    if span.kind not in REPLAYED_KINDS or not (span.endpoint or "").startswith("POST /"):
        return f"A call of {span.endpoint or span.kind} is not repeated: it may change something at the provider."
    try:
        msgspec.json.decode(payload.request_body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "Only the beginning of this body is kept (log.max_payload_kb), or it is no JSON object."
    return ""


def with_model(path: str, body: bytes, model: str) -> tuple[str, bytes]:
    """The same request for another model: in the path where it stands there, else in the body, whose other values
    stay byte for byte."""
    if MODEL_IN_PATH.search(path):
        return MODEL_IN_PATH.sub(lambda match: match[1] + quote(model, safe="") + match[3], path, count=1), body
    fields: dict[str, Any] = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    fields["model"] = model
    return path, msgspec.json.encode(fields)


def without_tags(body: bytes, own: Sequence[str]) -> bytes:
    """The request without the tags of its `metadata`: they would book the call for the tenant they name. `own` are
    the keys that the provider itself reads."""
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    if "metadata" not in fields:
        return body
    metadata = fields.pop("metadata")
    with contextlib.suppress(msgspec.DecodeError):
        kept = msgspec.json.decode(metadata, type=dict[str, msgspec.Raw])
        kept = {name: value for name, value in kept.items() if name in own}
        if kept:
            fields["metadata"] = msgspec.Raw(msgspec.json.encode(kept))
    return msgspec.json.encode(fields)


def _as_logged(answer: InsideAnswer, span: Span, key: Key, path: str, body: bytes) -> SpanDetail:
    """The span that the recorder is about to store, as far as it can be told without it."""
    headers = dict(answer.headers)
    content_type = headers.get(b"content-type", b"")
    dialect = dialect_named(span.dialect or "")
    is_stream = content_type.startswith(dialect.stream_types)
    read = Answer()
    if answer.body:
        context = Context(path.encode(), body, headers, answer.model)
        read = dialect.read(answer.body, is_stream, answer.status, context)
    made = Span(
        request_id=answer.request_id,
        kind=span.kind,
        started_at=answer.started_at,
        ended_at=answer.started_at + answer.latency_us,
        key_id=key.key_id,
        tenant=key.tenant,
        environment=key.environment,
        provider=answer.provider,
        endpoint=f"POST {path}",
        dialect=span.dialect,
        model_requested=answer.model,
        model=read.model or answer.model,
        stream=is_stream,
        status_code=answer.status,
        error_type=None if answer.status < 400 and answer.is_whole else "upstream_error",
        error_message=read.error or (None if answer.is_whole else "The answer broke off."),
        finish_reason=read.finish_reasons[0] if read.finish_reasons else None,
        tool_calls=read.tool_calls or None,
        usage=read.usage,
        usage_source="none" if read.usage is None else "reported",
        cost_nanousd=answer.cost_nanousd,
        cost_source="none" if answer.cost_nanousd is None else "catalog",
        price_id=answer.price_id,
        latency_us=answer.latency_us,
        ttft_us=answer.ttft_us if is_stream else None,
        attempts=[_attempt(answer)],
        tags={"replay_of": span.request_id},
    )
    payload = Payload(
        request_body=body,
        response_body=answer.body,
        response_text=read.text,
        request_bytes=len(body),
        response_bytes=len(answer.body),
        request_content_type="application/json",
        response_content_type=content_type.decode("latin-1") or None,
    )
    return SpanDetail(made, payload)


def text_so_far(span: Span, headers: Headers, data: bytes) -> str:
    """Of an answer to `span`'s request that is still coming; empty where it says nothing before it is whole."""
    dialect = dialect_named(span.dialect or "")
    if not dict(headers).get(b"content-type", b"").startswith(dialect.stream_types):
        return ""
    return dialect.read(data, True, 200).text or ""


def _attempt(answer: InsideAnswer) -> Attempt:
    return Attempt(
        answer.provider or "",
        answer.model,
        answer.status,
        None,
        answer.started_at,
        answer.latency_us,
        answer.cost_nanousd,
    )


def _record(span: Span, made: SpanDetail) -> ReplayRecord:
    again, usage = made.span, made.span.usage
    text = made.payload.response_text if made.payload else None
    cost = difference(again.cost_nanousd, span.cost_nanousd)
    latency = difference(again.latency_us, span.latency_us)
    return ReplayRecord(
        replay_of=span.request_id,
        request_id=again.request_id,
        status_code=again.status_code or 0,
        error_message=again.error_message,
        provider=again.provider,
        model=again.model,
        text=text,
        finish_reason=again.finish_reason,
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        latency_ms=(again.latency_us or 0) / 1000,
        ttft_ms=None if again.ttft_us is None else again.ttft_us / 1000,
        cost_usd=usd(again.cost_nanousd),
        cost_difference_usd=usd(cost),
        latency_difference_ms=None if latency is None else latency / 1000,
    )


def difference(new: int | None, old: int | None) -> int | None:
    return None if new is None or old is None else new - old
