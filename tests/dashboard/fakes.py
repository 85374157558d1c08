"""A store in memory with believable traffic, and an application around the dashboard: for its tests."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.matching import matches
from gateway.control.alerts import Alerts
from gateway.control.fleet import Fleet
from gateway.control.principal import Principal
from gateway.core.health import JournalHealth, RecorderHealth
from gateway.core.histogram import bucket_of
from gateway.core.span import Attempt, Payload, Span
from gateway.dashboard import exception_handlers, routes
from gateway.errors import StoreError
from gateway.settings import Settings
from gateway.store.base import (
    Bucket,
    Distribution,
    Failure,
    Group,
    Outline,
    Page,
    Profile,
    SpanDetail,
    SpanFilter,
    Stats,
    StoreHealth,
    TagKey,
    TagValue,
    Tail,
    Totals,
)
from pricing import Catalog
from pricing.usage import Usage
from tests.store.memory_documents import MemoryControl
from tests.store.naive import value_of

SECOND = 1_000_000
ADMIN = Principal(None, "operator", "admin", via="session")


UNITS = {"day": 86_400 * SECOND, "hour": 3600 * SECOND}


def _key(span: Span, by: str) -> str | None:
    """Of the group; days and hours are those of UTC."""
    if by in UNITS:
        return datetime.fromtimestamp(span.started_at // UNITS[by] * UNITS[by] / SECOND, UTC).isoformat()
    return value_of(span, by)


class FakeStore(MemoryControl):
    """A SpanReader over a list. `broken` is the error every question is answered with."""

    def __init__(self, spans: Iterable[Span] = (), payloads: dict[str, Payload] | None = None) -> None:
        super().__init__()
        self.rows = sorted(spans, key=lambda span: span.request_id, reverse=True)
        self.payloads = payloads or {}
        self.broken: str | None = None

    def _matching(self, which: SpanFilter) -> list[Span]:
        if self.broken:
            raise StoreError(self.broken)
        return [span for span in self.rows if matches(which, span)]

    async def spans(self, which: SpanFilter, *, limit: int, cursor: str | None = None, order: str = "newest") -> Page:
        rows = self._matching(which)
        orders: dict[str, Callable[[Span], Any]] = {
            "newest": lambda s: s.request_id,
            "oldest": lambda s: s.request_id,
            "slowest": lambda s: (s.latency_us or 0, s.request_id),
            "costliest": lambda s: (s.cost_nanousd or 0, s.request_id),
        }
        rows.sort(key=orders[order], reverse=order != "oldest")
        ids = [span.request_id for span in rows]
        start = 0
        if cursor is not None:
            direction, _, anchor = cursor.partition(":")
            if direction not in ("after", "before") or anchor not in ids:
                raise ValueError(f"{cursor!r} is no cursor")
            at = ids.index(anchor)
            start = at + 1 if direction == "after" else max(0, at - limit)
        items = rows[start : start + limit]
        older = f"after:{items[-1].request_id}" if items and start + limit < len(rows) else None
        newer = f"before:{items[0].request_id}" if items and start > 0 else None
        return Page(items, older, newer)

    async def span(self, request_id: str) -> SpanDetail | None:
        self._matching(SpanFilter())
        found = next((span for span in self.rows if span.request_id == request_id), None)
        payload = self.payloads.get(request_id)
        return None if found is None else SpanDetail(found, payload, payload.redactions if payload else {})

    async def neighbours(self, request_id: str, which: SpanFilter) -> tuple[str | None, str | None]:
        ids = [span.request_id for span in self._matching(which)]
        newer = [id_ for id_ in ids if id_ > request_id]
        older = [id_ for id_ in ids if id_ < request_id]
        return (newer[-1] if newer else None, older[0] if older else None)

    async def count(self, which: SpanFilter, *, at_most: int = 10_000) -> int:
        return min(len(self._matching(which)), at_most + 1)

    async def stats(self, which: SpanFilter) -> Stats:
        return stats_of(self._matching(which))

    async def buckets(
        self,
        which: SpanFilter,
        *,
        width_us: int,
        split: str | None = None,
        among: Sequence[str] | None = None,
        time_zone: str = "UTC",
    ) -> list[Bucket]:
        assert which.from_us is not None
        assert which.to_us is not None
        starts = range(which.from_us, which.to_us, width_us)
        cut: list[list[Span]] = [[] for _ in starts]
        for span in self._matching(which):
            cut[(span.started_at - which.from_us) // width_us].append(span)
        made = []
        for start, rows in zip(starts, cut, strict=True):
            stats = stats_of(rows)
            errors = Counter(span.error_type for span in rows if span.error_type)
            cost: Counter[str] = Counter()
            for span in rows:
                cost[(value_of(span, split) or "") if split else ""] += span.cost_nanousd or 0
            by = {name: amount for name, amount in cost.items() if name and amount and name in (among or (name,))}
            made.append(Bucket(start, stats.totals, stats.latency, stats.ttft, dict(errors), by))
        return made

    async def outline(self, which: SpanFilter, *, width_us: int, time_zone: str = "UTC") -> Outline:
        stats = await self.stats(which)
        buckets = await self.buckets(which, width_us=width_us, time_zone=time_zone)
        return Outline(stats.totals, stats.latency, [(bucket.from_us, bucket.totals) for bucket in buckets])

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
        groups: dict[str | None, list[Span]] = {}
        for span in self._matching(which):
            if among is None or _key(span, by) in among:
                groups.setdefault(_key(span, by), []).append(span)
        made = []
        for key, rows in groups.items():
            stats = stats_of(rows)
            made.append(Group(key, stats.totals, stats.latency, series_of(rows, which, spark_width_us)))
        order = (lambda group: group.key or "") if by in UNITS else lambda group: -group.totals.cost_nanousd
        return sorted(made, key=order)[:limit]

    async def profiles(self, which: SpanFilter, by: str, *, limit: int = 100) -> list[Profile]:
        groups: dict[str | None, list[Span]] = {}
        for span in self._matching(which):
            groups.setdefault(_key(span, by), []).append(span)
        made = [Profile(key, stats_of(rows), counts_of(outputs_of(rows))) for key, rows in groups.items()]
        return sorted(made, key=lambda profile: -profile.whole.totals.cost_nanousd)[:limit]

    async def curves(
        self, which: SpanFilter, by: str, among: Sequence[str], *, width_us: int, time_zone: str = "UTC"
    ) -> dict[str, list[Bucket]]:
        rows = self._matching(which)
        return {
            name: await FakeStore([span for span in rows if _key(span, by) == name]).buckets(which, width_us=width_us)
            for name in among
        }

    async def overhead_counts(self, which: SpanFilter) -> list[int]:
        return counts_of(span.overhead_us for span in self._matching(which))

    async def failures(self, which: SpanFilter, *, limit: int = 10, spark_width_us: int | None = None) -> list[Failure]:
        groups: dict[tuple[Any, ...], list[Span]] = {}
        for span in self._matching(which):
            if span.error_type and span.error_type != "cancelled":
                groups.setdefault((span.error_type, span.status_code, span.provider, span.model), []).append(span)
        made = [
            Failure(
                *key,
                count=len(rows),
                last_at=max(span.started_at for span in rows),
                message=rows[0].error_message,
                series=series_of(rows, which, spark_width_us),
            )
            for key, rows in groups.items()
        ]
        return sorted(made, key=lambda failure: -failure.count)[:limit]

    async def tag_keys(self) -> list[TagKey]:
        calls = Counter(key for span in self.rows for key in span.tags)
        return [TagKey(key, len({s.tags[key] for s in self.rows if key in s.tags}), n) for key, n in calls.items()]

    async def tag_values(self, key: str, *, prefix: str = "", limit: int = 200) -> list[TagValue]:
        calls = Counter(span.tags[key] for span in self.rows if key in span.tags)
        return [TagValue(value, n) for value, n in calls.most_common(limit) if value.startswith(prefix)]

    async def field_values(self, field: str, *, prefix: str = "", limit: int = 200) -> list[TagValue]:
        if self.broken:
            raise StoreError(self.broken)
        calls = Counter(value for span in self.rows if (value := value_of(span, field)) is not None)
        return [TagValue(value, n) for value, n in calls.most_common(limit) if value.startswith(prefix)]

    async def tail(self, after: int | None, *, limit: int = 500) -> Tail:
        return Tail([], len(self.rows))

    async def export(self, which: SpanFilter, *, page: int = 2000) -> AsyncIterator[list[Span]]:
        yield self._matching(which)

    async def health(self) -> StoreHealth:
        return StoreHealth(self.broken is None, 200, "in memory", None, len(self.rows))


def stats_of(rows: Sequence[Span]) -> Stats:
    totals = Totals(requests=len(rows))
    for span in rows:
        usage = span.usage or Usage()
        totals.errors += span.error_type not in (None, "cancelled")
        totals.cancelled += span.error_type == "cancelled"
        totals.interrupted += span.error_type == "interrupted"
        totals.unpriced += span.usage is not None and span.cost_nanousd is None
        totals.cost_nanousd += span.cost_nanousd or 0
        totals.input_cost_nanousd += span.input_cost_nanousd or 0
        totals.output_cost_nanousd += span.output_cost_nanousd or 0
        totals.input_tokens += usage.input_tokens or 0
        totals.output_tokens += usage.output_tokens or 0
        totals.cached_input_tokens += usage.cached_input_tokens or 0
        if span.stream and usage.output_tokens and span.latency_us is not None and span.ttft_us is not None:
            totals.generation_us += span.latency_us - span.ttft_us
            totals.generation_tokens += usage.output_tokens
    return Stats(
        totals,
        distribution(span.latency_us for span in rows),
        distribution(span.ttft_us for span in rows),
        distribution(span.overhead_us for span in rows),
        distribution(outputs_of(rows)),
    )


def outputs_of(rows: Sequence[Span]) -> list[int]:
    """Lengths of the answers that have any."""
    return [span.usage.output_tokens for span in rows if span.usage and span.usage.output_tokens]


def counts_of(values: Iterable[int | None]) -> list[int]:
    """As a store's histograms are."""
    counts: list[int] = []
    for value in values:
        if value is not None:
            counts += [0] * (bucket_of(value) + 1 - len(counts))
            counts[bucket_of(value)] += 1
    return counts


