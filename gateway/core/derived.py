"""What a record of the API has and a row of the log has not: made of the row."""

from __future__ import annotations

import base64

import msgspec

from gateway.core.span import Span

_encode = msgspec.json.Encoder().encode
_as_it_stands = msgspec.json.Decoder(msgspec.Raw).decode


def tokens_per_second(span: Span) -> float | None:
    tokens = None if span.usage is None else span.usage.output_tokens
    return generated_per_second(tokens, span.latency_us, span.ttft_us, span.cache)


def generated_per_second(
    output_tokens: int | None, latency_us: int | None, ttft_us: int | None, cache: str | None
) -> float | None:
    """Of streams: what was generated in the time after the first token. A whole answer does not tell, and one from
    the response cache was generated at another time."""
    if not output_tokens or cache == "hit" or latency_us is None or ttft_us is None or latency_us <= ttft_us:
        return None
    return round(output_tokens * 1_000_000 / (latency_us - ttft_us), 3)


def body_json(body: bytes | None, content_type: str | None = None) -> msgspec.Raw | None:
    """JSON as it stands if it is JSON; text as a JSON string; what is no text as a `data:` URL."""
    if body is None:
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        kind = (content_type or "application/octet-stream").partition(";")[0].strip()
        return msgspec.Raw(_encode(f"data:{kind};base64,{base64.b64encode(body).decode()}"))
    try:
        return _as_it_stands(body)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.Raw(_encode(text))
