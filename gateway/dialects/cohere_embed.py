"""Cohere's embeddings: https://docs.cohere.com/reference/embed"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.dialects.base import UNREADABLE
from gateway.dialects.cohere_dialect import CohereDialect


class _Piece(msgspec.Struct):
    text: Any = None


class _Input(msgspec.Struct):
    content: list[_Piece] = []


class _Request(msgspec.Struct):
    texts: list[Any] | None = None
    inputs: list[_Input] | None = None
    """Of version 2: texts and images mixed."""


_decode_request = msgspec.json.Decoder(_Request).decode


class CohereEmbed(CohereDialect):
    name = "cohere.embed"
    kind = "embedding"

    def prompt(self, body: bytes) -> str | None:
        try:
            request = _decode_request(body)
        except UNREADABLE:
            return None
        mixed = [piece.text for each in request.inputs or () for piece in each.content]
        return "\n".join(text for text in [*(request.texts or ()), *mixed] if isinstance(text, str)) or None