def distribution(values: Iterable[int | None]) -> Distribution:
    known = sorted(value for value in values if value is not None)
    if not known:
        return Distribution(0)
    at = [known[min(len(known) - 1, int(len(known) * q))] for q in (0.5, 0.95, 0.99)]
    return Distribution(len(known), sum(known) / len(known), known[0], known[-1], *at)


def series_of(rows: Sequence[Span], which: SpanFilter, width_us: int | None) -> list[int]:
    if width_us is None or which.from_us is None or which.to_us is None:
        return []
    series = [0] * -(-(which.to_us - which.from_us) // width_us)
    for span in rows:
        series[(span.started_at - which.from_us) // width_us] += 1
    return series


# ------------------------------------------------------------------------------------------------ traffic

MODELS = (  # provider, model, weight, $ per million in and out, typical seconds
    ("openai", "gpt-4o-mini", 30, 0.15, 0.6, 0.5),
    ("openai", "gpt-5", 12, 1.25, 10.0, 4.0),
    ("openai", "gpt-5-mini", 18, 0.25, 2.0, 1.2),
    ("anthropic", "claude-sonnet-4-5", 12, 3.0, 15.0, 6.0),
    ("anthropic", "claude-haiku-4-5", 14, 1.0, 5.0, 1.0),
    ("gemini", "gemini-2.5-flash", 12, 0.3, 2.5, 2.0),
    ("mistral", "mistral-large-2607", 2, None, None, 2.8),
)
TENANTS = ("acme", "fjord-bank", "lumen-health", "pixelforge", "northwind", "harbor-logistics", "quill")
FEATURES = {
    "support-chat": "My invoice from October shows a charge I do not recognise, can you tell me what it is for?",
    "intent-router": "Classify: “where is my parcel, it was due on Tuesday” → one of billing, shipping, other",
    "kyc-review": "Summarise the beneficial ownership of Nordhavn Holding ApS and say who holds 25% or more.",
    "catalog-copy": "Write a 40-word product description for “Trail 2 rain shell”, in the voice of the brand.",
    "triage-note": "Patient reports intermittent chest tightness after exertion, no radiation; summarise for triage.",
    "eta-extract": "Extract vessel, port and ETA from the e-mail. Answer with JSON only.",
}
FAILURES = (  # share of all, error type, status, message
    (0.004, "upstream_error", 529, "Overloaded"),
    (0.003, "rate_limit", 429, "Rate limit reached for requests per minute"),
    (0.001, "timeout", 504, "The upstream sent nothing for 120 s"),
    (0.002, "cancelled", 499, "The client went away"),
    (0.001, "context_length", 400, "This model's maximum context length is 128000 tokens"),
)


def uuid_at(us: int, rng: random.Random) -> str:
    number = (us // 1000 << 80) | (0x7 << 76) | (rng.getrandbits(12) << 64) | (0b10 << 62) | rng.getrandbits(62)
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def traffic(count: int, *, now_us: int, length_us: int, seed: int = 7) -> list[Span]:
    """Calls over the time before now, more by day than by night, with one outage."""
    rng = random.Random(seed)
    spans = []
    while len(spans) < count:
        age = rng.random()
        by_day = 0.55 + 0.45 * -((age * 2 - 1) ** 2) + 0.45 * (1 - abs(age * 2 - 1))
        if rng.random() < by_day:
            spans.append(_call(now_us - int(age * length_us), rng, outage=0.24 < age < 0.29))
    return spans


def _call(at: int, rng: random.Random, *, outage: bool) -> Span:
    provider, model, _, in_price, out_price, seconds = rng.choices(MODELS, [m[2] for m in MODELS])[0]
    tenant = rng.choices(TENANTS, (28, 24, 18, 14, 8, 5, 3))[0]
    feature = rng.choice(list(FEATURES))
    stream = rng.random() < 0.7
    latency = int(rng.lognormvariate(0, 0.5) * seconds * SECOND)
    input_tokens, output_tokens = rng.randint(80, 9000), rng.randint(8, 900)
    cached = input_tokens // 2 if rng.random() < 0.5 else 0
    error_type, status, message = None, 200, None
    for share, kind, code, words in FAILURES:
        bad_day = outage and provider == "anthropic" and code == 529
        if rng.random() < (0.35 if bad_day else share):
            error_type, status, message = kind, code, words
            break
    failed = error_type is not None
    usage = (
        None if failed else Usage(input_tokens=input_tokens, output_tokens=output_tokens, cached_input_tokens=cached)
    )
    in_cost = out_cost = None
    if usage and in_price is not None and out_price is not None:
        in_cost = round((input_tokens - cached * 0.9) * in_price * 1000)
        out_cost = round(output_tokens * out_price * 1000)
    cost = 0 if failed else None if in_cost is None or out_cost is None else in_cost + out_cost
    return Span(
        request_id=uuid_at(at, rng),
        kind="llm",
        started_at=at,
        ended_at=at + latency,
        tenant=tenant,
        environment=rng.choices(("production", "staging"), (9, 1))[0],
        key_id=f"key-{tenant}",
        feature=feature,
        provider=provider,
        endpoint="POST /v1/chat/completions",
        dialect="openai.chat",
        model_requested=model,
        model=model,
        upstream_request_id=f"req_{rng.getrandbits(64):016x}",
        stream=stream,
        status_code=status,
        error_type=error_type,
        error_message=message,
        finish_reason=None if failed else "stop",
        usage=usage,
        usage_source="none" if failed else "reported",
        cost_nanousd=cost,
        charge_nanousd=cost,
        input_cost_nanousd=in_cost,
        output_cost_nanousd=out_cost,
        cost_source="catalog" if cost else "none",
        price_id=f"{provider}/{model}@2026-07-01" if cost else None,
        latency_us=latency,
        ttft_us=int(latency * rng.uniform(0.1, 0.4)) if stream and not failed else None,
        upstream_us=latency - 41,
        overhead_us=int(rng.lognormvariate(3.7, 0.4)),
        attempts=[Attempt(provider, model, status, error_type, at + 30, latency - 41, cost)],
        tags={"feature": feature, "tenantSlug": tenant, "release": rng.choice(("v41", "v42"))},
        input_preview=FEATURES[feature],
        output_preview=None if failed else "Certainly. Here is what I found.",
    )


CHAT_REQUEST = {
    "model": "gpt-5",
    "messages": [
        {"role": "system", "content": "You review companies for a bank. Use the registry."},
        {"role": "user", "content": [{"type": "text", "text": FEATURES["kyc-review"]}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "registry.owners", "arguments": '{"cvr": "41288773", "as_of": "2026-11-20"}'},
                }
            ],
        },
        {
            "role": "tool",
            "tool_call_id": "call_1",
            "content": '{"owners": [{"name": "Fjeldsted Invest A/S", "share": 0.625}, {"name": "K. Madsen", "share": 0.25}]}',  # noqa: E501 - one case a line
        },
    ],
    "tools": [{"type": "function", "function": {"name": "registry.owners", "parameters": {"type": "object"}}}],
    "temperature": 0.2,
}
ANSWER = (
    "Two natural persons reach the 25% threshold:\n\n1. **Karin Madsen**, 25.0% directly.\n"
    "2. **Jonas Fjeldsted**, 43.8%, through his 70% of Fjeldsted Invest A/S.\n\n"
    "The client’s statement names only `Ms Madsen`."
)


def chat_call(now_us: int, *, seed: int = 3) -> tuple[Span, Payload]:
    """One call in full: a fallback, a tool, a streamed answer with reasoning."""
    rng = random.Random(seed)
    span = _call(now_us, rng, outage=False)
    span.provider, span.model, span.model_requested = "openai", "gpt-5-2026-05-01", "smart"
    span.status_code, span.error_type, span.error_message = 200, None, None
    span.stream, span.finish_reason = True, "stop"
    span.usage = Usage(input_tokens=9876, cached_input_tokens=8192, output_tokens=742, reasoning_tokens=218)
    span.latency_us, span.ttft_us, span.overhead_us, span.upstream_us = 9_120_000, 2_440_000, 44, 9_119_956
    span.cost_nanousd, span.input_cost_nanousd, span.output_cost_nanousd = 10_549_000, 3_129_000, 7_420_000
    span.charge_nanousd = span.cost_nanousd
    span.cost_source, span.price_id, span.usage_source = "catalog", "openai/gpt-5@2026-07-01", "reported"
    span.attempts = [
        Attempt("anthropic", "claude-sonnet-4-5", 529, "upstream_error", now_us + 44, 947_000, 0),
        Attempt("openai", "gpt-5", 200, None, now_us + 1_197_000, 7_923_000, 10_549_000),
    ]
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}]
    chunks += [{"choices": [{"index": 0, "delta": {"reasoning_content": "The registry names two owners. "}}]}]
    chunks += [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in re.split(r"(?<= )", ANSWER)]
    stream = b"".join(
        b"data: " + msgspec.json.encode({"id": "chatcmpl-1", "model": span.model, **c}) + b"\n\n" for c in chunks
    )
    payload = Payload(
        request_body=msgspec.json.encode(CHAT_REQUEST),
        response_body=stream + b"data: [DONE]\n\n",
        response_text=ANSWER,
        request_bytes=14_200,
        response_bytes=len(stream),
        request_content_type="application/json",
        response_content_type="text/event-stream",
        request_headers=[("content-type", "application/json"), ("user-agent", "OpenAI/Python 2.1")],
        response_headers=[("content-type", "text/event-stream"), ("x-request-id", "req_011CVKq8mB2")],
        redactions={"email": 2},
    )
    return span, payload


