"""How each provider's language is read. A new one is a file, a line here and a pass through the contract suite."""

from __future__ import annotations

from gateway.dialects.base import Answer, Dialect
from gateway.dialects.openai_chat import OpenAIChat
from gateway.dialects.openai_completions import OpenAICompletions
from gateway.dialects.openai_embeddings import OpenAIEmbeddings

__all__ = ["OPAQUE", "Answer", "Dialect", "dialect_for", "dialect_named"]

OPAQUE = Dialect()

_BY_NAME: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (OPAQUE, OpenAIChat(), OpenAICompletions(), OpenAIEmbeddings())
}

_BY_ENDPOINT: dict[tuple[bytes, bytes], Dialect] = {
    (b"POST", b"/v1/chat/completions"): _BY_NAME["openai.chat"],
    (b"POST", b"/v1/completions"): _BY_NAME["openai.completions"],
    (b"POST", b"/v1/embeddings"): _BY_NAME["openai.embeddings"],
}


def dialect_named(name: str) -> Dialect:
    """The dialect a span was journalled with; the opaque one for a name of another version."""
    return _BY_NAME.get(name, OPAQUE)


def dialect_for(method: bytes, path: bytes) -> Dialect:
    """What a call speaks, from its method and path."""
    return _BY_ENDPOINT.get((method, path), OPAQUE)
