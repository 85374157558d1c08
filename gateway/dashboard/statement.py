"""A tenant's statement for a month: a page to print, whose lines add up to the nano-dollar."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.costs import Statement, StatementLine, statement
from gateway.dashboard import urls
from gateway.dashboard.charts import spark_bars
from gateway.dashboard.format import Figure, full, moment, money_exact, money_sum, plain, share
from gateway.dashboard.render import respond
from gateway.dashboard.view import Shell, View, make_shell, open_view
from gateway.errors import StoreError
from gateway.store.base import SpanFilter


@dataclass(frozen=True)
class PaperLine:
    name: str
    requests: str
    input_tokens: str
    cached_tokens: str
    output_tokens: str
    part: Figure
    amount: Figure


@dataclass(frozen=True)
class StatementPage:
    template: ClassVar[str] = "statement.html"
    shell: Shell
    tenant: str
    month: str
    """`October 2026`"""
    trouble: str = ""
    before: str = ""
    after: str = ""
    """Empty where the next month has not begun."""
    csv: str = ""
    costs: str = ""
    host: str = ""
    reference: str = ""
    issued: str = ""
    days: str = ""
    is_open: bool = False
    """The month is not over: the figures will grow."""
    environment: str = ""
    total: Figure = field(default_factory=lambda: plain(""))
    exact: str = ""
    markup: Figure | None = None
    """What the charge has on top of the cost, where it has."""
    requests: str = ""
    unpriced: int = 0
    interrupted: int = 0
    bars: str = ""
    models: list[PaperLine] = field(default_factory=list)
    features: list[PaperLine] = field(default_factory=list)


async def statement_page(request: Request) -> Response:
    view = open_view(request, path=request.url.path)
    zone = view.period.zone
    tenant = request.path_params["tenant"]
    month = request.query_params.get("month") or f"{moment(view.now_us, zone):%Y-%m}"
    which = view.own(SpanFilter(tenant=(tenant,), environment=tuple(view.filters.values("environment"))))
    shell = await make_shell(view, f"Statement of {tenant}", urls.COSTS, has_period=False)
    try:
        found = await statement(view.state.store, which, month, zone)
    except ValueError:
        found = await statement(view.state.store, which, f"{moment(view.now_us, zone):%Y-%m}", zone)
    except StoreError as exc:
        return respond(StatementPage(shell, tenant, month, trouble=str(exc)), 503)
    return respond(_page(view, shell, found, which))


def _page(view: View, shell: Shell, found: Statement, which: SpanFilter) -> StatementPage:
    zone, totals = view.period.zone, found.totals
    first = moment(found.from_us, zone)
    last = moment(found.to_us - 1, zone)
    environments = tuple(("environment", name) for name in view.filters.values("environment"))
    markup = totals.charge_nanousd - totals.cost_nanousd
    api = (("tenant", found.tenant), *environments, ("month", found.month), ("time_zone", zone.key), ("format", "csv"))
    return StatementPage(
        shell=shell,
        tenant=found.tenant,
        month=f"{first:%B %Y}",
        before=urls.statement(found.tenant, (*environments, ("month", _other_month(first, -1)))),
        after=""
        if found.to_us > view.now_us
        else urls.statement(found.tenant, (*environments, ("month", _other_month(first, 1)))),
        csv=urls.with_query("/api/statement", api),
        costs=urls.costs((("tenant", found.tenant), *environments)),
        host=view.request.url.netloc,
        reference=f"{found.tenant}-{found.month}",
        issued=full(view.now_us, zone),
        days=f"1 – {last.day} {first:%B %Y}, {zone.key}",
        is_open=found.to_us > view.now_us,
        environment=" and ".join(which.environment) or "all environments",
        total=money_sum(totals.charge_nanousd),
        exact=money_exact(totals.charge_nanousd),
        markup=money_sum(markup) if markup else None,
        requests=f"{totals.requests:,}",
        unpriced=totals.unpriced,
        interrupted=totals.interrupted,
        bars=spark_bars(_daily(found, zone), height=44),
        models=_lines(found.models, found, "no model"),
        features=_lines(found.features, found, "untagged"),
    )


def _other_month(first: datetime, by: int) -> str:
    year, month = divmod(first.year * 12 + first.month - 1 + by, 12)
    return f"{year:04d}-{month + 1:02d}"


def _daily(found: Statement, zone: ZoneInfo) -> list[float]:
    """One amount for each day of the month."""
    days = [0.0] * moment(found.to_us - 1, zone).day
    for start, amount in found.days:
        days[moment(start, zone).day - 1] += amount
    return days


def _lines(lines: list[StatementLine], found: Statement, nothing: str) -> list[PaperLine]:
    return [
        PaperLine(
            line.key or nothing,
            f"{line.totals.requests:,}",
            f"{line.totals.input_tokens:,}",
            f"{line.totals.cached_input_tokens:,}",
            f"{line.totals.output_tokens:,}",
            share(line.totals.charge_nanousd, found.totals.charge_nanousd),
            money_sum(line.totals.charge_nanousd),
        )
        for line in lines
    ]
