"""Which member a call goes to, as odds: the choice draws from them, and `explain` shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import log
from typing import NamedTuple

from gateway.core.routing.route import Ask, Member, Route, fractions


class Odds(NamedTuple):
    member: Member
    chance: float
    """Those of one tier add up to 1."""
    why: str


def odds(route: Route, among: Sequence[int], ask: Ask, now_us: int) -> list[Odds]:
    """Of the members `among` (not empty, of one tier, those that may be tried), in their order."""
    members, narrowed = _preferred([route.members[index] for index in among], route, ask)
    if len(members) == 1:
        return [Odds(members[0], 1.0, narrowed or "the only one that is left")]
    binding = bound_to(route, ask)
    if binding is not None:
        chosen, by = _stuck(members, binding), _joined(f"sticky by {route.policy.sticky}", narrowed)
        return [Odds(m, float(m is chosen), by if m is chosen else f"not where it belongs: {by}") for m in members]
    canaries = [m for m in members if m.share]
    others = [m for m in members if not m.share]
    if route.policy.strategy == "weighted" or not canaries or not others:
        return [Odds(m, chance, _joined(why, narrowed)) for m, chance, why in _by(route, members, now_us)]
    rest = max(0.0, 1 - sum(m.share or 0 for m in canaries))
    shared = [Odds(m, (m.share or 0) / max(1.0, sum(c.share or 0 for c in canaries)), "its share") for m in canaries]
    return shared + [Odds(m, rest * chance, _joined(why, narrowed)) for m, chance, why in _by(route, others, now_us)]


def drawn(choices: list[Odds], random: Callable[[], float]) -> Odds:
    """One of them, by their chances."""
    if len(choices) == 1:
        return choices[0]
    left = random()
    for choice in choices:
        left -= choice.chance
        if left < 0:
            return choice
    return max(choices, key=lambda choice: choice.chance)  # what rounding left over


def bound_to(route: Route, ask: Ask) -> str | None:
    """What the call is to stay with; None where nothing binds it."""
    match route.policy.sticky:
        case "session":
            return ask.session
        case "cache_key":
            return ask.cache_key or ask.session
    return None


def unit(*words: str) -> float:
    """A number in (0, 1) that the words decide: the same in every process and on every machine."""
    digest = blake2b("\0".join(words).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 0.5) / 2**64


def _joined(why: str, narrowed: str) -> str:
    return f"{why}, {narrowed}" if narrowed else why


def _preferred(members: list[Member], route: Route, ask: Ask) -> tuple[list[Member], str]:
    """Those that are meant to have calls, are long enough, and in the region that is preferred, where there are any."""
    why = []
    members = [m for m in members if m.weight > 0 or m.share] or members
    if ask.tokens is not None:
        enough = [m for m in members if m.context is None or m.context >= ask.tokens]
        if 0 < len(enough) < len(members):
            members = enough
            why.append(f"takes {ask.tokens} tokens")
    region = ask.region or route.policy.region
    if region is not None:
        there = [m for m in members if m.region == region]
        if 0 < len(there) < len(members):
            members = there
            why.append(f"in {region}")
    return members, " and ".join(why)


def _by(route: Route, members: list[Member], now_us: int) -> list[tuple[Member, float, str]]:
    match route.policy.strategy:
        case "latency":
            return _by_latency(members, now_us)
        case "cost":
            return _by_cost(members)
        case "ordered":
            return [(m, float(m is members[0]), "the first in order") for m in members]
    return [
        (m, part, f"weight: {100 * part:.3g} % of calls") for m, part in zip(members, fractions(members), strict=True)
    ]


def _by_latency(members: list[Member], now_us: int) -> list[tuple[Member, float, str]]:
    """The less loaded of two drawn at random, written as odds: of n, the one with k above it wins that many of the
    n(n-1)/2 pairs; those with the same load win the same."""
    loads = [m.state.load(now_us) for m in members]
    pairs = len(members) * (len(members) - 1) / 2
    found = []
    for member, load in zip(members, loads, strict=True):
        above = sum(other > load for other in loads)
        level = sum(other == load for other in loads) - 1
        ewma = member.state.ewma_us
        measured = "not measured yet" if ewma is None else f"{ewma / 1000:.0f} ms"
        chance = (above + level / 2) / pairs if pairs else 1.0
        found.append((member, chance, f"latency: {measured}, {member.state.in_flight} in flight"))
    return found


def _by_cost(members: list[Member]) -> list[tuple[Member, float, str]]:
    """The cheapest; those that cost the same by weight; what has no price last."""
    least = min((m.price for m in members if m.price is not None), default=None)
    cheapest = [m for m in members if m.price == least]
    parts = {m.index: part for m, part in zip(cheapest, fractions(cheapest), strict=True)}
    return [(m, parts.get(m.index, 0.0), "cost: " + _price(m)) for m in members]


def _price(member: Member) -> str:
    if member.price is None:
        return "no price"
    return f"${member.price / 1e9:.6f} for 1k in and 1k out".replace("000 for", " for")


def _stuck(members: list[Member], binding: str) -> Member:
    """Weighted rendezvous hashing: a member that comes or goes moves only the calls that are or were its own. The share
    of a canary is of sessions, and decided apart, so that they stay its own when other targets change."""
    below = 0.0
    for canary in (m for m in members if m.share):
        below += canary.share or 0
        if unit(binding, "share") < below:
            return canary
    others = [m for m in members if not m.share] or members
    return max(others, key=lambda m: (m.weight or 1) / -log(unit(binding, m.model)))
