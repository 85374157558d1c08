"""What Google's clients call, and what reads it. The same methods are there with `v1`, `v1beta` and `v1beta1`, and on
Vertex AI below `/projects/…/publishers/google`."""

from __future__ import annotations

import re

from gateway.dialects.base import Dialect
from gateway.dialects.gemini_batch import GeminiBatch, GeminiBatches, GeminiResultsFile
from gateway.dialects.gemini_embed import GeminiEmbed
from gateway.dialects.gemini_generate import GeminiGenerate, GeminiStream
from gateway.dialects.gemini_predict import VertexEmbed, VertexImage
from gateway.dialects.gemini_tokens import GeminiTokens

_BATCHES = GeminiBatches()

ENDPOINTS: tuple[tuple[bytes, re.Pattern[bytes], Dialect], ...] = (
    (b"POST", re.compile(rb":generateContent$"), GeminiGenerate()),
    (b"POST", re.compile(rb":streamGenerateContent$"), GeminiStream()),
    (b"POST", re.compile(rb":(?:embedContent|batchEmbedContents)$"), GeminiEmbed()),
    (b"POST", re.compile(rb":(?:countTokens|computeTokens)$"), GeminiTokens()),
    (b"POST", re.compile(rb":(?:b|asyncB)atch(?:GenerateContent|EmbedContent)$"), _BATCHES),
    (b"GET", re.compile(rb"/v1beta/batches/[^/:]+$"), GeminiBatch()),
    (b"GET", re.compile(rb"/v1beta/batches$"), _BATCHES),
    (b"POST", re.compile(rb"/v1beta/batches/[^/:]+:cancel$"), _BATCHES),
    (b"DELETE", re.compile(rb"/v1beta/batches/[^/:]+$"), _BATCHES),
    (b"GET", re.compile(rb"/v1beta/files/[^/:]+:download$"), GeminiResultsFile()),
    (b"POST", re.compile(rb"/models/[^/]*embed[^/]*:predict$"), VertexEmbed()),
    (b"POST", re.compile(rb"/models/[^/]*imagen?[^/]*:predict$"), VertexImage()),
)
