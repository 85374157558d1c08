"""Cohere's `tokenize` and `detokenize`: free, nothing is booked. https://docs.cohere.com/reference/tokenize"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.dialects.base import UNREADABLE
from gateway.dialects.cohere_dialect import CohereDialect


class _Request(msgspec.Struct):
    text: Any = None


_decode_request = msgspec.json.Decoder(_Request).decode


class CohereTokens(CohereDialect):
    name = "cohere.tokens"
    kind = "tokens"

    def prompt(self, body: bytes) -> str | None:
        try:
            text = _decode_request(body).text
        except UNREADABLE:
            return None
        return text if isinstance(text, str) else None
