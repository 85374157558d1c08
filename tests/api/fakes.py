"""A store in memory that computes everything the naive way, believable spans, and an application around the API."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from gateway.api import RULES, AccessMiddleware, routes
from gateway.api.access import DELEGATED, Rule
from gateway.api.matching import is_unpriced, matches, succeeded
from gateway.control.alerts import Alerts
from gateway.control.identity import Identity
from gateway.control.privacy import Policies
from gateway.control.state import AppState
from gateway.core.health import JournalHealth, RecorderHealth
from gateway.core.key import Key
from gateway.core.span import Attempt, Payload, Span, ToolCall
from gateway.core.stored import StoredRow
from gateway.errors import StoreError
from gateway.settings import ApiKey, Settings
from gateway.store.base import (
    Distribution,
    Group,
    Page,
    SpanDetail,
    SpanFilter,
    Stats,
    StoreHealth,
    TagKey,
    TagValue,
    Tail,
    Totals,
)
from gateway.store.documents import AuditEntry
from pricing.usage import Usage
from tests.store.memory_documents import MemoryControl
from tests.store.naive import as_stored, value_of

SECRET = b"s" * 32
SECOND = 1_000_000
HOUR = 3600 * SECOND
NOW = time.time_ns() // 1000 // SECOND * SECOND

TOKENS = {
    "admin": "cg-admin-admin-admin",
    "viewer": "cg-viewer-viewer-viewer",
    "acme": "cg-acme-viewer-viewer",
    "app": "cg-app-app-app-app-app",
    "staging": "cg-staging-viewer-view",
}
KEYS = [
    ApiKey(name="admin", key=TOKENS["admin"], role="admin"),
    ApiKey(name="viewer", key=TOKENS["viewer"], role="viewer"),
    ApiKey(name="acme", key=TOKENS["acme"], role="viewer", tenant="acme"),
    ApiKey(name="app", key=TOKENS["app"], role="app", tenant="acme"),
    ApiKey(name="staging", key=TOKENS["staging"], role="viewer", environment="staging"),
]
MODELS = {"gpt-5": "openai", "claude-sonnet-4-5": "anthropic", "demo/echo": "demo"}


def span(number: int, at: int, **fields: Any) -> Span:
    """A plain successful call; ids sort by number."""
    return Span(
        **{
            "request_id": f"01a02c4e-0000-7000-8000-{number:012x}",
            "kind": "llm",
            "started_at": at,
            "ended_at": at + 500_000,
            "status_code": 200,
            "model": "gpt-5",
            "provider": "openai",
            "latency_us": 500_000,
            **fields,
        }
    )


def traffic(count: int, *, seed: int = 1, hours: int = 48, until: int = NOW) -> list[Span]:
    """Oldest first: several tenants, models, failures, cancelled, streams, tags, unknown prices."""
    dice = random.Random(seed)
    times = sorted(until - dice.randrange(hours * HOUR) for _ in range(count))
    return [_call(number, at, dice) for number, at in enumerate(times)]


def _call(number: int, at: int, dice: random.Random) -> Span:
    model, provider = dice.choice(list(MODELS.items()))
    tenant = dice.choice(["acme", "globex", None])
    environment = dice.choice(["production", "staging"])
    latency = dice.randrange(50_000, 9_000_000)
    stream = dice.random() < 0.5
    outcome = dice.choices(["ok", "cancelled", "timeout", "interrupted", "rate_limit"], [80, 5, 5, 5, 5])[0]
    status = {"ok": 200, "cancelled": 499, "timeout": 504, "interrupted": None, "rate_limit": 429}[outcome]
    priced = outcome == "ok" and dice.random() < 0.9
    cost = dice.randrange(1_000, 90_000_000) if priced else None
    usage = Usage(input_tokens=dice.randrange(1, 900), output_tokens=dice.randrange(1, 900), cached_input_tokens=3)
    tags = {"feature": dice.choice(["chat", "search"]), "release": f"r{dice.randrange(4)}"}
    if tenant is not None:
        tags["tenantSlug"] = tenant
    return span(
        number,
        at,
        kind="embedding" if dice.random() < 0.1 else "llm",
        ended_at=at + latency,
        tenant=tenant,
        environment=environment,
        key_id="config:app" if tenant == "acme" and dice.random() < 0.5 else "config:admin",
        user=dice.choice(["ann", "ben", None]),
        feature=tags["feature"],
        provider=provider,
        model=model,
        model_requested=model,
        endpoint="POST /v1/chat/completions",
        dialect="openai_chat",
        stream=stream,
        status_code=status,
        error_type=None if outcome == "ok" else outcome,
        error_message=None if outcome == "ok" else f"it went wrong: {outcome}",
        usage=usage if outcome == "ok" else None,
        usage_source="reported" if outcome == "ok" else "none",
        usage_raw=b'{"prompt_tokens": 5}' if outcome == "ok" else None,
        cost_nanousd=cost,
        input_cost_nanousd=None if cost is None else cost // 3,
        output_cost_nanousd=None if cost is None else cost - cost // 3,
        charge_nanousd=None if cost is None else cost * 2,
        cost_source="catalog" if priced else "none",
        latency_us=latency,
        ttft_us=latency // 4 if stream and outcome == "ok" else None,
        overhead_us=dice.randrange(50, 900),
        upstream_us=latency - 1000,
        attempts=[Attempt(provider, model, status, None, at, latency, cost)],
        tool_calls=[ToolCall(name="look_up", id="call_1", arguments='{"q": 1}')] if number % 10 == 0 else None,
        tags=tags,
        input_preview=f"Wie heißt der Bürgermeister Nr. {number}?",
        output_preview="=SUM(A1) keeps its sign",
    )


class FakeStore(MemoryControl):
    """`broken` is the error every question is answered with; `asked` counts questions by name."""

    def __init__(self, spans: Iterable[Span] = (), payloads: Mapping[str, Payload] | None = None) -> None:
        self.rows = list(spans)
        super().__init__()
        self.payloads = dict(payloads or {})
        self.broken: str | None = None
        self.asked: Counter[str] = Counter()

    def add(self, *spans: Span) -> None:
        self.rows += spans

    def _matching(self, question: str, which: SpanFilter) -> list[Span]:
        self._ask(question)
        return [row for row in self.rows if matches(which, row)]

    def _ask(self, question: str) -> None:
        self.asked[question] += 1
        if self.broken:
            raise StoreError(self.broken)

    async def spans(self, which: SpanFilter, *, limit: int, cursor: str | None = None, order: str = "newest") -> Page:
        order_of: dict[str, Callable[[Span], Any]] = {
            "newest": lambda row: (-row.started_at, row.request_id),
            "oldest": lambda row: (row.started_at, row.request_id),
            "slowest": lambda row: (-(row.latency_us or 0), row.request_id),
            "costliest": lambda row: (-(row.cost_nanousd or 0), row.request_id),
        }
        rows = sorted(self._matching("spans", which), key=order_of[order])
        start = int(cursor) if cursor else 0
        if start < 0:
            raise ValueError(f"{cursor!r} is no cursor")
        items = rows[start : start + limit]
        onward = str(start + limit) if start + limit < len(rows) else None
        return Page(items, onward, str(max(start - limit, 0)) if start else None)

    async def span(self, request_id: str) -> SpanDetail | None:
        self._ask("span")
        found = next((row for row in self.rows if row.request_id == request_id), None)
        return None if found is None else SpanDetail(found, self.payloads.get(request_id))

    async def stats(self, which: SpanFilter) -> Stats:
        return naive_stats(self._matching("stats", which))

    async def groups(
        self,
        which: SpanFilter,
        by: str,
        *,
        limit: int = 1000,
        spark_width_us: int | None = None,
        time_zone: str = "UTC",
        among: Sequence[str | None] | None = None,
        latency: bool = True,
    ) -> list[Group]:
        return naive_groups(self._matching("groups", which), by)[:limit]

    async def tag_keys(self) -> list[TagKey]:
        self._ask("tag_keys")
        calls = Counter(key for row in self.rows for key in row.tags)
        return [
            TagKey(key, len({row.tags.get(key) for row in self.rows} - {None}), n) for key, n in calls.most_common()
        ]

    async def tag_values(self, key: str, *, prefix: str = "", limit: int = 200) -> list[TagValue]:
        self._ask("tag_values")
        calls = Counter(row.tags[key] for row in self.rows if key in row.tags and row.tags[key].startswith(prefix))
        return [TagValue(*pair) for pair in calls.most_common(limit)]

    async def field_values(self, field: str, *, prefix: str = "", limit: int = 200) -> list[TagValue]:
        self._ask("field_values")
        column = {"key": "key_id"}.get(field, field)
        calls = Counter(v for row in self.rows if (v := getattr(row, column)) is not None and v.startswith(prefix))
        return [TagValue(*pair) for pair in calls.most_common(limit)]

    async def tail(self, after: int | None, *, limit: int = 500) -> Tail:
        self._ask("tail")
        if after is None or after >= len(self.rows):
            return Tail([], len(self.rows))
        items = [(number + 1, row) for number, row in enumerate(self.rows) if number >= after][:limit]
        return Tail(items, items[-1][0])

    async def export(self, which: SpanFilter, *, page: int = 2000) -> AsyncIterator[list[Span]]:
        rows = sorted(self._matching("export", which), key=lambda row: (-row.started_at, row.request_id))
        for start in range(0, len(rows), page):
            yield rows[start : start + page]

    async def export_rows(self, which: SpanFilter, *, page: int = 2000) -> AsyncIterator[list[StoredRow]]:
        async for spans in self.export(which, page=page):
            yield [as_stored(span) for span in spans]

    async def health(self) -> StoreHealth:
        self._ask("health")
        return StoreHealth(ok=True, latency_us=120, detail="fake 1", size_bytes=4096, spans=len(self.rows))

    async def keys(self) -> Mapping[str, Key]:
        self._ask("keys")
        return await super().keys()

    async def put_key(self, key_hash: str, key: Key, *, audit: AuditEntry | None = None) -> None:
        self._ask("put_key")
        await super().put_key(key_hash, key, audit=audit)

    async def keys_version(self) -> int:
        self._ask("keys_version")
        return await super().keys_version()


# ------------------------------------------------------------------------------------------------ naive totals


def naive_totals(rows: Iterable[Span]) -> Totals:
    totals = Totals()
    for row in rows:
        usage = row.usage or Usage()
        totals.requests += 1
        totals.cancelled += row.error_type == "cancelled"
        totals.errors += not succeeded(row) and row.error_type != "cancelled"
        totals.interrupted += row.error_type == "interrupted"
        totals.unpriced += is_unpriced(row)
        for name in ("cost_nanousd", "input_cost_nanousd", "output_cost_nanousd", "charge_nanousd"):
            setattr(totals, name, getattr(totals, name) + (getattr(row, name) or 0))
        for name in ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens"):
            setattr(totals, name, getattr(totals, name) + (getattr(usage, name) or 0))
        if row.stream and usage.output_tokens and row.latency_us is not None and row.ttft_us is not None:
            totals.generation_us += row.latency_us - row.ttft_us
            totals.generation_tokens += usage.output_tokens
    return totals


def naive_distribution(values: Iterable[int | None]) -> Distribution:
    known = sorted(value for value in values if value is not None)
    if not known:
        return Distribution(0)
    at = {share: known[min(len(known) - 1, int(len(known) * share / 100))] for share in (50, 95, 99)}
    return Distribution(len(known), sum(known) / len(known), known[0], known[-1], at[50], at[95], at[99])


def naive_stats(rows: list[Span]) -> Stats:
    return Stats(
        naive_totals(rows),
        naive_distribution(row.latency_us for row in rows),
        naive_distribution(row.ttft_us for row in rows),
        naive_distribution(row.overhead_us for row in rows),
    )


def naive_groups(rows: list[Span], by: str) -> list[Group]:
    groups: dict[str | None, list[Span]] = {}
    for row in rows:
        groups.setdefault(_group_key(row, by), []).append(row)
    found = [
        Group(key, naive_totals(members), naive_distribution(row.latency_us for row in members if by != "cost_source"))
        for key, members in groups.items()
    ]
    if by in ("day", "hour"):
        return sorted(found, key=lambda group: str(group.key))
    return sorted(found, key=lambda group: -group.totals.cost_nanousd)


def _group_key(row: Span, by: str) -> str | None:
    if by.startswith("tag:") or by in ("provider_model", "prompt_version", "cost_source"):
        return value_of(row, by)
    if by in ("day", "hour"):
        at = datetime.fromtimestamp(row.started_at / SECOND, UTC).replace(minute=0, second=0, microsecond=0)
        return (at.replace(hour=0) if by == "day" else at).isoformat()
    value: str | None = getattr(row, {"key": "key_id"}.get(by, by))
    return value


# ------------------------------------------------------------------------------------------------ the application


def make_state(
    store: Any, folder: Path, *, settings: Settings | None = None, keys: Iterable[ApiKey] = KEYS
) -> AppState:
    settings = settings or Settings()
    identity = Identity(msgspec.structs.replace(settings, keys=list(keys)), SECRET, store, folder)
    return AppState(
        settings=settings,
        settings_source="defaults",
        store=store,
        keyring=identity.keyring,
        sessions=identity.sessions,
        identity=identity,
        catalog=SimpleNamespace(),  # type: ignore[arg-type]  # the API asks it nothing
        counters=SimpleNamespace(
            calls=7,
            in_flight=2,
            rejected=1,
            retried_stale=0,
            client_gone=0,
            upstream_errors=3,
            bytes_in=10,
            bytes_out=20,
            client_connections=4,
            cache_hits=0,
            cache_misses=0,
            cache_bytes=0,
        ),
        journal_health=lambda: JournalHealth(opened=7, closed=5),
        recorder_health=lambda: RecorderHealth(state="running", updated_at=time.time_ns() // 1000, written=5),
        provider_health=dict,
        started_at=NOW,
        version="9.9.9",
        worker=3,
        alerts=Alerts(settings, store),
        data=folder,
        policies=Policies(settings, store),
    )


def make_app(state: AppState, *, more: Iterable[BaseRoute] = (), rules: Iterable[Rule] = ()) -> Starlette:
    app = Starlette(
        routes=[*routes(), *more], middleware=[Middleware(AccessMiddleware, rules=[*RULES, *DELEGATED, *rules])]
    )
    app.state.callgate = state
    return app


async def get(
    app: Starlette, path: str, key: str | None = "admin", method: str = "GET", **options: Any
) -> httpx.Response:
    """One call. `key` names one of `TOKENS`; None sends none."""
    headers = {**({"authorization": f"Bearer {TOKENS[key]}"} if key else {}), **options.pop("headers", {})}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://callgate.test") as client:
        return await client.request(method, path, headers=headers, **options)


def ask(app: Starlette, path: str, key: str | None = "admin", method: str = "GET", **options: Any) -> httpx.Response:
    """One call, in an event loop of its own."""
    return asyncio.run(get(app, path, key, method, **options))


def pages(app: Starlette, path: str, key: str = "admin") -> Iterator[dict[str, Any]]:
    """Every page of a list, by its cursors."""
    cursor = None
    while True:
        page = ask(app, path + (f"&cursor={cursor}" if cursor else ""), key).json()
        yield page
        cursor = page["next_cursor"]
        if cursor is None:
            return
