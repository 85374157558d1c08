"""Where a call goes, and where it goes next when that fails. Pure: the clock and the dice are passed in.

A *route* is a name with *members*: targets (tier 0) and ordered fallbacks. A *course* is one call's way through it:
`first`, then `next` with each *outcome*, until a member answers or the course gives up. What outlives a call is in the
members: a *target state* (how quick, how busy, its circuit) and a *key ring* (whose turn, who rests). `odds` says how
likely each member is; the choice draws from it and `explain` shows it, so that they cannot differ. *Names* follows what
`models` of the configuration says, and `build` makes routes of it.
"""

from __future__ import annotations

from gateway.core.routing.build import Place, breaker_of, route_of
from gateway.core.routing.course import Course
from gateway.core.routing.explain import Explained, explain
from gateway.core.routing.keyring import KeyRing
from gateway.core.routing.names import CircleError, Meaning, Names
from gateway.core.routing.outcome import Outcome, Verdict, judge
from gateway.core.routing.retry_after import retry_after_us
from gateway.core.routing.route import Ask, Choice, Member, Route, RoutePolicy
from gateway.core.routing.state import Breaker, TargetState

__all__ = [
    "Ask",
    "Breaker",
    "Choice",
    "CircleError",
    "Course",
    "Explained",
    "KeyRing",
    "Meaning",
    "Member",
    "Names",
    "Outcome",
    "Place",
    "Route",
    "RoutePolicy",
    "TargetState",
    "Verdict",
    "breaker_of",
    "explain",
    "judge",
    "retry_after_us",
    "route_of",
]
