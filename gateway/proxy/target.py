"""Where a call can go: a provider, a model there, and what a model's name stands for; ready for use."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from gateway.core.health import ProviderHealth
from gateway.core.providers import Evidence
from gateway.core.routing import KeyRing, Route
from gateway.proxy.pool import Pool
from gateway.proxy.signing import Signer
from gateway.settings import Timeout

_FROM_ROOT = (b"/openai/", b"/v1/projects/", b"/v1beta1/projects/")
"""How paths of Azure and Vertex begin that are meant from the host's root."""


class Upstream(msgspec.Struct, frozen=True):
    """A provider, ready to be called."""

    name: str
    pool: Pool
    path_prefix: bytes
    """What comes before the client's path, e.g. `/openai` or an absolute `http://…` through a proxy."""
    root: bytes
    """What comes before a path that is beside the base URL's, as Azure's deployments are beside its `/openai/v1`."""
    drops: bytes
    """What clients put before a path and its base URL stands for: OpenAI's `/v1`, Gemini's `/v1beta` on Vertex."""
    head: bytes
    """Header lines of every request: host, and what the configuration adds."""
    key_lines: tuple[bytes, ...]
    """The header line of each of its keys; one empty line where it needs none."""
    keys: KeyRing
    """Which of them to use next."""
    speaks: frozenset[str]
    """Families of dialects it understands; empty for all."""
    timeout: Timeout
    drains: bool
    asks_usage: bool
    strips_metadata: bool
    price_provider: str
    health: ProviderHealth
    signer: Signer | None = None
    """Makes the header lines that carry credentials, for each attempt anew, where a key does not do."""
    evidence: Evidence | None = None
    """Where its answers say what they cost."""

    def __repr__(self) -> str:
        return f"Upstream({self.name})"

    def target(self, path: bytes, query: bytes) -> bytes:
        """The request target for the client's path (`/v1/chat/completions`)."""
        if path.startswith(_FROM_ROOT):
            target = self.root + path
        elif self.drops and path.startswith(self.drops + b"/"):
            target = self.path_prefix + path[len(self.drops) :]
        else:
            target = self.path_prefix + path
        return target + b"?" + query if query else target


class Target(msgspec.Struct, frozen=True):
    """One place a call can go: a provider and the model's name there (None for calls without a model)."""

    upstream: Upstream
    model: str | None
    name: str
    """`provider/model`, for permissions."""
    head: bytes
    """Header lines of every answer from here."""
    head_alone: bytes
    """The same with those of a call that was tried once and asked no cache."""
    model_json: msgspec.Raw
    """The model's name as a JSON string."""
    timeout: Timeout
    first_token_s: float | None = None
    """Within which a stream must say something, where there is another target to turn to."""


class Way(msgspec.Struct, frozen=True):
    """What a model's name stands for."""

    targets: tuple[Target, ...]
    """By `routing.Member.index`."""
    route: Route
    lone: Target | None
    """Set where there is nothing to choose and nothing to repeat: one target, one key, no retry."""


def target_of(upstream: Upstream, model: str | None) -> Target:
    head = b"x-callgate-provider: %b\r\n" % upstream.name.encode()
    if model is not None:
        head += b"x-callgate-model: %b\r\n" % _header_value(model)
    name = upstream.name if model is None else f"{upstream.name}/{model}"
    return Target(
        upstream,
        model,
        name,
        head,
        head + b"x-callgate-attempts: 1\r\nx-callgate-cache: bypass\r\n",
        msgspec.Raw(msgspec.json.encode(model)),
        upstream.timeout,
    )


def _header_value(text: str) -> bytes:
    """A client's text as a header value: what could break out of one is percent-encoded."""
    return quote(text, safe="/:@._-+ ").encode("ascii")[:500]
