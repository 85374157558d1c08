"""OpenAI embeddings: usage is read, the vectors are not.

https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.dialects.base import UNREADABLE
from gateway.dialects.openai_chat import OpenAIChat


class _Request(msgspec.Struct):
    input: Any = None


_decode_request = msgspec.json.Decoder(_Request).decode


class OpenAIEmbeddings(OpenAIChat):
    name = "openai.embeddings"
    kind = "embedding"
    asks_usage = False

    def prompt(self, body: bytes) -> str | None:
        try:
            wanted = _decode_request(body).input
        except UNREADABLE:
            return None
        if isinstance(wanted, list):
            return "\n".join(part for part in wanted if isinstance(part, str)) or None
        return wanted if isinstance(wanted, str) else None
