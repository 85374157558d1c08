"""Gemini's embeddings (`embedContent`, `batchEmbedContents`): the newer models report usage, the older ones none.

https://ai.google.dev/api/embeddings
"""

from __future__ import annotations

import msgspec

from gateway.dialects.base import UNREADABLE
from gateway.dialects.gemini_dialect import Content, text_of
from gateway.dialects.gemini_generate import GeminiGenerate


class _One(msgspec.Struct):
    content: Content | None = None


class _Request(_One):
    requests: list[_One] = []


_decode_request = msgspec.json.Decoder(_Request).decode


class GeminiEmbed(GeminiGenerate):
    name = "gemini.embed"
    kind = "embedding"

    def prompt(self, body: bytes) -> str | None:
        try:
            request = _decode_request(body)
        except UNREADABLE:
            return None
        texts = (text_of(one.content) for one in (request, *request.requests))
        return "\n".join(text for text in texts if text) or None
