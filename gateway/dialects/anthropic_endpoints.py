"""What Anthropic's clients call, and what reads it."""

from __future__ import annotations

import re

from gateway.dialects.anthropic_batch import AnthropicBatches, AnthropicBatchResults
from gateway.dialects.anthropic_messages import AnthropicMessages
from gateway.dialects.anthropic_tokens import AnthropicTokens
from gateway.dialects.anthropic_vertex import AnthropicOnVertex
from gateway.dialects.base import Dialect

MESSAGES = AnthropicMessages()
_BATCHES = AnthropicBatches()

ENDPOINTS: tuple[tuple[bytes, re.Pattern[bytes], Dialect], ...] = (
    (b"POST", re.compile(rb"(?:^|/v1)/messages$"), MESSAGES),
    (b"POST", re.compile(rb"(?:^|/v1)/messages/count_tokens$"), AnthropicTokens()),
    (b"GET", re.compile(rb"/v1/messages/batches/[^/]+/results$"), AnthropicBatchResults()),
    (b"POST", re.compile(rb"/v1/messages/batches(?:/[^/]+/cancel)?$"), _BATCHES),
    (b"GET", re.compile(rb"/v1/messages/batches(?:/[^/]+)?$"), _BATCHES),
    (b"DELETE", re.compile(rb"/v1/messages/batches/[^/]+$"), _BATCHES),
    (b"POST", re.compile(rb"/publishers/anthropic/models/[^/]+:(?:streamR|r)awPredict$"), AnthropicOnVertex()),
)
