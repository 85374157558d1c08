"""How each provider's language is read. A new one is a file, a line here and a pass through the contract suite."""

from __future__ import annotations

import re

from gateway.dialects.base import Answer, Billed, Context, Dialect
from gateway.dialects.openai_chat import OpenAIChat
from gateway.dialects.openai_completions import OpenAICompletions
from gateway.dialects.openai_embeddings import OpenAIEmbeddings

__all__ = ["OPAQUE", "Answer", "Billed", "Context", "Dialect", "dialect_for", "dialect_named"]

OPAQUE = Dialect()

_CHAT = OpenAIChat()
_COMPLETIONS = OpenAICompletions()
_EMBEDDINGS = OpenAIEmbeddings()

_BY_NAME: dict[str, Dialect] = {dialect.name: dialect for dialect in (OPAQUE, _CHAT, _COMPLETIONS, _EMBEDDINGS)}

_BY_ENDPOINT: tuple[tuple[bytes, re.Pattern[bytes], Dialect], ...] = (
    (b"POST", re.compile(rb"/chat/completions$"), _CHAT),
    (b"POST", re.compile(rb"/completions$"), _COMPLETIONS),
    (b"POST", re.compile(rb"/embeddings$"), _EMBEDDINGS),
)
"""(method, what the path holds, dialect): the first that matches. By their ends, because the same path is called with
and without `/v1`, and under `/p/{provider}` with whatever the provider puts in front."""


def dialect_named(name: str) -> Dialect:
    """The dialect a span was journalled with; the opaque one for a name of another version."""
    return _BY_NAME.get(name, OPAQUE)


def dialect_for(method: bytes, path: bytes) -> Dialect:
    """What a call speaks, from its method and path (without `/p/{provider}`)."""
    for wanted, pattern, dialect in _BY_ENDPOINT:
        if method == wanted and pattern.search(path):
            return dialect
    return OPAQUE
