"""One call: asked by the handler of the client's dialect, heard below litellm, answered in the client's dialect."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from gateway.errors import CallError
from gateway.translation.bridge import chat, completions, counting, embeddings, gemini, messages, responses
from gateway.translation.bridge.channel import HEARD, Heard
from gateway.translation.bridge.failing import as_call_error, passed_headers
from gateway.translation.engine import Reply, Request

JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")

Handler = Callable[[Request, Heard], Awaitable[bytes | AsyncIterator[bytes]]]

HANDLERS: dict[str, Handler] = {
    "openai.chat": chat.ask,
    "openai.responses": responses.ask,
    "openai.embeddings": embeddings.ask,
    "openai.completions": completions.ask,
    "gemini.generate": gemini.ask,
    "gemini.stream": gemini.ask,
    "gemini.tokens": gemini.count,
    "anthropic.messages": messages.ask,
    "anthropic.tokens": counting.ask,
}
"""By the name of the client's dialect."""

log = logging.getLogger("callgate.translation")


async def answer(request: Request) -> Reply:
    """See `engine.Bridge`."""
    heard = Heard(request.backend)
    HEARD.set(heard)
    handler = HANDLERS.get(request.dialect.name)
    try:
        if handler is None:
            raise CallError(404, "not_translated", f"{request.dialect.name} is not translated.")
        body = await handler(request, heard)
    except Exception as exc:
        error = as_call_error(exc, request, heard)
        if error.status >= 500 and heard.status is None:
            log.info("translation: %r failed: %s", request, type(exc).__name__)
        return Reply(error.status, [JSON, *error.headers], request.dialect.error_body(error))
    if isinstance(body, bytes):
        return Reply(200, [JSON, *passed_headers(heard)], body)
    kind = JSON if gemini.is_array(request) else EVENTS
    return Reply(200, [kind, *passed_headers(heard)], _unbroken(body, request, heard))


async def _unbroken(events: AsyncIterator[bytes], request: Request, heard: Heard) -> AsyncIterator[bytes]:
    """A stream that breaks ends with an error event, as the provider's own would: never with a clean finish."""
    try:
        async for event in events:
            yield event
    except Exception as exc:
        error = as_call_error(exc, request, heard)
        if gemini.is_array(request):
            yield b"," + request.dialect.error_body(error) + b"]"
        else:
            yield request.dialect.error_event(error)
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()
