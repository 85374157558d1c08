"""A provider as the translator sees it: all that a translated call needs to know, and nothing of it from the client."""

from __future__ import annotations

import msgspec

from gateway.settings import Provider, Timeout

VENDORS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "cohere": "cohere_chat",
    "bedrock": "bedrock",
    "ollama": "ollama_chat",
}
"""What litellm calls who speaks a dialect. A dialect that is not here is no translation's end."""


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """One provider's settings. Equal ones share connections; a change makes another. Holds secrets: no `repr`."""

    name: str
    dialect: str
    """A word of `VENDORS`."""
    base_url: str
    headers: tuple[tuple[str, str], ...] = ()
    timeout: Timeout = Timeout()
    max_connections: int = 4096
    verify_tls: bool = True
    proxy: str | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None
    aws_session_token: str | None = None
    region: str | None = None

    def __repr__(self) -> str:
        return f"Backend({self.name}, {self.dialect})"

    @property
    def on_vertex(self) -> bool:
        """Whether it is Gemini's surface on Vertex, which takes a bearer token in place of a key."""
        return self.base_url.endswith("/publishers/google")

    @property
    def vendor(self) -> str:
        """litellm's name for the provider's dialect."""
        return VENDORS[self.dialect]


def backend_of(name: str, provider: Provider, dialect: str, proxy: str | None) -> Backend:
    """`provider` complete, `proxy` the URL that its connections go through."""
    return Backend(
        name=name,
        dialect=dialect,
        base_url=(provider.base_url or "").rstrip("/"),
        headers=tuple(sorted(provider.headers.items())),
        timeout=provider.timeout,
        max_connections=provider.max_connections,
        verify_tls=provider.verify_tls,
        proxy=proxy,
        aws_access_key_id=provider.aws_access_key_id,
        aws_secret_access_key=provider.aws_secret_access_key,
        aws_session_token=provider.aws_session_token,
        region=provider.region,
    )
