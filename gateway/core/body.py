"""Reading and changing a JSON request body at its top level, every other value byte for byte as the client wrote it."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from gateway.errors import CallError

Body = dict[str, msgspec.Raw]
"""Top-level keys with their values as raw JSON, in the order they came in."""

_decode_object = msgspec.json.Decoder(Body).decode
_decode_str = msgspec.json.Decoder(str).decode
encode = msgspec.json.encode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def parse(raw: bytes) -> Body:
    """The top level of a JSON object; CallError 400 that names what is wrong otherwise.

    A key that comes twice is refused: which one counts is up to the reader, so what the gateway admits and what the
    provider serves could differ.
    """
    try:
        body = _decode_object(raw)
    except RecursionError:
        raise _invalid("The body is nested too deeply to be read.") from None
    except msgspec.ValidationError:
        raise _invalid('The body must be a JSON object, e.g. {"model": …, "messages": […]}.') from None
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise _invalid(f"The body is not valid JSON: {_reason(raw, exc)}") from None
    try:
        twice = None if len(raw) == _compact_size(body) else _key_that_comes_twice(raw)
    except RecursionError:
        raise _invalid("The body is nested too deeply to be read.") from None
    if twice is not None:
        raise _invalid(f"The body has the key {twice!r} twice; send it once.", param=twice)
    return body


def _invalid(message: str, param: str | None = None) -> CallError:
    return CallError(400, "invalid_request_error", message, error_type="invalid_request", param=param)


def _reason(raw: bytes, exc: Exception) -> str:
    if not raw.strip():
        return "it is empty."
    if b"NaN" in raw or b"Infinity" in raw:
        return "NaN and Infinity are not JSON; send null or a number."
    if b"\\ud" in raw.lower():
        return "a \\u escape is half of a surrogate pair; send the whole pair or the character itself."
    return f"{str(exc).removeprefix('JSON is malformed: ')}."


def _compact_size(body: Body) -> int:
    """How long the object is written without white space; equal to what came in, nothing can have come twice."""
    size = 1 + len(body)
    for key, value in body.items():
        size += len(key) + 3 + len(value)
    return size if body else 2


def _key_that_comes_twice(raw: bytes) -> str | None:
    compact = msgspec.json.format(raw, indent=-1)
    if len(compact) == _compact_size(_decode_object(compact)):
        return None  # it was only written with white space
    text = raw.decode("utf-8", "surrogateescape")
    pairs: Any = json.loads(text, object_pairs_hook=list, parse_int=len)  # a number may be too long to be an int
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return str(key)
        seen.add(key)
    return None


def text(body: Body, key: str) -> str | None:
    """A string value, None where it is absent or null; CallError 400 where it is something else."""
    value = body.get(key)
    if value is None or bytes(value) == b"null":
        return None
    try:
        return _decode_str(value)
    except UnicodeDecodeError:  # the parser skips over values without looking into them
        raise _invalid(f"{key!r} is not valid UTF-8.", param=key) from None
    except msgspec.DecodeError:
        raise _invalid(f"{key!r} must be a string.", param=key) from None


def flag(body: Body, key: str) -> bool:
    """A boolean value, False where it is absent or null; CallError 400 where it is something else."""
    value = bytes(body[key]) if key in body else b"null"
    if value in (b"null", b"false"):
        return False
    if value == b"true":
        return True
    raise _invalid(f"{key!r} must be true or false.", param=key)


def with_usage_asked(body: Body) -> bool:
    """Asks for usage in a stream. False, and nothing changed, where the client asks for it itself."""
    options = body.get("stream_options")
    if options is None or bytes(options) == b"null":
        body["stream_options"] = msgspec.Raw(b'{"include_usage":true}')
        return True
    try:
        inner = _decode_object(options)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False  # not an object: the provider's error to report
    if "include_usage" in inner and bytes(inner["include_usage"]) == b"true":
        return False
    inner["include_usage"] = msgspec.Raw(b"true")
    body["stream_options"] = msgspec.Raw(encode(inner))
    return True


MOST_OUTPUT = 1_000_000_000
"""What a client asks for beyond this counts as this: counters have their size."""

_OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens", "max_tokens_to_sample")
_OUTPUT_LIMITS_WITHIN = (("generationConfig", "maxOutputTokens"), ("inferenceConfig", "maxTokens"))
_decode_int = msgspec.json.Decoder(int).decode


def most_output(body: Body) -> int | None:
    """How many tokens the answer may have by the request's own word, in any dialect; `n` answers count `n` times."""
    found = next((_integer(body[name]) for name in _OUTPUT_LIMITS if name in body), None)
    for outer, inner in _OUTPUT_LIMITS_WITHIN:
        if found is None and outer in body:
            try:
                within = _decode_object(body[outer])
            except _UNREADABLE:
                continue
            found = _integer(within[inner]) if inner in within else None
    if found is None:
        return None
    answers = max(1, _integer(body["n"]) or 1) if "n" in body else 1
    return min(found * answers, MOST_OUTPUT)


def _integer(value: msgspec.Raw) -> int | None:
    """None for what is no number from 0 up: that is the provider's error to report."""
    try:
        number = _decode_int(value)
    except _UNREADABLE:
        return None
    return number if number >= 0 else None
