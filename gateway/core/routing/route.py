"""What a route is made of. Everything that can be worked out before a call is, when a route is made."""

from __future__ import annotations

from itertools import accumulate
from typing import Literal

import msgspec

from gateway.core.routing.keyring import KeyRing
from gateway.core.routing.state import TargetState

SECOND = 1_000_000


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A target of a route, or one of its fallbacks."""

    index: int
    """Its place in `Route.members`."""
    model: str
    """As the configuration has it once aliases are followed: `provider/model`, or a model's bare name."""
    state: TargetState
    keys: KeyRing
    tier: int = 0
    """0: a target; 1 and up: fallbacks, in their order."""
    weight: float = 1.0
    """0: only where the others of its tier fail."""
    share: float | None = None
    """Of all calls of its tier, before weights."""
    region: str | None = None
    price: int | None = None
    """Nano-dollars of 1,000 tokens in and 1,000 out; None where it has no price."""
    context: int | None = None
    """Longest input in tokens; None: not known, taken to be enough."""
    first_token_s: float | None = None
    """Longest wait for the first content on this route; None: what its provider says."""
    idle_s: float | None = None


class RoutePolicy(msgspec.Struct, frozen=True, kw_only=True):
    strategy: Literal["weighted", "latency", "cost", "ordered"] = "weighted"
    sticky: Literal["none", "session", "cache_key"] = "none"
    region: str | None = None
    retries: int = 0
    """Attempts after the first; each fallback adds one."""
    rotations: int = 2
    """Attempts with another key after a 401, 402, 403 or 429; they do not count as retries."""
    backoff_us: int = 200_000
    backoff_max_us: int = 5 * SECOND
    retry_after_max_us: int = 10 * SECOND


class Ask(msgspec.Struct):
    """What of a call matters for where it goes; None where it says nothing."""

    session: str | None = None
    cache_key: str | None = None
    """What the client calls its prompt cache; a session will do where it names none."""
    region: str | None = None
    tokens: int | None = None
    """About how long the input is."""


class Choice(msgspec.Struct, frozen=True):
    member: int
    key: int
    """Place in the provider's list of keys."""
    wait_us: int
    """Not to be sent before."""
    why: str


class Route:
    """A name, its members and how they are chosen from. Immutable; what changes is in the members' states."""

    __slots__ = (
        "cumulative",
        "fallbacks",
        "first_states",
        "is_lone",
        "is_plain",
        "members",
        "name",
        "policy",
        "tiers",
        "why",
    )

    def __init__(self, name: str, members: tuple[Member, ...], policy: RoutePolicy) -> None:
        """`members` is not empty, and in the order of their tiers and indexes."""
        self.name = name
        self.members = members
        self.policy = policy
        self.tiers = tuple(
            tuple(m.index for m in members if m.tier == tier) for tier in sorted({m.tier for m in members})
        )
        first = [members[index] for index in self.tiers[0]]
        self.first_states = tuple(m.state for m in first)
        self.fallbacks = len(members) - len(first)
        self.is_lone = len(members) == 1
        self.is_plain = (
            policy.strategy == "weighted"
            and policy.sticky == "none"
            and not any(m.region is not None or m.context is not None for m in first)
        )
        """Whether nothing but weights decides, so that the first choice is one draw."""
        weights = fractions(first)
        self.cumulative = list(accumulate(weights))
        self.why = tuple(f"weight: {100 * weight:.3g} % of calls" for weight in weights)

    def __repr__(self) -> str:
        return f"Route({self.name}: {', '.join(m.model for m in self.members)})"


def fractions(members: list[Member]) -> list[float]:
    """Each one's part of the calls by shares and weights; adds up to 1. Shares come first, weights divide the rest;
    where nothing but zeros is left, they count the same."""
    shares = [m.share for m in members if m.share is not None]
    weights = sum(m.weight for m in members if m.share is None)
    unshared = len(members) - len(shares)
    rest = max(0.0, 1 - sum(shares))
    if not unshared or (not weights and sum(shares) > 0):
        total = sum(shares)
        return [(m.share or 0) / total if total else 1 / len(members) for m in members]
    scale = (1 - rest) / sum(shares) if sum(shares) else 0.0
    return [
        m.share * scale if m.share is not None else rest * (m.weight / weights if weights else 1 / unshared)
        for m in members
    ]
