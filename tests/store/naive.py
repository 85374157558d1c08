"""What a store must answer, computed the plain way from a list of spans; and random spans to ask about."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from math import ceil

from gateway.core.span import Attempt, Payload, Span, ToolCall
from gateway.core.stored import PLAIN, StoredRow
from gateway.store.base import Distribution, SpanFilter, SpanWrite, Totals
from gateway.store.sqlite.rows import details_of, row_of
from pricing.usage import Billed, Usage

HOUR = 3_600_000_000
DAY = 24 * HOUR
T0 = 1_760_000_400_000_000
"""2025-10-09 09:00 UTC, a full hour."""


def make_span(number: int, rng: random.Random | None = None, **fields: object) -> Span:
    """Different in everything a filter looks at; the same for the same number and seed."""
    rng = rng or random.Random(number)
    status, error = rng.choice(
        [(200, None)] * 6
        + [(429, "rate_limit"), (500, "upstream_error"), (499, "cancelled"), (200, "interrupted"), (404, None)]
    )
    failed = error not in (None, "interrupted") or status >= 400
    usage = None if failed else Usage(input_tokens=rng.randrange(2000), output_tokens=rng.randrange(300))
    cost = None if usage is None or rng.random() < 0.1 else rng.randrange(10_000_000)
    stream = rng.random() < 0.5
    latency = int(rng.lognormvariate(13, 1.5))
    tags = {"feature": rng.choice(["chat", "search", "摘要"])}
    if rng.random() < 0.5:
        tags["team"] = rng.choice("abc")
    span = Span(
        request_id=f"01a02c4e-0000-7000-8000-{number:012x}",
        trace_id=f"trace-{number // 3}",
        kind=rng.choice(["llm", "llm", "embedding"]),
        started_at=T0 + rng.randrange(int(2.6 * DAY)),
        tenant=rng.choice(["acme", "globex", None]),
        environment=rng.choice(["production", "staging"]),
        key_id=rng.choice(["key-1", "key-2"]),
        user=rng.choice(["ann", "bob", None]),
        session=rng.choice(["s1", "s2", None]),
        provider=rng.choice(["openai", "anthropic"]),
        endpoint="POST /v1/chat/completions",
        dialect="openai",
        model_requested=rng.choice(["fast", "gpt-4o-mini"]),
        model=rng.choice(["gpt-4o-mini", "claude-sonnet-4-5", None]),
        stream=stream,
        status_code=status,
        error_type=error,
        error_message="the provider is overloaded" if failed else None,
        usage=usage,
        usage_source=rng.choice(["reported", "estimated"]) if usage else "none",
        cost_nanousd=cost,
        cost_source="none" if cost is None else rng.choice(["catalog", "override", "provider"]),
        input_cost_nanousd=None if cost is None else cost // 3,
        output_cost_nanousd=None if cost is None else cost - cost // 3,
        charge_nanousd=None if cost is None else cost + cost // 10,
        latency_us=latency,
        ttft_us=latency // 3 if stream and not failed else None,
        overhead_us=rng.randrange(50, 900),
        attempts=[Attempt("openai", "gpt-4o-mini", status, error, T0, latency)],
        tags=tags,
        input_preview=rng.choice(["How do I cancel?", "請求書の合計を教えて", "Wie kündige ich das ABO?"]),
        feature=rng.choice(["chat", "search", None]),
        prompt=(prompt := rng.choice(["greeting", "triage", None])),
        prompt_version=rng.choice([1, 2, 3]) if prompt else None,
    )
    for name, value in fields.items():
        setattr(span, name, value)
    return span


def make_write(number: int, **fields: object) -> SpanWrite:
    return SpanWrite(make_span(number, **fields), Payload(request_body=b'{"n": %d}' % number, request_bytes=10))


FULL_SPAN = Span(
    request_id="01a02c4e-61f1-7c3b-9d52-8e1f40b7c9a6",
    trace_id="t",
    span_id="s",
    parent_span_id="p",
    kind="llm",
    name="answer",
    started_at=T0,
    ended_at=T0 + 5,
    tenant="acme",
    environment="production",
    key_id="k",
    user="ann",
    session="s1",
    feature="chat",
    workflow="w",
    agent="a",
    config="c",
    variant="v",
    config_version=1,
    prompt="greeting",
    prompt_version=2,
    provider="openai",
    endpoint="POST /v1/chat/completions",
    dialect="openai",
    model_requested="fast",
    model="gpt-4o-mini",
    response_id="r",
    upstream_request_id="u",
    client_request_id="cr",
    stream=True,
    status_code=200,
    error_type="upstream_error",
    error_message="cut off",
    finish_reason="tool_calls",
    tool_calls=[ToolCall("weather", "1", '{"city": "Zürich"}')],
    usage=Usage(input_tokens=3, output_tokens=4, cached_input_tokens=0, audio_seconds=1.5),
    usage_source="reported",
    usage_raw=b'{"prompt_tokens": 3}',
    service_tier="flex",
    cost_nanousd=7,
    input_cost_nanousd=3,
    output_cost_nanousd=4,
    charge_nanousd=8,
    cost_source="catalog",
    price_id="openai/gpt-4o-mini@2025",
    latency_us=5,
    ttft_us=2,
    upstream_us=4,
    overhead_us=1,
    cache="miss",
    upstream_provider="Amazon Bedrock",
    priced_as="eu.m-1",
    also=[Billed("m-2", Usage(input_tokens=3), "batch")],
    attempts=[Attempt("openai", "gpt-4o-mini", None, "timeout", T0, 2, None)],
    tags={"feature": "chat", 'od"d': "naïve ☃"},
    input_preview="in",
    output_preview="out",
)


def matches(span: Span, which: SpanFilter) -> bool:
    def among(value: object, wanted: tuple[str, ...]) -> bool:
        return not wanted or value in wanted

    def within(value: int | None, least: int | None, most: int | None) -> bool:
        if least is None and most is None:
            return True
        return value is not None and (least is None or value >= least) and (most is None or value <= most)

    usage = span.usage or Usage()
    texts = (span.input_preview, span.output_preview, span.error_message, span.request_id)
    return (
        (which.from_us is None or span.started_at >= which.from_us)
        and (which.to_us is None or span.started_at < which.to_us)
        and (among(span.model, which.model) or span.model_requested in which.model)
        and among(span.provider, which.provider)
        and among(span.tenant, which.tenant)
        and among(span.environment, which.environment)
        and among(span.key_id, which.key)
        and among(span.feature, which.feature)
        and among(span.kind, which.kind)
        and among(span.user, which.user)
        and among(span.session, which.session)
        and among(span.trace_id, which.trace)
        and (which.stream is None or span.stream == which.stream)
        and (not which.status or any(has_status(span, status) for status in which.status))
        and within(span.latency_us, which.min_latency_us, which.max_latency_us)
        and within(span.cost_nanousd, which.min_cost_nanousd, which.max_cost_nanousd)
        and within(usage.input_tokens, which.min_input_tokens, which.max_input_tokens)
        and within(usage.output_tokens, which.min_output_tokens, which.max_output_tokens)
        and (not which.unpriced or is_unpriced(span))
        and (which.q is None or any(text and which.q.casefold() in text.casefold() for text in texts))
        and all(span.tags.get(key) in values for key, values in which.tags)
        and among(span.config, which.config)
        and among(span.variant, which.variant)
        and among(span.prompt, which.prompt)
        and among(version_of(span), which.prompt_version)
        and not any(is_among(span, name, value) for name, values in which.exclude for value in values)
    )


def version_of(span: Span) -> str | None:
    return f"{span.prompt}@{span.prompt_version}" if span.prompt_version is not None else None


def is_among(span: Span, name: str, value: str) -> bool:
    """What `exclude` excludes."""
    if name == "model":
        return value in (span.model, span.model_requested)
    if name == "status":
        return has_status(span, value)
    return value_of(span, name) == value


def value_of(span: Span, name: str) -> str | None:
    if name.startswith("tag:"):
        return span.tags.get(name[4:])
    if name == "prompt_version":
        return version_of(span)
    if name == "cost_source":
        return cost_source_of(span)
    if name == "provider_model":
        return f"{span.provider}/{span.model}" if span.provider and span.model else None
    value: str | None = getattr(span, {"key": "key_id", "trace": "trace_id"}.get(name, name))
    return value


def cost_source_of(span: Span) -> str | None:
    if span.cost_nanousd is None:
        return "none" if is_unpriced(span) else None
    priced = span.cost_source in ("catalog", "override")
    return "estimate" if priced and span.usage_source == "estimated" else span.cost_source


def is_ok(span: Span) -> bool:
    return span.error_type is None and (span.status_code is None or span.status_code < 400)


def is_error(span: Span) -> bool:
    return not is_ok(span) and span.error_type != "cancelled"


def is_unpriced(span: Span) -> bool:
    usage = span.usage
    return usage is not None and span.cost_nanousd is None and bool(usage.input_tokens or usage.output_tokens)


def has_status(span: Span, status: str) -> bool:
    if status == "ok":
        return is_ok(span)
    if status == "error":
        return is_error(span)
    if status.endswith("xx"):
        return span.status_code is not None and span.status_code // 100 == int(status[0])
    return str(span.status_code) == status or span.error_type == status


def totals(spans: Iterable[Span]) -> Totals:
    total = Totals()
    for span in spans:
        usage = span.usage or Usage()
        total.requests += 1
        total.errors += is_error(span)
        total.cancelled += span.error_type == "cancelled"
        total.interrupted += span.error_type == "interrupted"
        total.unpriced += is_unpriced(span)
        for name in ("cost_nanousd", "input_cost_nanousd", "output_cost_nanousd", "charge_nanousd"):
            setattr(total, name, getattr(total, name) + (getattr(span, name) or 0))
        for name in ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens"):
            setattr(total, name, getattr(total, name) + (getattr(usage, name) or 0))
        if span.stream and usage.output_tokens and span.latency_us is not None and span.ttft_us is not None:
            total.generation_us += span.latency_us - span.ttft_us
            total.generation_tokens += usage.output_tokens
    return total


def assert_distribution(found: Distribution, values: Iterable[int | None]) -> None:
    """Percentiles within 5 %, everything else exact."""
    known = sorted(value for value in values if value is not None)
    assert found.count == len(known)
    if not known:
        assert found == Distribution(0)
        return
    assert (found.mean, found.min, found.max) == (sum(known) / len(known), known[0], known[-1])
    for share, got in ((0.5, found.p50), (0.95, found.p95), (0.99, found.p99)):
        assert got is not None
        assert abs(got - (want := known[max(1, ceil(share * len(known))) - 1])) <= 0.05 * want + 1


def by_dimension(spans: Iterable[Span], by: str) -> dict[str | None, list[Span]]:
    groups: dict[str | None, list[Span]] = defaultdict(list)
    for span in spans:
        groups[value_of(span, by)].append(span)
    return groups


def failures(spans: Iterable[Span]) -> Counter[tuple[str, int | None, str | None, str | None]]:
    return Counter(
        (span.error_type or str(span.status_code), span.status_code, span.provider, span.model)
        for span in spans
        if is_error(span)
    )


def as_stored(span: Span) -> StoredRow:
    """As a store gives it to an export."""
    return (*row_of(span)[: len(PLAIN)], *details_of(span))
