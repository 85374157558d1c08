"""Anthropic's models on Vertex AI: the same messages, the model in the path instead of the body.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude
"""

from __future__ import annotations

from gateway.dialects.anthropic_messages import AnthropicMessages
from gateway.dialects.gemini_path import model_in, with_model


class AnthropicOnVertex(AnthropicMessages):
    name = "anthropic.vertex"
    family = "gemini"
    needs_model = False

    def model_in(self, path: bytes) -> str | None:
        return model_in(path)

    def with_model(self, path: bytes, model: str) -> bytes:
        return with_model(path, model)

    def streams(self, path: bytes) -> bool | None:
        return path.endswith(b":streamRawPredict")
