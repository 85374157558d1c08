"""For clients of OpenAI's completions, the older endpoint: the prompt as one message of a user, at models that only
chat."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec

from gateway.translation.bridge import asking, chat
from gateway.translation.bridge.channel import Heard
from gateway.translation.bridge.library import litellm
from gateway.translation.engine import Request

_encode = msgspec.json.Encoder().encode
_DEFAULT_TOKENS = 16
"""OpenAI's, where a request says nothing."""


async def ask(request: Request, heard: Heard) -> bytes | AsyncIterator[bytes]:
    body = asking.body_of(request)
    model = asking.model_of(request, body)
    for name in ("suffix", "echo", "logprobs", "best_of"):
        if body.get(name):
            raise asking.refused(f"{request.backend.name} has no completions: {name!r} cannot be used.", param=name)
    fields = asking.picked(body, asking.COMPLETIONS)
    fields["messages"] = [{"role": "user", "content": _prompt(body.get("prompt"))}]
    fields.setdefault("max_tokens", _DEFAULT_TOKENS)
    where = asking.provider(request, model)
    if not body.get("stream"):
        whole = chat.whole(await litellm.acompletion(**where, **fields), model, heard)
        return _encode(_as_completion(whole, "message"))
    options = body.get("stream_options")
    wants_usage = isinstance(options, dict) and options.get("include_usage") is True
    chunks = await litellm.acompletion(**where, **fields, **asking.streaming(request))
    return _stream(chunks, model, heard, wants_usage)


def _prompt(given: Any) -> str:
    """CallError 400 for tokens and for several prompts: those would be several calls."""
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if not isinstance(given, str) or not given:
        raise asking.refused("'prompt' must be one text for a model that chats.", param="prompt")
    return given


def _as_completion(said: dict[str, Any], holder: str) -> dict[str, Any]:
    """A chat's answer, or a chunk of one, as the older endpoint writes it."""
    choices = []
    for choice in said.get("choices", ()):
        text = (choice.get(holder) or {}).get("content") or ""
        kept = {"index": choice.get("index", 0), "text": text, "logprobs": None}
        choices.append({**kept, "finish_reason": choice.get("finish_reason")})
    return {**said, "object": "text_completion", "choices": choices}


async def _stream(chunks: Any, model: str, heard: Heard, wants_usage: bool) -> AsyncIterator[bytes]:
    last: dict[str, Any] = {}
    async with aclosing(chat.pieces(chunks, model, heard)) as found:
        async for said in found:
            last = _as_completion(said, "delta")
            yield b"data: " + _encode(last) + b"\n\n"
    if wants_usage and (usage := chat.usage_chunk(last, heard)) is not None:
        yield b"data: " + _encode(usage) + b"\n\n"
    yield chat.DONE
