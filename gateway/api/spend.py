"""`/api/costs/summary`, `/api/whatif`, `/api/statement`: what the Costs page and a statement show, as JSON or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import NoReturn
from zoneinfo import ZoneInfo

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.errors import invalid
from gateway.api.filters import iso_time, single
from gateway.api.record import usd, usd_text
from gateway.api.requests import json_response
from gateway.api.scope import Question, asked, state_of
from gateway.api.totals import parse_time_zone
from gateway.control.costs import Statement, Summary, per_thousand, statement, summary
from gateway.control.keys import now_us
from gateway.control.pricing_sums import WhatIf, cheaper, price_of, what_if
from gateway.store.base import Totals

MONTH_US = 30 * 86_400_000_000
CSV_COLUMNS = (
    "by",
    "key",
    "requests",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "cost_usd",
    "charge_usd",
)


class Spend(msgspec.Struct):
    requests: int
    unpriced: int
    cost_usd: msgspec.Raw | None
    charge_usd: msgspec.Raw | None
    cost_nanousd: int
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    per_1k_requests_usd: msgspec.Raw | None
    per_1k_tokens_usd: msgspec.Raw | None


class CausesRecord(msgspec.Struct):
    volume_usd: msgspec.Raw | None
    mix_usd: msgspec.Raw | None
    per_call_usd: msgspec.Raw | None


class ForecastRecord(msgspec.Struct):
    month: str
    spent_usd: msgspec.Raw | None
    burn_usd_per_day: msgspec.Raw | None
    expected_usd: msgspec.Raw | None
    low_usd: msgspec.Raw | None
    high_usd: msgspec.Raw | None


class SummaryRecord(msgspec.Struct):
    spend: Spend
    before: Spend
    change_usd: msgspec.Raw | None
    causes: CausesRecord
    failed_cost_usd: msgspec.Raw | None
    cache_savings_usd: msgspec.Raw | None
    cache_savings_without_price: int
    forecast: ForecastRecord


class WhatIfRecord(msgspec.Struct):
    source: str
    target: str
    requests: int
    cost_usd: msgspec.Raw | None
    would_cost_usd: msgspec.Raw | None
    difference_usd: msgspec.Raw | None


class WhatIfList(msgspec.Struct):
    items: list[WhatIfRecord]
    next_cursor: None = None


class LineRecord(msgspec.Struct):
    key: str | None
    requests: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_usd: msgspec.Raw | None
    charge_usd: msgspec.Raw | None
    charge_nanousd: int


class StatementRecord(msgspec.Struct):
    tenant: str
    month: str
    time_zone: str
    from_: str = msgspec.field(name="from")
    to: str
    total: LineRecord
    unpriced: int
    models: list[LineRecord]
    features: list[LineRecord]


async def costs_summary(request: Request) -> Response:
    question = asked(request, "time_zone")
    zone = ZoneInfo(parse_time_zone(single(question.values, "time_zone")))
    state = state_of(request)
    found = await summary(state.store, _bounded(question).which, state.catalog, now_us(), zone)
    return json_response(summary_record(found))


async def whatif(request: Request) -> Response:
    """Without a target: the moves between models in use that would save most."""
    question = _bounded(asked(request, "source", "target"))
    state = state_of(request)
    groups = await state.store.groups(question.which, "provider_model")
    source, target = (single(question.values, name) for name in ("source", "target"))
    if source is not None:
        groups = [group for group in groups if group.key == source]
    at_us = now_us()
    if target is None:
        moves = cheaper(groups, state.catalog, at_us)
    else:
        if price_of(state.catalog, target, at_us) is None:
            _refuse_target(target)
        moves = [move for group in groups if (move := what_if(group, target, state.catalog, at_us)) is not None]
    return json_response(WhatIfList([what_if_record(move) for move in moves]))


async def month_statement(request: Request) -> Response:
    question = asked(request, "month", "time_zone", "format")
    month = single(question.values, "month")
    if len(question.which.tenant) != 1:
        raise invalid("tenant", "A statement is of one tenant: say which with 'tenant'.")
    zone = ZoneInfo(parse_time_zone(single(question.values, "time_zone")))
    try:
        found = await statement(state_of(request).store, question.which, month or "", zone)
    except ValueError:
        raise invalid("month", f"'month' has the value {month!r}. It takes a month, e.g. 2026-10.") from None
    if single(question.values, "format") == "csv":
        name = f"statement-{found.month}.csv"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(statement_csv(found), media_type="text/csv; charset=utf-8", headers=headers)
    return json_response(statement_record(found))


def _bounded(question: Question) -> Question:
    """With both ends: to now, and thirty days long where nothing else is said."""
    to_us = question.which.to_us if question.which.to_us is not None else now_us()
    from_us = question.which.from_us if question.which.from_us is not None else to_us - MONTH_US
    question.which = msgspec.structs.replace(question.which, from_us=from_us, to_us=to_us)
    return question


def _refuse_target(target: str) -> NoReturn:
    message = f"'target' has the value {target!r}, which has no price by the token. It takes PROVIDER/MODEL."
    raise invalid("target", message)


def summary_record(found: Summary) -> SummaryRecord:
    now, forecast = found.now, found.forecast
    return SummaryRecord(
        spend=spend_record(now),
        before=spend_record(found.before),
        change_usd=usd(now.cost_nanousd - found.before.cost_nanousd),
        causes=CausesRecord(*(usd(part) for part in msgspec.structs.astuple(found.causes))),
        failed_cost_usd=usd(found.failed.cost_nanousd),
        cache_savings_usd=usd(found.savings.saved_nanousd),
        cache_savings_without_price=found.savings.without_price,
        forecast=ForecastRecord(forecast.month, *(usd(part) for part in msgspec.structs.astuple(forecast)[1:])),
    )


def spend_record(totals: Totals) -> Spend:
    return Spend(
        totals.requests,
        totals.unpriced,
        usd(totals.cost_nanousd),
        usd(totals.charge_nanousd),
        totals.cost_nanousd,
        totals.input_tokens,
        totals.output_tokens,
        totals.cached_input_tokens,
        usd(per_thousand(totals.cost_nanousd, totals.requests)),
        usd(per_thousand(totals.cost_nanousd, totals.input_tokens + totals.output_tokens)),
    )


def what_if_record(move: WhatIf) -> WhatIfRecord:
    amounts = (move.cost_nanousd, move.would_cost_nanousd, move.difference_nanousd)
    return WhatIfRecord(move.source, move.target, move.requests, *(usd(amount) for amount in amounts))


def line_record(key: str | None, totals: Totals) -> LineRecord:
    return LineRecord(
        key,
        totals.requests,
        totals.input_tokens,
        totals.cached_input_tokens,
        totals.output_tokens,
        usd(totals.cost_nanousd),
        usd(totals.charge_nanousd),
        totals.charge_nanousd,
    )


def statement_record(found: Statement) -> StatementRecord:
    return StatementRecord(
        tenant=found.tenant,
        month=found.month,
        time_zone=found.time_zone,
        from_=iso_time(found.from_us),
        to=iso_time(found.to_us),
        total=line_record(None, found.totals),
        unpriced=found.totals.unpriced,
        models=[line_record(line.key, line.totals) for line in found.models],
        features=[line_record(line.key, line.totals) for line in found.features],
    )


def statement_csv(found: Statement) -> str:
    """Lines by model, then by feature, each kind of which adds up to the last line, the total."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_csv_rows(found))
    return text.getvalue()


def _csv_rows(found: Statement) -> Iterator[tuple[object, ...]]:
    lines = [("model", line.key, line.totals) for line in found.models]
    lines += [("feature", line.key, line.totals) for line in found.features]
    for by, key, totals in [*lines, ("total", "", found.totals)]:
        yield (
            by,
            _unexecutable(key or ""),
            totals.requests,
            totals.input_tokens,
            totals.cached_input_tokens,
            totals.output_tokens,
            usd_text(totals.cost_nanousd),
            usd_text(totals.charge_nanousd),
        )


def _unexecutable(text: str) -> str:
    """Spreadsheets run what begins like a formula; names of models come from strangers."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
