"""Where a call would go, with what chance, and what would come after: the same odds that a course draws from."""

from __future__ import annotations

import msgspec

from gateway.core.routing.odds import odds
from gateway.core.routing.route import Ask, Member, Route


class Explained(msgspec.Struct, frozen=True):
    """One member, as it stands now."""

    member: int
    model: str
    tier: int
    state: str
    """`closed`, `open`, `half-open`, `probing` or `resting`."""
    ready_in_us: int
    """Until it is tried again while others are live; 0 when it is live."""
    chance: float
    """Of being the first."""
    why: str
    in_flight: int
    ewma_us: float | None
    """Time to the first byte, averaged; None: not measured yet."""
    keys: int
    keys_ready: int


def explain(route: Route, ask: Ask, now_us: int) -> list[Explained]:
    """The members in the order in which they would most likely be tried."""
    live = [[i for i in tier if route.members[i].state.ready_at_us <= now_us] for tier in route.tiers]
    first = next((tier for tier in live if tier), None)
    found: list[tuple[tuple[float, ...], Explained]] = []
    for place, tier in enumerate(live):
        drawn = {o.member.index: o for o in odds(route, tier, ask, now_us)} if tier else {}
        for index in tier:
            member, chosen = route.members[index], drawn.get(index)
            chance = chosen.chance if chosen else 0.0
            if tier is first:
                why = chosen.why if chosen else _passed_over(member, route, ask)
                shown = _explained(member, now_us, chance, why)
            else:
                shown = _explained(member, now_us, 0.0, f"fallback {member.tier}" if member.tier else "untried")
            found.append(((0, place, -chance, index), shown))
    away = [m for m in route.members if m.state.ready_at_us > now_us]
    least = min(away, key=lambda m: (m.state.ready_at_us, m.index), default=None)
    for member in away:
        chance, why = (
            (1.0, "all are left alone, this one the shortest") if first is None and member is least else (0.0, "")
        )
        why = why or f"left alone: {member.state.named(now_us)}"
        found.append(((1, member.state.ready_at_us, 0, member.index), _explained(member, now_us, chance, why)))
    return [shown for _, shown in sorted(found, key=lambda pair: pair[0])]


def _passed_over(member: Member, route: Route, ask: Ask) -> str:
    if member.weight <= 0 and not member.share:
        return "weight 0: only where the others fail"
    if ask.tokens is not None and member.context is not None and member.context < ask.tokens:
        return f"takes {member.context} tokens, the call has {ask.tokens}"
    return f"not in {ask.region or route.policy.region}"


def _explained(member: Member, now_us: int, chance: float, why: str) -> Explained:
    state = member.state
    return Explained(
        member=member.index,
        model=member.model,
        tier=member.tier,
        state=state.named(now_us),
        ready_in_us=max(0, state.ready_at_us - now_us),
        chance=chance,
        why=why,
        in_flight=state.in_flight,
        ewma_us=state.ewma_us,
        keys=len(member.keys),
        keys_ready=member.keys.ready(now_us),
    )
