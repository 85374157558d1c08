"""The Operations page: whether this installation is well, what its providers do, and what it runs with.

Figures of calls are of the period, from rollups; what is said of a process is of the worker that answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.health import store_health
from gateway.api.operations import newest_letters, process_records, provider_views, retry_letters
from gateway.control.configuration import Configuration, Difference, differences, version, versions
from gateway.control.machine import Own, all_working, own_in
from gateway.dashboard import urls
from gateway.dashboard.alerts import Watched, watched
from gateway.dashboard.charts import Chart, duration_label
from gateway.dashboard.distribution import Histogram, histogram
from gateway.dashboard.format import Figure, count, duration, full, plural, short_id
from gateway.dashboard.notices import of_parts
from gateway.dashboard.operations_parts import (
    Fact,
    Now,
    OpsStat,
    ProcessRow,
    ProviderRow,
    TargetRow,
    journal_chart,
    process_rows,
    provider_rows,
    stats,
    store_facts,
    target_rows,
    when,
)
from gateway.dashboard.overview import NoticeRow
from gateway.dashboard.render import respond
from gateway.dashboard.view import Shell, View, make_shell, open_view
from gateway.errors import StoreError
from gateway.recorder.deadletter import DeadLetter
from gateway.recorder.retry import Outcome
from gateway.store.base import Bucket, Profile, Stats

LETTERS_SHOWN = 20
VERSIONS_SHOWN = 8


@dataclass(frozen=True)
class LetterRow:
    call: str
    """Short; empty for a piece of a journal."""
    call_title: str
    model: str
    at: str
    at_title: str
    error: str


@dataclass(frozen=True)
class VersionRow:
    number: int
    href: str
    at: str
    at_title: str
    source: str
    gateway_version: str
    changes: str


@dataclass(frozen=True)
class Calls:
    """What the store says of the period."""

    whole: Stats
    buckets: list[Bucket]
    providers: list[Profile]
    curves: dict[str, list[Bucket]]
    overhead: list[int]


@dataclass(frozen=True)
class OperationsPage:
    template: ClassVar[str] = "operations.html"
    shell: Shell
    notices: list[NoticeRow] = field(default_factory=list)
    trouble: str = ""
    outcome: tuple[str, str] = ("", "")
    """(tone, what came of retrying)"""
    stats: list[OpsStat] = field(default_factory=list)
    alerts: Watched | None = None
    """None where nobody watches, or what is watched is in a store that does not answer."""
    providers: list[ProviderRow] = field(default_factory=list)
    width_label: str = ""
    targets: list[TargetRow] = field(default_factory=list)
    overhead: Histogram | None = None
    overhead_note: str = ""
    journal: Chart | None = None
    store: list[Fact] = field(default_factory=list)
    store_ok: bool = True
    store_detail: str = ""
    letters: list[LetterRow] = field(default_factory=list)
    letters_total: Figure = field(default_factory=lambda: count(0))
    letters_more: bool = False
    may_retry: bool = False
    processes: list[ProcessRow] = field(default_factory=list)
    worker: int = 0
    workers: int = 1
    facts: list[Fact] = field(default_factory=list)
    versions: list[VersionRow] = field(default_factory=list)
    export: str = "/api/operations"


@dataclass(frozen=True)
class ConfigurationPage:
    template: ClassVar[str] = "configuration.html"
    shell: Shell
    title: str
    compared: str
    """What it is compared with, in words."""
    facts: list[tuple[str, str]]
    is_current: bool
    before: str
    after: str
    """Links to the neighbours; empty where there is none."""
    has_before: bool
    changes: list[Difference]
    settings: str
    """Laid-out JSON."""
    back: str = urls.OPERATIONS


async def operations_page(request: Request) -> Response:
    return await _respond(request)


async def retry_action(request: Request) -> Response:
    """Answers with the page: asking once more changes nothing."""
    view = open_view(request, path=urls.OPERATIONS)
    return await _respond(request, await retry_letters(view.state, view.principal.actor))


async def _respond(request: Request, outcome: Outcome | None = None) -> Response:
    view = open_view(request, path=urls.OPERATIONS)
    shell = await make_shell(view, "Operations", urls.OPERATIONS)
    state = view.state
    letters, total = await newest_letters(state, LETTERS_SHOWN)
    health = await store_health(state.store)
    trouble, calls, kept, alerts = "", None, [], None
    try:
        calls = await _ask(view)
        alerts = await _alerts(view)
        kept = await versions(state.store, limit=VERSIONS_SHOWN + 1)
    except StoreError as exc:
        trouble = str(exc)
    own = own_in(state)
    working = await all_working(state, own)
    samples, views = working.samples, provider_views(working)
    now = Now(working.in_flight, working.client_connections, state.recorder_health(), total, samples)
    page = OperationsPage(
        shell,
        notices=[NoticeRow(n, "") for n in of_parts(state.journal_health(), now.recorder, now_us=view.now_us)],
        trouble=trouble,
        outcome=_outcome(outcome),
        stats=stats(now, calls.whole, calls.buckets, view.period) if calls else [],
        alerts=alerts,
        providers=provider_rows(
            views,
            calls.providers if calls else [],
            calls.curves if calls else {},
            own.routes,
            view.period,
            {name: _list(view, ("provider", name)) for name in (calls.curves if calls else {})},
        ),
        width_label=view.period.width_label,
        targets=target_rows(own.routes),
        overhead=_overhead(calls) if calls else None,
        overhead_note=_overhead_note(calls.whole) if calls else "",
        journal=journal_chart(samples, view.period, view.now_us),
        store=store_facts(health, state.settings.log),
        store_ok=health.ok,
        store_detail=health.detail,
        letters=[_letter_row(view, letter) for letter in letters],
        letters_total=count(total),
        letters_more=total > len(letters),
        may_retry=view.principal.role == "admin" and total > 0,
        processes=process_rows(
            process_records(own.processes),
            [each.use.started_at for each in own.processes],
            view.period,
            view.now_us,
        ),
        worker=own.worker,
        workers=state.settings.server.workers,
        facts=_facts(view, own),
        versions=_version_rows(view, kept),
    )
    return respond(page, 503 if trouble else 200)


async def _ask(view: View) -> Calls:
    """One after the other: the store has few readers, and a page must not take them all."""
    store, period, which = view.state.store, view.period, view.which()
    width, zone = period.width_us, period.zone.key
    providers = await store.profiles(which, "provider")
    names = [profile.key for profile in providers if profile.key]
    return Calls(
        await store.stats(which),
        await store.buckets(which, width_us=width, time_zone=zone),
        providers,
        await store.curves(which, "provider", names, width_us=width, time_zone=zone),
        await store.overhead_counts(which),
    )


async def _alerts(view: View) -> Watched | None:
    if view.state.alerts is None:
        return None
    return await watched(view.state.alerts, lambda at: when(at, view.now_us, view.period), view.now_us)


def _overhead(calls: Calls) -> Histogram | None:
    overhead = calls.whole.overhead
    return histogram(
        "overhead-histogram",
        f"What the gateway adds to a call: {_overhead_note(calls.whole)}.",
        calls.overhead,
        duration_label,
        (("p50", overhead.p50), ("p99", overhead.p99)),
    )


def _overhead_note(whole: Stats) -> str:
    overhead = whole.overhead
    if not overhead.count:
        return ""
    return f"{plural(overhead.count, 'call')}; p50 {duration(overhead.p50)}, p99 {duration(overhead.p99)}"


def _outcome(outcome: Outcome | None) -> tuple[str, str]:
    if outcome is None:
        return "", ""
    if outcome.problem is not None:
        return "error", f"Nothing was changed: {outcome.problem}"
    stored = (
        f"{plural(outcome.stored, 'row')} of them are in the store now" if outcome.stored else "None could be stored"
    )
    return ("warning" if outcome.left else "success"), f"{stored}, {outcome.left:,} stay."


def _letter_row(view: View, letter: DeadLetter) -> LetterRow:
    span = letter.row.span if letter.row is not None else None
    return LetterRow(
        call=short_id(span.request_id) if span else "",
        call_title=span.request_id if span else "",
        model=(span.model or span.model_requested or "–") if span else "–",
        at=when(letter.at, view.now_us, view.period),
        at_title=full(letter.at, view.period.zone),
        error=letter.error,
    )


def _facts(view: View, own: Own) -> list[Fact]:
    state = view.state
    started = Figure((("main", full(own.started_at, view.period.zone)),))
    workers = f"{state.settings.server.workers}; routes as worker {own.worker} has them"
    return [
        Fact("Version", Figure((("main", state.version),))),
        Fact("Started", started),
        Fact("Configuration", Figure((("main", state.settings_source),)), is_mono=True),
        Fact("Workers", Figure((("main", workers),))),
    ]


def _version_rows(view: View, kept: list[Configuration]) -> list[VersionRow]:
    before = {each.number: each for each in kept}
    rows = []
    for each in kept[:VERSIONS_SHOWN]:
        was = before.get(each.number - 1)
        changes = "the first" if was is None else plural(len(differences(was, each)), "change")
        rows.append(
            VersionRow(
                each.number,
                urls.configuration(each.number),
                when(each.at, view.now_us, view.period),
                full(each.at, view.period.zone),
                each.source,
                each.gateway_version,
                changes,
            )
        )
    return rows


def _list(view: View, *plus: tuple[str, str]) -> str:
    """The rows behind a figure."""
    return urls.requests((*view.filters.narrowed(plus), *view.period.query.items()))


# ------------------------------------------------------------------------------------------------ configuration


async def configuration_page(request: Request) -> Response:
    view = open_view(request, path=urls.OPERATIONS)
    text = request.path_params["number"]
    found = await version(view.state.store, int(text)) if text.isdecimal() and len(text) < 10 else None
    if found is None:
        raise HTTPException(404, "There is no such version of the configuration.")
    store = view.state.store
    before = await version(store, found.number - 1)
    after = await version(store, found.number + 1)
    page = ConfigurationPage(
        await make_shell(view, f"Configuration {found.number}", urls.OPERATIONS, has_period=False),
        f"Configuration {found.number}",
        f"against version {before.number}" if before else "the version before is not kept",
        [
            ("In force from", full(found.at, view.period.zone)),
            ("Until", "now" if after is None else full(after.at, view.period.zone)),
            ("Read from", found.source),
            ("Gateway", found.gateway_version),
        ],
        is_current=after is None,
        before=urls.configuration(found.number - 1) if before else "",
        after=urls.configuration(found.number + 1) if after else "",
        has_before=before is not None,
        changes=differences(before, found),
        settings=msgspec.json.format(msgspec.json.encode(found.settings), indent=2).decode(),
    )
    return respond(page)
