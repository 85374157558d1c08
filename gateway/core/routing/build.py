"""Routes out of the configuration: aliases followed, fallbacks that are routes taken apart, units the core's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from gateway.core.routing.keyring import KeyRing
from gateway.core.routing.names import CircleError, Meaning, Names
from gateway.core.routing.route import Member, Route, RoutePolicy
from gateway.core.routing.state import Breaker, TargetState
from gateway.settings.routes import Cooldown, ModelRoute, RouteTarget


class Place(NamedTuple):
    """What the data plane knows of a target: what lives on between calls, and what it costs."""

    state: TargetState
    keys: KeyRing
    price: int | None = None
    """Nano-dollars of 1,000 tokens in and 1,000 out; None where it has no price."""


class Stop(NamedTuple):
    """A target of a route before anything is known of it."""

    tier: int
    target: RouteTarget
    """Its `model` is no alias any more."""


class UnroutableError(ValueError):
    """A target that cannot be one; says why and the way out."""


def stops(route: ModelRoute, names: Names, path: tuple[str, ...]) -> list[Stop]:
    """The targets, then each fallback as a tier of its own; a fallback that is a route brings its targets as one tier
    and its fallbacks as the next. A model that is there already is not repeated.

    Raises CircleError and UnroutableError.
    """
    found = [Stop(0, target) for target in _targets(route, names, path)]
    for tier in _fallback_tiers(route, names, path):
        known = {stop.target.model for stop in found}
        new = [target for target in tier if target.model not in known]
        found += [Stop(found[-1].tier + 1, target) for target in new]
    return found


def _targets(route: ModelRoute, names: Names, path: tuple[str, ...]) -> Iterator[RouteTarget]:
    for target in map(as_target, route.targets):
        meaning = names.followed(target.model, path)
        if meaning.route is not None:
            raise UnroutableError(
                f"{target.model} is a route; a target is a model, a route may stand under `fallbacks`"
            )
        yield _named(target, meaning)


def _fallback_tiers(route: ModelRoute, names: Names, path: tuple[str, ...]) -> Iterator[list[RouteTarget]]:
    for target in map(as_target, route.fallbacks):
        meaning = names.followed(target.model, path)
        if meaning.route is None:
            yield [_named(target, meaning)]
            continue
        yield list(_targets(meaning.route, names, meaning.path))
        yield from _fallback_tiers(meaning.route, names, meaning.path)


def as_target(written: RouteTarget | str) -> RouteTarget:
    return RouteTarget(model=written) if isinstance(written, str) else written


def _named(target: RouteTarget, meaning: Meaning) -> RouteTarget:
    values = {name: getattr(target, name) for name in target.__struct_fields__}
    return RouteTarget(**{**values, "model": meaning.name})


def route_of(meaning: Meaning, names: Names, place: Callable[[str], Place]) -> Route:
    """The route of a name, a plain model's included: that has one member and no retries, only other keys.

    `place` is asked for each member's model. `Route.members` are in the order of `stops`.
    Raises CircleError and UnroutableError.
    """
    if meaning.route is None:
        lone = RouteTarget(model=meaning.name)
        return Route(meaning.name, (_member(0, Stop(0, lone), place(meaning.name)),), RoutePolicy())
    members = [
        _member(index, stop, place(stop.target.model))
        for index, stop in enumerate(stops(meaning.route, names, meaning.path))
    ]
    return Route(meaning.name, tuple(members), policy_of(meaning.route))


def _member(index: int, stop: Stop, place: Place) -> Member:
    target = stop.target
    none = target.share == 0
    return Member(
        index=index,
        model=target.model,
        state=place.state,
        keys=place.keys,
        tier=stop.tier,
        weight=0.0 if none else target.weight,
        share=None if none else target.share,
        region=target.region,
        price=place.price,
        context=target.context_tokens,
        first_token_s=target.timeout.first_token_s,
        idle_s=target.timeout.idle_s,
    )


def policy_of(route: ModelRoute) -> RoutePolicy:
    return RoutePolicy(
        strategy=route.strategy,
        sticky=route.sticky,
        region=route.region,
        retries=route.retries,
        backoff_us=round(route.backoff_ms * 1000),
        backoff_max_us=round(route.backoff_max_ms * 1000),
        retry_after_max_us=round(route.retry_after_max_s * 1_000_000),
    )


def breaker_of(cooldown: Cooldown) -> Breaker:
    return Breaker(
        failures=cooldown.failures,
        failure_share=cooldown.failure_share,
        window_us=round(cooldown.window_s * 1_000_000),
        open_us=round(cooldown.open_s * 1_000_000),
        open_max_us=round(max(cooldown.open_s, cooldown.open_max_s) * 1_000_000),
    )


__all__ = [
    "CircleError",
    "Place",
    "Stop",
    "UnroutableError",
    "as_target",
    "breaker_of",
    "policy_of",
    "route_of",
    "stops",
]
