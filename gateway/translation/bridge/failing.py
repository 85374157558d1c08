"""Failures in the client's dialect: what the provider said, with its status and its words, or why it could not."""

from __future__ import annotations

import httpx

from gateway.dialects.base import error_message
from gateway.errors import CallError
from gateway.translation.bridge import asking
from gateway.translation.bridge.channel import ForeignHostError, Heard
from gateway.translation.bridge.library import litellm
from gateway.translation.engine import Request

PASSED_HEADERS = (
    *(b"retry-after", b"retry-after-ms", b"x-ms-retry-after-ms", b"x-should-retry"),
    *(b"request-id", b"x-request-id", b"apim-request-id", b"x-amzn-requestid", b"x-goog-request-id"),
)
"""Of the provider's headers those that a route acts on or its support asks for; those of limits come on top."""
_LIMITS = (b"x-ratelimit-", b"anthropic-ratelimit-")
_CODES = {400: "invalid_request_error", 401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


def passed_headers(heard: Heard) -> list[tuple[bytes, bytes]]:
    return [
        (name, value) for name, value in heard.headers.items() if name in PASSED_HEADERS or name.startswith(_LIMITS)
    ]


def as_call_error(exc: Exception, request: Request, heard: Heard) -> CallError:
    """What to tell the client."""
    if isinstance(exc, CallError):
        return exc
    name = request.backend.name
    if heard.status is None:
        return _before_an_answer(exc, name)
    if heard.status >= 400:
        message = error_message(heard.body) or f"{name} answered with status {heard.status}."
        return CallError(heard.status, _code(heard.status, message), message, headers=tuple(passed_headers(heard)))
    if (reported := heard.answer().error) is not None:
        return CallError(502, "upstream_error", reported)
    if _is_caused_by(exc, httpx.TimeoutException, litellm.Timeout):
        return CallError(504, "upstream_timeout", f"{name} fell silent within its answer.")
    if _is_caused_by(exc, httpx.TransportError):
        return CallError(502, "upstream_reset", f"The connection to {name} broke before the answer was complete.")
    return CallError(502, "upstream_malformed", f"The answer of {name} cannot be translated: {_plain(exc)}")


def _before_an_answer(exc: Exception, name: str) -> CallError:
    """Nothing was answered: it was not sent, or nobody was there."""
    if _is_caused_by(exc, litellm.ImageFetchError):
        return asking.refused(f"{name} takes images as data only, and the gateway fetches none: send a data: URL.")
    if _is_caused_by(exc, httpx.TimeoutException, litellm.Timeout):
        return CallError(504, "upstream_timeout", f"{name} did not answer in time.")
    if _is_caused_by(exc, httpx.TransportError):
        return CallError(502, "upstream_unreachable", f"{name} cannot be reached: {_causes(exc)[-1]}.")
    if _is_caused_by(exc, ForeignHostError):  # after the others: litellm tries again what failed, and is not let
        return asking.refused(f"{name} was not called: the gateway sends nothing to addresses that a client names.")
    return asking.refused(f"This cannot be said to {name}: {_plain(exc)}")


def _is_caused_by(exc: BaseException, *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in _causes(exc))


def _code(status: int, message: str) -> str:
    lowered = message.lower()
    if status == 400 and "content" in lowered and ("filter" in lowered or "policy" in lowered):
        return "content_filter"
    if status in (400, 413) and ("context" in lowered or "too long" in lowered) and "token" in lowered:
        return "context_length_exceeded"
    return _CODES.get(status, "invalid_request_error" if status < 500 else "upstream_error")


def _causes(exc: BaseException) -> list[BaseException]:
    """The exception, and what it was raised from, outermost first."""
    chain: list[BaseException] = []
    current: BaseException | None = exc
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain


def _plain(exc: Exception) -> str:
    """litellm's message without the names of its classes, and not longer than anybody reads."""
    text = str(getattr(exc, "message", None) or exc)
    for _ in range(2):
        head, colon, rest = text.partition(": ")
        if colon and head.startswith("litellm."):
            text = rest
    vendor, dash, rest = text.partition(" - ")
    text = rest if dash and vendor.endswith("Exception") else text
    first = text.strip().partition("\n")[0].partition(" Traceback (")[0].partition(" Handle with `litellm")[0]
    return first[:500] or type(exc).__name__
