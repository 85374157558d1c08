"""OpenAI's legacy text completions: chat's answers with `text` in place of a message.

https://platform.openai.com/docs/api-reference/completions
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.dialects.base import UNREADABLE
from gateway.dialects.openai_chat import OpenAIChat


class _Request(msgspec.Struct):
    prompt: Any = None


_decode_request = msgspec.json.Decoder(_Request).decode


class OpenAICompletions(OpenAIChat):
    name = "openai.completions"

    def prompt(self, body: bytes) -> str | None:
        try:
            prompt = _decode_request(body).prompt
        except UNREADABLE:
            return None
        if isinstance(prompt, list) and prompt and all(isinstance(part, str) for part in prompt):
            return "\n".join(prompt)
        return prompt if isinstance(prompt, str) else None
