"""Gemini's `countTokens` and Vertex's `computeTokens`: free, so no usage is booked. https://ai.google.dev/api/tokens"""

from __future__ import annotations

import msgspec

from gateway.dialects.base import NULL, UNREADABLE
from gateway.dialects.gemini_generate import GeminiGenerate


class _Request(msgspec.Struct, rename="camel"):
    generate_content_request: msgspec.Raw = NULL


_decode_request = msgspec.json.Decoder(_Request).decode


class GeminiTokens(GeminiGenerate):
    name = "gemini.tokens"
    kind = "tokens"

    def prompt(self, body: bytes) -> str | None:
        try:
            whole = bytes(_decode_request(body).generate_content_request)
        except UNREADABLE:
            return None
        return super().prompt(whole if whole != b"null" else body)
