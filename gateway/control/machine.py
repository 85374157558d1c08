"""How all workers of the machine are, together, for those who operate it: counts summed, providers as all met them.

What each has of its own (its start, its measurements of routes) is that of the worker that was asked.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gateway.control.fleet import Question
from gateway.control.route_view import RouteView, route_views
from gateway.control.state import AppState
from gateway.control.vitals import SAMPLE_S, ProcessView, Sample
from gateway.core.health import ProviderHealth


class Provider(msgspec.Struct, frozen=True):
    health: ProviderHealth
    connections: int | None
    """Open, idle ones included; None where there is no data plane."""
    limit: int | None


class Working(msgspec.Struct, frozen=True):
    """Of one worker, or of several together."""

    in_flight: int
    client_connections: int
    providers: dict[str, Provider]
    samples: list[Sample]
    """Of the last hour, the oldest first."""


class Own(msgspec.Struct, frozen=True):
    """What only the worker that was asked knows."""

    worker: int
    started_at: int
    """µs UTC."""
    working: Working
    routes: list[RouteView]
    processes: list[ProcessView]
    """Of the whole installation, as this worker sampled them."""


WORKING = Question("working", type(None), Working)


def own_working(state: AppState) -> Working:
    pools = state.pools() if state.pools is not None else {}
    return Working(
        in_flight=state.counters.in_flight,
        client_connections=state.counters.client_connections,
        providers={
            name: Provider(health, *pools.get(name, (None, None))) for name, health in state.provider_health().items()
        },
        samples=list(state.vitals.samples) if state.vitals is not None else [],
    )


def own_in(state: AppState) -> Own:
    """Of this process, or as the worker that was asked told."""
    if state.own is not None:
        return state.own()
    return Own(
        worker=state.worker,
        started_at=state.started_at,
        working=own_working(state),
        routes=route_views(state.routing) if state.routing is not None else [],
        processes=list(state.vitals.processes) if state.vitals is not None else [],
    )


async def all_working(state: AppState, own: Own) -> Working:
    """Of all that answer; `own` is not asked again."""
    said = await state.fleet.ask(WORKING, None, but=own.worker)
    return _together([own.working, *said.values()]) if said else own.working


def _together(workers: list[Working]) -> Working:
    names = dict.fromkeys(name for each in workers for name in each.providers)
    seen = {name: [each.providers[name] for each in workers if name in each.providers] for name in names}
    own, *others = workers
    return Working(
        in_flight=sum(each.in_flight for each in workers),
        client_connections=sum(each.client_connections for each in workers),
        providers={name: _provider(each) for name, each in seen.items()},
        samples=_samples(own.samples, [each.samples for each in others]),
    )


def _provider(seen: list[Provider]) -> Provider:
    """It fails when it fails any of them; its last answer is the last that any of them got."""
    last = max((each.health for each in seen), key=lambda health: health.last_at or 0)
    health = msgspec.structs.replace(
        last,
        calls=sum(each.health.calls for each in seen),
        failures=sum(each.health.failures for each in seen),
        failures_in_a_row=max(each.health.failures_in_a_row for each in seen),
    )
    return Provider(health, _sum(each.connections for each in seen), _sum(each.limit for each in seen))


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _samples(own: list[Sample], others: list[list[Sample]]) -> list[Sample]:
    """This worker's moments, each with what the others were at within the same ten seconds. Journal and recorder are
    the same for all."""
    by_moment = [{_moment(sample): sample for sample in each} for each in others]
    found = []
    for sample in own:
        same = [sample, *(each[_moment(sample)] for each in by_moment if _moment(sample) in each)]
        found.append(
            msgspec.structs.replace(
                sample,
                in_flight=sum(each.in_flight for each in same),
                client_connections=sum(each.client_connections for each in same),
                calls=sum(each.calls for each in same),
                loop_lag_us=max(each.loop_lag_us for each in same),
            )
        )
    return found


def _moment(sample: Sample) -> int:
    return sample.at // round(SAMPLE_S * 1_000_000)
