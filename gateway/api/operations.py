"""`/api/operations`, `/api/dead-letters`, `/api/configuration`: how this installation is, as the Operations page says.

About what all share: not for who is bound to a tenant or environment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import reader
from gateway.api.filters import grouped, iso_time, parse_limit
from gateway.api.health import store_health
from gateway.api.requests import json_response
from gateway.api.scope import state_of
from gateway.control.configuration import Configuration, differences, version, versions
from gateway.control.keys import now_us
from gateway.control.machine import Working, all_working, own_in
from gateway.control.route_view import RouteView
from gateway.control.state import AppState
from gateway.control.vitals import ProcessView, Sample
from gateway.core.health import JournalHealth, ProviderHealth, RecorderHealth
from gateway.errors import CallError
from gateway.recorder.deadletter import DeadLetter, DeadLetters
from gateway.recorder.retry import Order, Outcome, retry_in_child
from gateway.store.base import StoreHealth
from gateway.store.documents import AuditEntry

LETTERS_SHOWN = 50


class ProviderView(msgspec.Struct):
    """In all workers, each since its start."""

    provider: str
    state: str
    health: ProviderHealth
    connections: int | None
    max_connections: int | None


class ProcessRecord(msgspec.Struct):
    name: str
    pid: int
    cpu_share: float | None
    """Of one core, in the last ten seconds; null until it is known."""
    memory_bytes: int
    started_at: str


class Operations(msgspec.Struct):
    version: str
    worker: int
    workers: int
    started_at: str
    configuration: str
    in_flight: int
    client_connections: int
    journal: JournalHealth
    recorder: RecorderHealth
    store: StoreHealth
    retention_days: int | None
    payload_retention_days: int | None
    providers: list[ProviderView]
    routes: list[RouteView]
    processes: list[ProcessRecord]
    last_hour: list[Sample]


class LetterRecord(msgspec.Struct):
    at: str
    request_id: str | None
    """null for a piece of a journal that could not be read."""
    model: str | None
    error: str


class LetterList(msgspec.Struct):
    items: list[LetterRecord]
    total: int
    next_cursor: None = None
    """Always null: the newest, at most `limit`; `callgate requests deadletter list` prints all."""


class VersionRecord(msgspec.Struct):
    number: int
    at: str
    source: str
    gateway_version: str
    changes: list[dict[str, str | None]]
    """Against the version before: `path`, `before` and `after` as JSON."""
    settings: dict[str, Any]


class VersionList(msgspec.Struct):
    items: list[VersionRecord]
    next_cursor: None = None


async def operations(request: Request) -> Response:
    state = state_of(request)
    log, own = state.settings.log, own_in(state)
    working = await all_working(state, own)
    return json_response(
        Operations(
            version=state.version,
            worker=own.worker,
            workers=state.settings.server.workers,
            started_at=iso_time(own.started_at),
            configuration=state.settings_source,
            in_flight=working.in_flight,
            client_connections=working.client_connections,
            journal=state.journal_health(),
            recorder=state.recorder_health(),
            store=await store_health(state.store),
            retention_days=log.retention_days,
            payload_retention_days=log.payload_retention_days,
            providers=provider_views(working),
            routes=own.routes,
            processes=process_records(own.processes),
            last_hour=working.samples,
        )
    )


def provider_views(working: Working) -> list[ProviderView]:
    return [
        ProviderView(name, each.health.state, each.health, each.connections, each.limit)
        for name, each in working.providers.items()
    ]


def process_records(found: Iterable[ProcessView]) -> list[ProcessRecord]:
    return [
        ProcessRecord(
            view.use.name,
            view.use.pid,
            None if view.cpu_share is None else round(view.cpu_share, 4),
            view.use.memory_bytes,
            iso_time(view.use.started_at),
        )
        for view in found
    ]


# ------------------------------------------------------------------------------------------------ dead letters


async def dead_letters(request: Request) -> Response:
    most = parse_limit(grouped(request.query_params.multi_items(), also=("limit",)), default=LETTERS_SHOWN)
    letters, total = await newest_letters(state_of(request), most)
    return json_response(LetterList([_letter_record(letter) for letter in letters], total))


async def retry_dead_letters(request: Request) -> Response:
    outcome = await retry_letters(state_of(request), reader(request).actor)
    if outcome.problem is not None:
        raise CallError(503, "retry_failed", f"Nothing was changed: {outcome.problem}")
    return json_response(outcome)


async def newest_letters(state: AppState, limit: int) -> tuple[list[DeadLetter], int]:
    """Newest first, and how many there are. In a thread: nobody knows how long the file is."""
    if state.data is None:
        return [], 0
    return await asyncio.to_thread(DeadLetters(state.data).newest, limit)


async def retry_letters(state: AppState, actor: str) -> Outcome:
    if state.data is None:
        return Outcome(problem="this process has no data folder")
    outcome = await retry_in_child(Order(str(state.data), state.settings.store.url, state.settings.privacy.encryption))
    if outcome.problem is None:
        counts = msgspec.json.encode({"stored": outcome.stored, "left": outcome.left})
        await state.store.record(AuditEntry(now_us(), actor, "retried", "dead_letters", "all", after=counts))
    return outcome


def _letter_record(letter: DeadLetter) -> LetterRecord:
    span = letter.row.span if letter.row is not None else None
    model = (span.model or span.model_requested) if span is not None else None
    return LetterRecord(iso_time(letter.at), span.request_id if span is not None else None, model, letter.error)


# ------------------------------------------------------------------------------------------------ configuration


async def configurations(request: Request) -> Response:
    """Newest first; the first is the one in force."""
    most = parse_limit(grouped(request.query_params.multi_items(), also=("limit",)), default=50)
    store = state_of(request).store
    found = await versions(store, limit=most)
    before = {each.number: each for each in found}
    if found and (oldest := await version(store, found[-1].number - 1)) is not None:
        before[oldest.number] = oldest
    return json_response(VersionList([_version_record(each, before.get(each.number - 1)) for each in found]))


def _version_record(of: Configuration, before: Configuration | None) -> VersionRecord:
    changes = [msgspec.structs.asdict(change) for change in differences(before, of)]
    return VersionRecord(of.number, iso_time(of.at), of.source, of.gateway_version, changes, of.settings)
