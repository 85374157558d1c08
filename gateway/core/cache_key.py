"""When two calls are the same, for the response cache: what of a request decides its answer, as one key. Pure.

The white space of a body and the order of its top-level keys do not count, nor does what only says who asks; all else
does, byte for byte. Below the top level the order of keys is text that the model reads, so it counts as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from gateway.core import body as request_body
from gateway.errors import CallError

KINDS = frozenset(("llm", "embedding", "rerank", "moderation"))
"""Kinds of calls whose answer is a function of the request, as far as a client can tell."""

WHO_ASKS = frozenset(("metadata", "user", "safety_identifier", "prompt_cache_key"))
"""Top-level keys of a body that do not change the answer: tags, people, hints for the provider's own cache."""

MAKES_SOMETHING = ("store", "background", "conversation")
"""Top-level keys that ask the provider to keep or begin something: such a call is never answered from the cache."""

_OF_THE_CALL = frozenset(
    (
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"baggage",
        b"cache-control",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"dnt",
        b"expect",
        b"forwarded",
        b"host",
        b"idempotency-key",
        b"keep-alive",
        b"origin",
        b"pragma",
        b"priority",
        b"referer",
        b"sentry-trace",
        b"te",
        b"traceparent",
        b"tracestate",
        b"transfer-encoding",
        b"user-agent",
        b"via",
        b"x-amz-date",
        b"x-amz-content-sha256",
        b"x-amzn-trace-id",
        b"x-client-request-id",
        b"x-cloud-trace-context",
        b"x-goog-api-client",
        b"x-real-ip",
        b"x-request-id",
        b"x-request-start",
    )
)
"""Headers that are of the one call or of the client's library. All others count: betas, versions, organisations."""
_OF_THE_CALL_BEGIN = (
    b"amz-sdk-",
    b"cf-",
    b"sec-",
    b"x-b3-",
    b"x-callgate-",
    b"x-datadog-",
    b"x-forwarded-",
    b"x-stainless-",
)

Headers = Iterable[tuple[bytes, bytes]]


class Directives(msgspec.Struct, frozen=True):
    """What a client says of the cache for one call; RFC 9111 5.2.1 has the names."""

    no_store: bool = False
    only_if_cached: bool = False
    max_age_us: int | None = None
    """Answers older than this are not taken; None: whatever the cache still keeps."""


NO_DIRECTIVES = Directives()


def directives(value: bytes | None) -> Directives:
    """Of `x-callgate-cache`: `no-store`, `only-if-cached`, `max-age=SECONDS`, several with commas between. CallError
    400 for anything else: a word that is not understood must not end in an answer from the cache, or a bill."""
    if value is None:
        return NO_DIRECTIVES
    no_store = only_if_cached = False
    max_age_us = None
    for part in value.decode("latin-1").lower().split(","):
        name, _, argument = part.strip().partition("=")
        if name == "no-store" and not argument:
            no_store = True
        elif name == "only-if-cached" and not argument:
            only_if_cached = True
        elif name == "max-age" and argument.isascii() and argument.isdigit() and len(argument) < 12:
            max_age_us = int(argument) * 1_000_000
        elif name:
            raise CallError(
                400,
                "invalid_request_error",
                f"x-callgate-cache: {part.strip()!r} is not understood. Send no-store, only-if-cached or "
                "max-age=SECONDS.",
                error_type="invalid_request",
                param="x-callgate-cache",
            )
    return Directives(no_store, only_if_cached, max_age_us)


def makes_something(body: request_body.Body) -> bool:
    """Whether the call is more than a question."""
    return any(name in body and bytes(body[name]) not in (b"null", b"false") for name in MAKES_SOMETHING)


def significant(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers (names in lower case) that may change the answer, in an order of their own."""
    return sorted(
        pair for pair in headers if pair[0] not in _OF_THE_CALL and not pair[0].startswith(_OF_THE_CALL_BEGIN)
    )


def compact(raw: bytes) -> request_body.Body:
    """The top level of a body without white space. Raises as `body.parse` does."""
    return request_body.parse(msgspec.json.format(raw, indent=-1))


def normalised(body: request_body.Body, named_in_body: bool) -> bytes:
    """A compact body without what does not count; without its model where that is `named_in_body`, for what the name
    stands for is a part of the key of its own."""
    kept = sorted(name for name in body if name not in WHO_ASKS and not (named_in_body and name == "model"))
    return request_body.encode({name: body[name] for name in kept})


def cache_key(body: bytes, *parts: object) -> bytes:
    """32 bytes for a normalised body and all else that decides: whose it is, what is called, where it goes. Each part
    is text, bytes, None, a flag, or a sequence of these."""
    return hashlib.blake2b(msgspec.msgpack.encode((parts, body)), digest_size=32).digest()
