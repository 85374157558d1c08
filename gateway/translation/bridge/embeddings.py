"""For clients of OpenAI's embeddings."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.translation.bridge import asking, bill
from gateway.translation.bridge.channel import Heard
from gateway.translation.bridge.library import litellm
from gateway.translation.engine import Request


async def ask(request: Request, heard: Heard) -> bytes:
    body = asking.body_of(request)
    model = asking.model_of(request, body)
    fields = asking.picked(body, asking.EMBEDDINGS)
    if "input" not in fields:
        raise asking.refused("'input' is missing.", param="input")
    if request.backend.vendor == "ollama_chat":
        raise asking.refused(f"{request.backend.name}: embeddings go to Ollama's OpenAI surface (…/v1) instead.")
    where = asking.provider(request, model)
    if request.backend.vendor == "cohere_chat":
        where["model"] = f"cohere/{model}"
    response = await litellm.aembedding(**where, **fields)
    said: dict[str, Any] = response.model_dump(exclude_none=True)
    said["model"] = heard.answer().model or model
    said["object"] = "list"
    said.pop("usage", None)
    if (usage := bill.chat_usage(heard)) is not None:
        said["usage"] = usage
    return msgspec.json.encode(said)
