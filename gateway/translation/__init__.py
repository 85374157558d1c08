"""Translation: a client that speaks one dialect reaches a provider that speaks another.

The translator is an internal provider, as `gateway.demo` is: the gateway's own pool speaks HTTP/1.1 to it over a
socket pair, so that a translated call is a call like any other (limits, routes, booking, streams). Client's dialect in,
client's dialect out; between them stands litellm.

`backend` is where the answer comes from, `connection` the HTTP on the gateway's side, `engine` loads litellm when the
first call needs it, and never before. Only what is in `bridge` knows litellm, httpx and what they cost.
"""

from __future__ import annotations

from gateway.translation.backend import VENDORS, Backend, backend_of
from gateway.translation.connection import Line, Translator
from gateway.translation.engine import Engine, EngineState

__all__ = [
    "FAMILIES",
    "SPOKEN",
    "Backend",
    "Engine",
    "EngineState",
    "Line",
    "Translator",
    "backend_of",
    "can_translate",
]

SPOKEN = frozenset(
    (
        *("openai.chat", "openai.responses", "openai.completions", "openai.embeddings"),
        *("anthropic.messages", "anthropic.tokens", "gemini.generate", "gemini.stream", "gemini.tokens"),
    )
)
"""Names of the dialects that clients may speak to the translator."""

FAMILIES = frozenset(name.partition(".")[0] for name in SPOKEN)


def can_translate(dialect_name: str, provider_dialect: str) -> bool:
    """Whether a call in this dialect can be made to a provider that speaks another."""
    return dialect_name in SPOKEN and provider_dialect in VENDORS