# ------------------------------------------------------------------------------------------------ application


class SignedIn:
    """Puts the principal where the access middleware does."""

    def __init__(self, app: ASGIApp, principal: Principal) -> None:
        self._app, self._principal = app, principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            Request(scope).state.principal = self._principal
        await self._app(scope, receive, send)


@lru_cache(maxsize=1)
def catalogue() -> Catalog:
    return Catalog.load()


def application(store: Any, *, principal: Principal = ADMIN, catalog: Any = None, **health: Any) -> Starlette:

    app = Starlette(
        routes=routes(), middleware=[Middleware(SignedIn, principal=principal)], exception_handlers=exception_handlers()
    )
    now_us = time.time_ns() // 1000
    app.state.callgate = SimpleNamespace(
        settings=Settings(),
        policies=None,
        settings_source="defaults",
        store=store,
        sessions=SimpleNamespace(principal=lambda request: principal),
        identity=SimpleNamespace(directory=SimpleNamespace(users={}, tenants={})),
        keyring=SimpleNamespace(keys=list, by_id=lambda key_id: None),
        catalog=catalog if catalog is not None else catalogue(),
        journal_health=lambda: health.get("journal", JournalHealth()),
        recorder_health=lambda: health.get("recorder", RecorderHealth(state="running", updated_at=2**62)),
        started_at=now_us,
        version="0.1.0",
        worker=0,
        limiting=None,
        standings=None,
        own=None,
        counters=SimpleNamespace(in_flight=3, client_connections=7),
        provider_health=lambda: health.get("providers", {}),
        alerts=Alerts(Settings(), store),
        routing=None,
        pools=None,
        vitals=health.get("vitals"),
        data=health.get("data"),
        fleet=Fleet(Path()),
        in_flight=health.get("in_flight"),
        inside=health.get("inside"),
    )
    return app
