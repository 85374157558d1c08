"""Vertex AI's `predict`, which embeddings and images are still called with.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api and …/imagen-api
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.dialects.base import NOTHING, UNREADABLE, Answer, Context
from gateway.dialects.counts import Tokens
from gateway.dialects.gemini_generate import GeminiGenerate
from pricing.usage import Usage


class _Statistics(msgspec.Struct):
    token_count: Tokens = None


class _Embeddings(msgspec.Struct):
    statistics: _Statistics | None = None


class _Prediction(msgspec.Struct, rename="camel"):
    embeddings: _Embeddings | None = None
    mime_type: Any = None


class _Whole(msgspec.Struct):
    predictions: list[_Prediction] | None = None


class _Instance(msgspec.Struct):
    content: Any = None
    prompt: Any = None


class _Request(msgspec.Struct):
    instances: list[_Instance] = []


_decode_whole = msgspec.json.Decoder(_Whole).decode
_decode_request = msgspec.json.Decoder(_Request).decode


class VertexEmbed(GeminiGenerate):
    name = "gemini.vertex_embed"
    kind = "embedding"

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        answer = super().settle(data, streaming, context)
        embeddings = [each.embeddings for each in _predictions(data) if each.embeddings is not None]
        counts = [each.statistics.token_count for each in embeddings if each.statistics is not None]
        if counts and None not in counts:
            answer.usage = Usage(input_tokens=sum(count or 0 for count in counts))
        return answer

    def prompt(self, body: bytes) -> str | None:
        try:
            instances = _decode_request(body).instances
        except UNREADABLE:
            return None
        texts = (instance.content or instance.prompt for instance in instances)
        return "\n".join(text for text in texts if isinstance(text, str)) or None


class VertexImage(VertexEmbed):
    name = "gemini.vertex_image"
    kind = "image"

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        """Images that were filtered away are not among the predictions, and not billed."""
        answer = GeminiGenerate.settle(self, data, streaming, context)
        images = [each for each in _predictions(data) if isinstance(each.mime_type, str)]
        if images:
            answer.usage = Usage(images=len(images))
        return answer


def _predictions(data: bytes) -> list[_Prediction]:
    try:
        return _decode_whole(data).predictions or []
    except UNREADABLE:
        return []
