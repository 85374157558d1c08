"""Cohere's rerank, billed by the search unit: https://docs.cohere.com/reference/rerank"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.dialects.base import UNREADABLE
from gateway.dialects.cohere_dialect import CohereDialect


class _Request(msgspec.Struct):
    query: Any = None


_decode_request = msgspec.json.Decoder(_Request).decode


class CohereRerank(CohereDialect):
    name = "cohere.rerank"
    kind = "rerank"

    def prompt(self, body: bytes) -> str | None:
        try:
            query = _decode_request(body).query
        except UNREADABLE:
            return None
        return query if isinstance(query, str) else None
