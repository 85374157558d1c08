"""How each provider's language is read. A new one is a file, a line here and a pass through the contract suite."""

from __future__ import annotations

import re
from itertools import chain

from gateway.dialects.anthropic_endpoints import ENDPOINTS as ANTHROPIC
from gateway.dialects.base import Answer, Billed, Context, Dialect, Meter
from gateway.dialects.bedrock_endpoints import ENDPOINTS as BEDROCK
from gateway.dialects.cohere_endpoints import ENDPOINTS as COHERE
from gateway.dialects.gemini_endpoints import ENDPOINTS as GEMINI
from gateway.dialects.mcp import Mcp, McpChannel
from gateway.dialects.ollama import ENDPOINTS as OLLAMA
from gateway.dialects.openai_endpoints import ENDPOINTS as OPENAI
from gateway.dialects.realtime import Realtime

__all__ = ["DECIDED", "OPAQUE", "Answer", "Billed", "Context", "Dialect", "Meter", "dialect_for", "dialect_named"]

OPAQUE = Dialect()

DECIDED: dict[str | None, tuple[Dialect, Dialect]] = {"mcp": (Mcp(), McpChannel())}
"""By what a provider is said to speak, where its paths do not tell: the dialect of a POST to it, and of all else."""

_BY_ENDPOINT: tuple[tuple[bytes, re.Pattern[bytes], Dialect], ...] = (
    *ANTHROPIC,
    *BEDROCK,
    *COHERE,
    *GEMINI,
    *OLLAMA,
    *OPENAI,
    (b"GET", re.compile(rb"/realtime$"), Realtime()),
)
"""(method, what the path holds, dialect): the first that matches. By their ends, because the same path is called with
and without `/v1`, and under `/p/{provider}` with whatever the provider puts in front."""

_BY_NAME: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (OPAQUE, *chain.from_iterable(DECIDED.values()), *(dialect for _, _, dialect in _BY_ENDPOINT))
}


def dialect_named(name: str) -> Dialect:
    """The dialect a span was journalled with; the opaque one for a name of another version."""
    return _BY_NAME.get(name, OPAQUE)


def dialect_for(method: bytes, path: bytes) -> Dialect:
    """What a call speaks, from its method and path (without `/p/{provider}`)."""
    for wanted, pattern, dialect in _BY_ENDPOINT:
        if method == wanted and pattern.search(path):
            return dialect
    return OPAQUE
