"""For clients of OpenAI's responses: litellm turns them into chat completions and the answers back.

Nothing is stored, so nothing is continued by `previous_response_id` and nothing runs in the background. litellm's own
`aresponses` is not used: it would also run MCP tools that a client names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from gateway.translation.bridge import asking, bill, chat
from gateway.translation.bridge.channel import Heard
from gateway.translation.bridge.library import ResponsesAsChat, ResponsesStream, litellm
from gateway.translation.engine import Request

_encode = msgspec.json.Encoder().encode
_ENDS = ("response.completed", "response.incomplete", "response.failed")


async def ask(request: Request, heard: Heard) -> bytes | AsyncIterator[bytes]:
    body = asking.body_of(request)
    model = asking.model_of(request, body)
    for name in ("previous_response_id", "conversation", "background", "prompt"):
        if body.get(name):
            raise asking.refused(f"{request.backend.name} keeps no responses: {name!r} cannot be used.", param=name)
    fields = asking.picked(body, asking.RESPONSES)
    if "input" not in fields:
        raise asking.refused("'input' is missing.", param="input")
    asked = fields.pop("input")
    where = asking.provider(request, model)
    vendor = request.backend.vendor
    as_chat = ResponsesAsChat.transform_responses_api_request_to_chat_completion_request(
        model=where["model"], input=asked, responses_api_request=fields, custom_llm_provider=vendor
    )
    passed = asking.picked(as_chat, asking.CHAT)
    asking.understood(request, passed["messages"])
    if vendor == "gemini":
        passed["messages"] = chat.without_cache_hints(passed["messages"])
    if not body.get("stream"):
        response = ResponsesAsChat.transform_chat_completion_response_to_responses_api_response(
            chat_completion_response=await litellm.acompletion(**where, **passed),
            request_input=asked,
            responses_api_request=fields,
        )
        return _encode(_billed(response.model_dump(exclude_none=True, mode="json", warnings=False), model, heard))
    chunks = await litellm.acompletion(**where, **passed, **asking.streaming(request))
    events = ResponsesStream(
        model=model,
        litellm_custom_stream_wrapper=chunks,
        request_input=asked,
        responses_api_request=fields,
        custom_llm_provider=vendor,
    )
    return _stream(events, chunks, model, heard)


def _billed(said: dict[str, Any], model: str, heard: Heard) -> dict[str, Any]:
    answer = heard.answer()
    said["model"] = answer.model or model
    said.pop("usage", None)
    said.pop("service_tier", None)
    if answer.service_tier is not None:
        said["service_tier"] = answer.service_tier
    said.pop("provider_specific_fields", None)
    said["store"] = False
    for item in said.get("output", ()):
        if item.get("type") == "code_interpreter_call":  # litellm writes an id like those of OpenAI, who would bill it
            item["container_id"] = f"{heard.backend.name}_{item.get('container_id')}"
    if not said["id"].startswith("resp_"):
        said["id"] = f"resp_{said['id'].removeprefix('chatcmpl-')}"
    if (usage := bill.responses_usage(heard)) is not None:
        said["usage"] = usage
    return said


async def _stream(events: Any, chunks: Any, model: str, heard: Heard) -> AsyncIterator[bytes]:
    number = 0
    try:
        async for event in events:
            said: dict[str, Any] = event.model_dump(exclude_none=True, mode="json", warnings=False)
            kind = said["type"]
            said["sequence_number"] = number
            number += 1
            if isinstance(response := said.get("response"), dict):
                response["model"] = heard.answer().model or model
                response.pop("usage", None)
                if kind in _ENDS:
                    await heard.drain()
                    _billed(response, model, heard)
            yield b"event: " + kind.encode() + b"\ndata: " + _encode(said) + b"\n\n"
    finally:
        await chat.closed(chunks, heard)
