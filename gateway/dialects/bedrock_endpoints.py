"""Bedrock's paths. What `invoke` asks for is told by the model's name; a profile under an own name counts as a chat."""

from __future__ import annotations

import re

from gateway.dialects.anthropic_endpoints import MESSAGES
from gateway.dialects.base import Dialect
from gateway.dialects.bedrock import BedrockCountTokens, BedrockOther
from gateway.dialects.bedrock_converse import BedrockConverse
from gateway.dialects.bedrock_invoke import BedrockInvoke
from gateway.dialects.openai_endpoints import CHAT


def _invoke(name: str, kind: str) -> BedrockInvoke:
    return BedrockInvoke(name, kind, anthropic=MESSAGES, openai=CHAT)


ENDPOINTS: tuple[tuple[bytes, re.Pattern[bytes], Dialect], ...] = (
    (b"POST", re.compile(rb"/model/.+/converse(-stream)?$"), BedrockConverse()),
    (b"POST", re.compile(rb"/model/.+/count-tokens$"), BedrockCountTokens()),
    (b"POST", re.compile(rb"/model/.*embed.*/invoke$"), _invoke("bedrock.embed", "embedding")),
    (b"POST", re.compile(rb"/model/.*(image|canvas|stability|sd3).*/invoke$"), _invoke("bedrock.image", "image")),
    (b"POST", re.compile(rb"/model/.*rerank.*/invoke$"), _invoke("bedrock.rerank", "rerank")),
    (b"POST", re.compile(rb"/model/.+/invoke(-with-response-stream)?$"), _invoke("bedrock.invoke", "llm")),
    (b"POST", re.compile(rb"^/(guardrail/.+/apply|async-invoke)$"), BedrockOther()),
)
"""As in `gateway.dialects`."""
