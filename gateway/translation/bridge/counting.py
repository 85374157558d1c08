"""For Anthropic's count_tokens, which agents call to see how full their context is.

Few providers count before they answer, so this is an estimate by litellm's tokenizer, on this machine; it is free.
"""

from __future__ import annotations

import msgspec

from gateway.translation.bridge import asking, messages
from gateway.translation.bridge.channel import Heard
from gateway.translation.bridge.library import litellm
from gateway.translation.engine import Request


async def ask(request: Request, heard: Heard) -> bytes:
    body = asking.body_of(request)
    model = asking.model_of(request, body)
    fields, _ = messages.as_chat(request, {"max_tokens": 1, **body}, model)
    count = litellm.token_counter(model=model, messages=fields["messages"], tools=fields.get("tools"))
    return msgspec.json.encode({"input_tokens": count})
