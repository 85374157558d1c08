"""Where calls go as it stands now: every route with its targets, as one worker's data plane measures them."""

from __future__ import annotations

import msgspec

from gateway.control.state import Routing
from gateway.core.routing import Ask, Explained, Member, Route, explain


class TargetView(msgspec.Struct):
    """A member of a route as it stands now, in the order in which it would most likely be tried."""

    provider: str
    model: str
    tier: int
    """0: a target; 1 and up: fallbacks."""
    state: str
    """`closed`, `open`, `half-open`, `probing` or `resting`."""
    ready_in_ms: float
    """Until it is tried while others are live; 0 when it is live."""
    chance: float
    """Of being tried first."""
    why: str
    in_flight: int
    latency_ms: float | None
    """To the first byte, averaged; null until it is measured."""
    keys: int
    keys_ready: int
    weight: float
    share: float | None
    region: str | None
    price_usd: float | None
    """1,000 tokens in and 1,000 out; null without a price."""


class RouteView(msgspec.Struct):
    name: str
    strategy: str
    sticky: str
    region: str | None
    retries: int
    targets: list[TargetView]


def route_views(routing: Routing) -> list[RouteView]:
    """Every route as it stands now, for a call that asks for nothing in particular."""
    return [route_view(route, Ask(), routing) for route in routing.all()]


def route_view(route: Route, ask: Ask, routing: Routing) -> RouteView:
    policy = route.policy
    return RouteView(
        name=route.name,
        strategy=policy.strategy,
        sticky=policy.sticky,
        region=policy.region,
        retries=policy.retries,
        targets=[
            _target(found, route.members[found.member], routing.names(route.members[found.member]))
            for found in explain(route, ask, routing.now_us())
        ],
    )


def _target(found: Explained, member: Member, names: tuple[str, str]) -> TargetView:
    return TargetView(
        provider=names[0],
        model=names[1],
        tier=found.tier,
        state=found.state,
        ready_in_ms=found.ready_in_us / 1000,
        chance=round(found.chance, 6),
        why=found.why,
        in_flight=found.in_flight,
        latency_ms=None if found.ewma_us is None else round(found.ewma_us / 1000, 3),
        keys=found.keys,
        keys_ready=found.keys_ready,
        weight=member.weight,
        share=member.share,
        region=member.region,
        price_usd=None if member.price is None else member.price / 1e9,
    )
