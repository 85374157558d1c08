"""`/api/models/usage`: models, providers or versions side by side, as the Models page shows them."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import reader
from gateway.api.errors import invalid
from gateway.api.filters import parse_limit, single
from gateway.api.record import usd
from gateway.api.requests import json_response
from gateway.api.scope import asked, bounds_of, state_of
from gateway.api.totals import Durations, durations, success_rate
from gateway.control.comparison import DIMENSIONS, Compared, compare, tokens_per_second
from gateway.control.keys import now_us
from gateway.core.families import family_of
from gateway.store.base import Distribution
from pricing.price import Price, quoted_rate


class Lengths(msgspec.Struct):
    """Tokens of an answer, of calls that generated any; null without."""

    calls: int
    mean: float | None
    min: int | None
    max: int | None
    p50: int | None
    p95: int | None
    p99: int | None


class Quote(msgspec.Struct):
    """Dollars per million tokens, of an ordinary call. null: not priced by the token."""

    price_id: str
    provider: str
    input_per_mtok: str | None
    cached_input_per_mtok: str | None
    output_per_mtok: str | None


class UsageRecord(msgspec.Struct):
    key: str | None
    family: str | None
    """Of a model: its name without the date of a release."""
    served_as: list[str]
    requests: int
    errors: int
    success_rate: float | None
    cancelled: int
    unpriced: int
    cost_usd: msgspec.Raw | None
    cost_nanousd: int
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    latency_ms: Durations
    ttft_ms: Durations
    tokens_per_second: float | None
    output_length: Lengths
    prices: list[Quote]


class UsageList(msgspec.Struct):
    group_by: str
    items: list[UsageRecord]
    next_cursor: None = None
    """Always null: a comparison is one page, the costliest."""


async def models_usage(request: Request) -> Response:
    question = asked(request, "group_by", "limit")
    by = single(question.values, "group_by") or "model"
    if by not in DIMENSIONS:
        raise invalid("group_by", f"'group_by' has the value {by[:100]!r}. It takes {', '.join(DIMENSIONS)}.")
    state, limit = state_of(request), parse_limit(question.values, default=100)
    within = bool(bounds_of(reader(request)))
    rows = await compare(state.store, question.which, by, state.catalog, now_us(), within=within, limit=limit)
    return json_response(UsageList(by, [usage_record(row, is_model=by.endswith("model")) for row in rows]))


def usage_record(row: Compared, *, is_model: bool) -> UsageRecord:
    whole, key = row.profile.whole, row.profile.key
    totals = whole.totals
    speed = tokens_per_second(totals)
    return UsageRecord(
        key=key,
        family=family_of(key) if is_model and key else None,
        served_as=row.served_as,
        requests=totals.requests,
        errors=totals.errors,
        success_rate=success_rate(totals),
        cancelled=totals.cancelled,
        unpriced=totals.unpriced,
        cost_usd=usd(totals.cost_nanousd),
        cost_nanousd=totals.cost_nanousd,
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        cached_input_tokens=totals.cached_input_tokens,
        reasoning_tokens=totals.reasoning_tokens,
        latency_ms=durations(whole.latency),
        ttft_ms=durations(whole.ttft),
        tokens_per_second=None if speed is None else round(speed, 3),
        output_length=_lengths(whole.output),
        prices=[_quote(price) for price in row.prices],
    )


def _lengths(of: Distribution) -> Lengths:
    return Lengths(of.count, of.mean, of.min, of.max, of.p50, of.p95, of.p99)


def _quote(price: Price) -> Quote:
    rates = {}
    for unit in ("input", "cached_input", "output"):
        rate = price.card.standard[unit]
        rates[unit] = None if rate is None else f"{quoted_rate(unit, rate.atto).normalize():f}"
    return Quote(price.price_id, price.provider, rates["input"], rates["cached_input"], rates["output"])
