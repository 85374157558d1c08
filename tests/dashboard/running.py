"""What an installation has only while it runs, made up: samples of the last hour, health, circuits, dead letters, and
what fires."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from math import exp
from types import SimpleNamespace
from typing import Any

import msgspec

from gateway.control.alerts_kept import BOOK, BOOK_ID, NOTICE, RULE, Book, Kept, Sending, watch_key
from gateway.control.configuration import remember
from gateway.control.processes import ProcessUse
from gateway.control.state import PoolUse
from gateway.control.vitals import ProcessView, Sample
from gateway.core.alerts.notice import of_change
from gateway.core.alerts.watch import Watch
from gateway.core.health import ProviderHealth, RecorderHealth
from gateway.core.routing import Breaker, KeyRing, Member, Outcome, Route, RoutePolicy, TargetState, judge
from gateway.core.span import Span
from gateway.recorder.deadletter import DeadLetter, DeadLetters
from gateway.settings import Log, Provider, Settings
from gateway.settings.alerts import AlertRule
from gateway.store import open_store
from gateway.store.base import SpanWrite
from tests.dashboard.installation import Installation

SECOND = 1_000_000
CLOCK_US = 1_000 * SECOND
"""What the targets' clock says."""


def dress(made: Installation, *, letters: int = 2) -> None:
    state: Any = made.app.state.callgate
    now_us = made.now_us
    made.recorder = RecorderHealth(
        state="running", updated_at=2**61, lag_us=912_000, backlog_bytes=14_200, rows_per_s=9.4, written=176_845
    )
    state.counters = SimpleNamespace(in_flight=37, client_connections=41)
    state.vitals = SimpleNamespace(samples=samples(now_us), processes=process_views(now_us))
    state.provider_health = provider_health
    state.pools = lambda: {
        name: PoolUse(open_, 4096) for name, open_ in (("openai", 22), ("anthropic", 9), ("demo", 0))
    }
    state.routing = SimpleNamespace(all=lambda: [route()], names=names, now_us=lambda: CLOCK_US)
    state.data = made.folder
    if letters:
        DeadLetters(made.folder).add(letter(now_us, number) for number in reversed(range(letters)))
    with ThreadPoolExecutor(1) as pool:  # the main thread may have the event loop of a browser
        pool.submit(asyncio.run, keep_versions(made)).result()
        pool.submit(asyncio.run, keep_alerts(made)).result()


def samples(now_us: int) -> list[Sample]:
    """An hour, ten seconds apart; half an hour ago the store was slow for a few minutes."""
    made = []
    for index in range(360):
        wave = exp(-(((index - 180) / 14) ** 2))
        made.append(
            Sample(
                at=now_us - (360 - index) * 10 * SECOND,
                in_flight=30 + (index * 7) % 11,
                client_connections=41,
                calls=index * 23,
                backlog_bytes=round(wave * 1_900_000) + (index * 97) % 9_000,
                recorder_lag_us=round(wave * 40 * SECOND) + 900_000,
                rows_per_s=9.0 + (index % 5) / 3,
                loop_lag_us=400 + (index * 31) % 900,
            )
        )
    return made


def process_views(now_us: int) -> list[ProcessView]:
    day = 86_400 * SECOND
    uses = (
        ("worker 0", 311, 0.031, 48_000_000, 6),
        ("worker 1", 312, None, 47_000_000, 6),
        ("recorder", 313, 0.012, 71_000_000, 2),
    )
    return [
        ProcessView(ProcessUse(n, pid, 1.0, memory, now_us - days * day), cpu) for n, pid, cpu, memory, days in uses
    ]


def provider_health() -> dict[str, ProviderHealth]:
    return {
        "openai": ProviderHealth(calls=4986, failures=5),
        "anthropic": ProviderHealth(calls=1702, failures=73, failures_in_a_row=1, last_error="upstream_error"),
        "mistral": ProviderHealth(calls=19, failures=3, failures_in_a_row=3, last_error="timeout"),
        "demo": ProviderHealth(),
    }


def route() -> Route:
    """The second of its targets has failed often enough to be left alone."""
    broken = TargetState(Breaker(failures=2, open_us=24 * SECOND))
    for _ in range(2):
        broken.began(CLOCK_US)
        broken.ended(CLOCK_US, None, judge(Outcome(None, "connect")))
    members = (
        Member(index=0, model="openai/gpt-5", state=TargetState(), keys=KeyRing(2), weight=9),
        Member(index=1, model="anthropic/claude-sonnet-4-5", state=broken, keys=KeyRing(1)),
        Member(index=2, model="openrouter/openai/gpt-5", state=TargetState(), keys=KeyRing(1), tier=1),
    )
    return Route("smart", members, RoutePolicy(retries=2))


def names(member: Member) -> tuple[str, str]:
    provider, _, model = member.model.partition("/")
    return provider, model


def letter(now_us: int, number: int) -> DeadLetter:
    span = Span(
        request_id=f"01a02c31-09be-7d1{number}-8000-000000007d10",
        kind="llm",
        started_at=now_us - (number + 8) * 60 * SECOND,
        status_code=200,
        model="gpt-5",
        cost_nanousd=2**60,
    )
    return DeadLetter(span.started_at, "cost_nanousd is out of range: 1152921504606846976", SpanWrite(span))


async def keep_versions(made: Installation) -> None:
    store = open_store(Settings().store.url, made.folder)
    await store.connect()
    providers = {"openai": Provider(api_key="sk-never-shown"), "local": Provider(base_url="http://me:secret@host/v1")}
    first = Settings(providers=providers)
    changed = msgspec.structs.replace(first, log=Log(retention_days=90, payloads="preview"))
    for hours, settings in ((200, first), (3, changed)):
        await remember(store, settings, "/etc/callgate.yaml", "0.1.0", made.now_us - hours * 3600 * SECOND)
    await store.close()


async def keep_alerts(made: Installation) -> None:
    """A rule that fires for one provider, one that did for a while this morning, and what was said of both."""
    minute = 60 * SECOND
    errors = AlertRule(name="provider-errors", metric="error_rate", above=5, each="provider", severity="error")
    spend = AlertRule(name="spend-of-an-hour", metric="cost_usd", above=40, window_min=60)
    began = made.now_us - 37 * minute
    fires = Watch(firing=True, since_us=began, value=22.5, incident="i-2", told=True)
    was = Watch(firing=True, since_us=began - 300 * minute, value=48.2, incident="i-1", told=True)
    said = (
        (of_change(spend, "", "firing", None, was, 48.2, was.since_us), "sent", None),
        (of_change(spend, "", "resolved", was, None, 31.0, was.since_us + 54 * minute), "sent", None),
        (of_change(errors, "anthropic", "firing", None, fires, 12.1, began), "failed", "the server answered 503"),
    )
    book = Book(looked_at_us=made.now_us - 9 * SECOND, watches={watch_key(errors.name, "anthropic"): fires})
    book.readings = {errors.name: {"anthropic": 22.5, "openai": 1.2}, spend.name: {"": 31.0}}
    store = open_store(Settings().store.url, made.folder)
    await store.connect()
    for rule in (errors, spend):
        await store.put_document(RULE, rule.name, msgspec.json.encode(rule))
    for notice, state, error in said:
        kept = Kept(notice, {"on-call": Sending(state=state, attempts=1, at_us=notice.at_us, error=error)})
        await store.put_document(NOTICE, notice.at_us_id, msgspec.json.encode(kept))
    await store.put_document(BOOK, BOOK_ID, msgspec.json.encode(book))
    await store.close()
