"""What Cohere's clients call, and what reads it. `/v1/rerank` is spoken by others too and read with OpenAI's."""

from __future__ import annotations

import re

from gateway.dialects.base import Dialect
from gateway.dialects.cohere_chat import CohereChat
from gateway.dialects.cohere_chat_v1 import CohereChatV1
from gateway.dialects.cohere_embed import CohereEmbed
from gateway.dialects.cohere_rerank import CohereRerank
from gateway.dialects.cohere_tokens import CohereTokens

ENDPOINTS: tuple[tuple[bytes, re.Pattern[bytes], Dialect], ...] = (
    (b"POST", re.compile(rb"/v2/chat$"), CohereChat()),
    (b"POST", re.compile(rb"/v1/chat$"), CohereChatV1()),
    (b"POST", re.compile(rb"/v[12]/embed$"), CohereEmbed()),
    (b"POST", re.compile(rb"/v2/rerank$"), CohereRerank()),
    (b"POST", re.compile(rb"/v1/(?:de)?tokenize$"), CohereTokens()),
)
