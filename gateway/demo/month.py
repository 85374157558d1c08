"""A believable month of traffic, call by call: the same for the same seed and end.

Tenants of different sizes wake, work and rest in their own time zones; conversations grow; prompts get cached; a
provider is overloaded for two hours, and its calls are retried elsewhere.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, pi

import msgspec

from gateway.core.span import Attempt, Payload, Span, ToolCall
from gateway.demo.cast import FEATURES, MODELS, TENANTS, Feature, Model, Tenant
from gateway.demo.talk import TOOL, Said, exchange
from pricing import Catalog
from pricing.usage import Usage

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR

INCIDENT_AT = 0.71
"""Where in the period the provider is overloaded, as a share of it."""
INCIDENT_US = 2 * HOUR
INCIDENT_PROVIDER = "anthropic"
OVERLOADED = 529
"""The status it answers with."""
STAND_IN = "gpt-4o"
"""Who answers where the second try was given up."""

FAILURES = (
    (0.006, 429, "rate_limit", "Rate limit reached for requests. Try again in 1.2 s."),
    (0.004, 499, "cancelled", None),
    (0.003, 504, "timeout", "The upstream sent nothing for 120 s."),
    (0.002, 400, "context_length", "This model's maximum context length is 128000 tokens."),
    (0.002, 500, "upstream_error", "The server had an error while processing your request."),
    (0.001, 502, "network", "The connection was reset by the upstream."),
    (0.001, 400, "content_filter", "The response was filtered."),
)
"""(share, status, error_type, message) of everyday failures."""


@dataclass(frozen=True)
class Month:
    calls: int
    until_us: int
    days: int = 30
    seed: int = 1

    @property
    def from_us(self) -> int:
        return self.until_us - self.days * DAY

    def in_incident(self, at_us: int) -> bool:
        begins = self.from_us + int(self.days * DAY * INCIDENT_AT) // HOUR * HOUR
        return begins <= at_us < begins + INCIDENT_US


def month(plan: Month, catalog: Catalog) -> Iterator[tuple[Span, Payload]]:
    """In order of time, within the hour; `plan.calls` of them."""
    rng = random.Random(plan.seed)
    writer = _Author(plan, catalog, rng)
    for begins, ends, tenant_calls in _hours(plan):
        moments = [(rng.randrange(begins, ends), tenant) for tenant, calls in tenant_calls for _ in range(calls)]
        moments.sort(key=lambda moment: moment[0])
        for at_us, tenant in moments:
            yield writer.call(at_us, tenant)


def _hours(plan: Month) -> Iterator[tuple[int, int, list[tuple[Tenant, int]]]]:
    """How many calls each tenant makes in each hour. What is rounded off goes over into the next hour."""
    starts = range(plan.from_us, plan.until_us, HOUR)
    weights = [[_weight(tenant, start) for tenant in TENANTS] for start in starts]
    scale = plan.calls / sum(map(sum, weights))
    owed, given = 0.0, 0
    for start, row in zip(starts, weights, strict=True):
        calls = []
        for tenant, weight in zip(TENANTS, row, strict=True):
            owed += weight * scale
            count = round(owed) - given
            given += count
            calls.append((tenant, count))
        yield start, min(start + HOUR, plan.until_us), calls


def _weight(tenant: Tenant, at_us: int) -> float:
    """A working day's bell over a small night, in the tenant's own time; fewer at weekends; growing slowly."""
    local_h = at_us / HOUR + tenant.utc_offset_h
    day, hour = divmod(local_h, 24)
    bell: float = max(0.0, cos((hour - 14) / 24 * 2 * pi)) ** 1.5
    rest = tenant.weekends if (int(day) + 3) % 7 >= 5 else 1.0  # 1970-01-01 was a Thursday
    return tenant.share * (0.06 + bell) * rest


def _id_at(at_us: int, rng: random.Random) -> str:
    """A UUIDv7 of that time."""
    tail = rng.getrandbits(74)
    milli = at_us // 1000
    digits = f"{milli:012x}7{tail >> 62:03x}{0x8000 | (tail >> 48) & 0x3FFF:04x}{tail & 0xFFFF_FFFF_FFFF:012x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class _Author:
    """Makes up calls, one after the other, with everything that belongs to them."""

    def __init__(self, plan: Month, catalog: Catalog, rng: random.Random) -> None:
        self._plan = plan
        self._catalog = catalog
        self._rng = rng
        self._number = 10_000

    def call(self, at_us: int, tenant: Tenant) -> tuple[Span, Payload]:
        rng = self._rng
        self._number += 1
        feature = FEATURES[rng.choice(tenant.features)]
        model = MODELS[rng.choice(feature.models)]
        turns = 1 + int(rng.random() ** 2 * feature.turns)
        stream = rng.random() < feature.stream
        tool = feature.tools and rng.random() < 0.4
        said = exchange(rng, feature.topic, model.asked, turns, stream=stream, tool=tool, number=self._number)
        span = self._opened(at_us, tenant, feature, model, stream)
        span.input_preview = said.question[:500]
        failure = self._attempt(span, model)
        if failure is None:
            overloaded = any(attempt.status_code == OVERLOADED for attempt in span.attempts)
            self._answered(span, MODELS[STAND_IN] if overloaded else model, said, turns, tool)
        else:
            span.status_code, span.error_type, span.error_message = failure
        span.ended_at = at_us + (span.latency_us or 0)
        return span, self._payload(span, said, failed=failure is not None)

    def _opened(self, at_us: int, tenant: Tenant, feature: Feature, model: Model, stream: bool) -> Span:
        rng = self._rng
        environment = "production" if rng.random() < 0.88 else "staging"
        user = f"{tenant.name}-user-{int(rng.random() ** 2 * tenant.users):03d}"
        session = f"{user}-{at_us // (HOUR // 2):x}" if feature.turns > 1 else None
        tags = {"tenantSlug": tenant.name, "environment": environment, "feature": feature.name, "userId": user}
        if session:
            tags["sessionId"] = session
        if feature.workflow:
            tags["workflow"] = feature.workflow
        if feature.agent:
            tags["agent"] = feature.agent
        return Span(
            request_id=_id_at(at_us, rng),
            trace_id=f"{rng.getrandbits(128):032x}",
            kind="embedding" if model.embeds else "llm",
            started_at=at_us,
            tenant=tenant.name,
            environment=environment,
            key_id=f"{tenant.name}-{environment}",
            user=user,
            session=session,
            feature=feature.name,
            workflow=feature.workflow,
            agent=feature.agent,
            provider=model.provider,
            endpoint="POST /v1/embeddings" if model.embeds else "POST /v1/chat/completions",
            dialect="openai",
            model_requested=f"{model.provider}/{model.asked}" if rng.random() < 0.3 else model.asked,
            model=model.asked,
            stream=stream and not model.embeds,
            overhead_us=int(rng.lognormvariate(5.2, 0.35)),
            tags=tags,
        )

    def _attempt(self, span: Span, model: Model) -> tuple[int, str, str | None] | None:
        """Fills in the attempts that failed; what the call failed with, or None when it is to be answered."""
        rng = self._rng
        overloaded = model.provider == INCIDENT_PROVIDER and self._plan.in_incident(span.started_at)
        if overloaded and rng.random() < 0.7:
            waited = rng.randrange(300_000, 4_000_000)
            for begins in (0, waited):
                failed = Attempt(
                    model.provider, model.asked, OVERLOADED, "upstream_error", span.started_at + begins, waited
                )
                span.attempts = [*span.attempts, failed]
            span.latency_us = 2 * waited
            if rng.random() < 0.55:
                return OVERLOADED, "upstream_error", "Overloaded"
            return None
        drawn = rng.random()
        for share, status, error_type, message in FAILURES:
            drawn -= share
            if drawn < 0:
                latency = 120 * SECOND if error_type == "timeout" else int(rng.lognormvariate(12.5, 0.8))
                span.latency_us = span.upstream_us = latency
                answered = None if error_type in ("timeout", "network", "cancelled") else status
                attempt = Attempt(model.provider, model.asked, answered, error_type, span.started_at, latency)
                span.attempts = [attempt]
                return status, error_type, message
        if rng.random() < 0.01:
            waited = rng.randrange(200_000, 1_500_000)
            span.attempts = [Attempt(model.provider, model.asked, 429, "rate_limit", span.started_at, waited)]
            span.latency_us = waited
        return None

    def _answered(self, span: Span, model: Model, said: Said, turns: int, tool: bool) -> None:
        rng = self._rng
        waited = span.latency_us or 0
        usage = self._usage(model, said, turns)
        output = usage.output_tokens or 0
        ttft = int(model.ttft_ms * 1000 * rng.lognormvariate(0, 0.35)) + (usage.input_tokens or 0) * 60
        writing = int(output / model.tokens_per_s * SECOND * rng.lognormvariate(0, 0.2))
        span.status_code = 200
        span.provider, span.model = model.provider, model.answers
        span.usage, span.usage_source = usage, "reported"
        span.usage_raw = msgspec.json.encode(
            {"prompt_tokens": usage.input_tokens, "completion_tokens": output, "total_tokens": usage.total_tokens}
        )
        span.upstream_us = ttft + writing
        span.latency_us = waited + ttft + writing + (span.overhead_us or 0)
        span.ttft_us = waited + ttft if span.stream else None
        span.response_id = f"chatcmpl-{rng.getrandbits(64):016x}"
        span.upstream_request_id = f"req_{rng.getrandbits(64):016x}"
        span.finish_reason = None if model.embeds else "tool_calls" if tool else "stop"
        span.output_preview = said.answer[:500] or None
        if tool:
            span.tool_calls = [ToolCall(TOOL, f"call_{self._number}", f'{{"order": {self._number}}}')]
        self._bill(span, usage)
        began = span.started_at + waited
        won = Attempt(model.provider, model.asked, 200, None, began, ttft + writing, span.cost_nanousd)
        span.attempts = [*span.attempts, won]

    def _usage(self, model: Model, said: Said, turns: int) -> Usage:
        """A token is about four bytes of English; long system prompts and documents come on top, and are cached."""
        rng = self._rng
        spoken = max(3, len(said.request) // 5)
        if model.embeds:
            return Usage(input_tokens=spoken)
        context = int(rng.lognormvariate(6.3, 0.9))
        cached = (context // 128 * 128) if turns > 1 or rng.random() < 0.4 else 0
        reasoning = int(rng.lognormvariate(5.8, 0.7)) if model.reasoning else None
        return Usage(
            input_tokens=spoken + context,
            output_tokens=max(4, len(said.answer) // 4) + int(rng.lognormvariate(4.2, 0.8)) + (reasoning or 0),
            cached_input_tokens=cached,
            reasoning_tokens=reasoning,
        )

    def _bill(self, span: Span, usage: Usage) -> None:
        price = self._catalog.find(str(span.provider), str(span.model), span.started_at)
        cost = price.cost(usage) if price is not None else None
        if price is None or cost is None:
            return
        span.cost_nanousd = span.charge_nanousd = cost.total_nanousd
        span.input_cost_nanousd, span.output_cost_nanousd = cost.input_nanousd, cost.output_nanousd
        span.cost_source, span.price_id = "catalog", price.price_id

    def _payload(self, span: Span, said: Said, *, failed: bool) -> Payload:
        response: bytes | None = said.response
        if failed:
            error = {"message": span.error_message, "type": span.error_type, "param": None, "code": None}
            response = msgspec.json.encode({"error": error}) if span.error_message else None
        event_stream = span.stream and not failed
        return Payload(
            request_body=said.request,
            response_body=response,
            response_text=None if failed else said.answer or None,
            request_bytes=len(said.request),
            response_bytes=len(response or b""),
            request_content_type="application/json",
            response_content_type="text/event-stream" if event_stream else "application/json",
        )
