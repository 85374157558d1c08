"""The Models page: providers, models and versions side by side, whole and over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.scope import bounds_of
from gateway.control.comparison import Compared, compare, error_rate, tokens_per_second
from gateway.control.costs import per_thousand
from gateway.core.families import family_of, release_of
from gateway.dashboard import urls
from gateway.dashboard.charts import spark_bars
from gateway.dashboard.dimensions import BY_KEY, Dimension, filters_of
from gateway.dashboard.distribution import octaves
from gateway.dashboard.format import Figure, count, duration, money_sum, rate, short
from gateway.dashboard.models_charts import MetricChart, charts, speed
from gateway.dashboard.render import respond
from gateway.dashboard.series import COLORS
from gateway.dashboard.view import Choice, Shell, View, make_shell, open_view
from gateway.errors import StoreError
from gateway.store.base import Bucket, SpanFilter
from pricing.price import Price, dollars, quoted_rate

PICKED = 4
MOST_PICKED = 6
ROWS = 100
TABS = tuple(
    replace(BY_KEY[key], label=label)
    for key, label in (
        ("model", "Model"),
        ("provider", "Provider"),
        ("provider_model", "Model at a provider"),
        ("prompt_version", "Prompt version"),
        ("config", "Config"),
        ("variant", "Variant"),
    )
)
SORTS: dict[str, Callable[[Compared], float]] = {
    "spend": lambda row: -row.profile.whole.totals.cost_nanousd,
    "calls": lambda row: -row.profile.whole.totals.requests,
    "failed": lambda row: -(error_rate(row.profile.whole.totals) or 0),
    "p50": lambda row: row.profile.whole.latency.p50 or 1 << 60,
    "p95": lambda row: row.profile.whole.latency.p95 or 1 << 60,
    "ttft": lambda row: row.profile.whole.ttft.p50 or 1 << 60,
    "speed": lambda row: -(tokens_per_second(row.profile.whole.totals) or 0),
    "length": lambda row: -(row.profile.whole.output.p50 or 0),
}
"""The best first, and of volumes the largest."""


@dataclass(frozen=True)
class Quoted:
    """Dollars per million tokens."""

    text: str
    title: str


@dataclass(frozen=True)
class UsageRow:
    name: str
    providers: list[str]
    href: str
    color: str
    """Of its line; empty where it is not picked."""
    pick: str
    """The link that picks it or lets it go; empty where no more can be picked."""
    release: str
    family: str
    family_href: str
    """Picks all releases of the family; empty where there is only this one."""
    spend: Figure
    is_unpriced: bool
    per_thousand: Figure
    price: Quoted
    calls: Figure
    failed: Figure
    is_failing: bool
    p50: Figure
    p95: Figure
    ttft: Figure
    speed: Figure
    length: Figure


@dataclass(frozen=True)
class LengthRow:
    name: str
    color: str
    bars: str
    calls: Figure
    p50: Figure
    p95: Figure
    longest: Figure


@dataclass(frozen=True)
class Models:
    template: ClassVar[str] = "models.html"
    shell: Shell
    trouble: str = ""
    is_empty: bool = False
    wider: str = ""
    tabs: list[Choice] = field(default_factory=list)
    chips: list[tuple[str, str, str]] = field(default_factory=list)
    by_label: str = ""
    is_model: bool = False
    sort: str = ""
    sort_links: dict[str, str] = field(default_factory=dict)
    rows: list[UsageRow] = field(default_factory=list)
    picked: list[tuple[str, str]] = field(default_factory=list)
    """(name, colour) of the lines, in their order."""
    width_label: str = ""
    charts: list[MetricChart] = field(default_factory=list)
    lengths: list[LengthRow] = field(default_factory=list)
    lengths_from: str = ""
    lengths_to: str = ""
    has_uncounted: bool = False
    """The length of some answers was not counted: it was not yet when they were given."""
    export: str = ""


async def models(request: Request) -> Response:
    view = open_view(request, path=urls.MODELS)
    by = next((tab for tab in TABS if tab.key == request.query_params.get("by")), TABS[0])
    view.kept = tuple((name, value) for name in ("by", "sort") if (value := request.query_params.get(name)))
    view.filters = replace(view.filters, extra=(*view.filters.extra, *view.kept))
    shell = await make_shell(view, "Models", urls.MODELS)
    which = view.which()
    try:
        await _see_models(view)
        within = bool(bounds_of(view.principal))
        rows = await compare(
            view.state.store, which, by.key, view.state.catalog, view.now_us, within=within, limit=ROWS
        )
        picked = _picked(request.query_params.getlist("pick"), rows)
        curves = {}
        if picked:
            width, zone = view.period.width_us, view.period.zone.key
            curves = await view.state.store.curves(which, by.key, picked, width_us=width, time_zone=zone)
    except StoreError as exc:
        return respond(Models(shell, trouble=str(exc)), 503)
    if not rows:
        wider = urls.models((*view.filters.pairs, *view.kept, ("period", "30d")))
        return respond(Models(shell, is_empty=True, wider=wider, tabs=_tabs(view, by), chips=_chips(view)))
    return respond(_page(view, shell, by, rows, picked, curves))


async def _see_models(view: View) -> None:
    palette = view.palette()
    if palette.is_empty:
        groups = await view.state.store.groups(SpanFilter(), "model", limit=len(COLORS))
        palette.see([group.key for group in groups if group.key])


def _picked(wanted: Sequence[str], rows: Sequence[Compared]) -> list[str]:
    """What the URL says, of what there is; else the costliest."""
    there = [row.profile.key for row in rows if row.profile.key]
    chosen = [name for name in dict.fromkeys(wanted) if name in there]
    return chosen[:MOST_PICKED] or there[:PICKED]


def _page(
    view: View,
    shell: Shell,
    by: Dimension,
    rows: list[Compared],
    picked: list[str],
    curves: dict[str, list[Bucket]],
) -> Models:
    sort = view.request.query_params.get("sort", "")
    sort = sort if sort in SORTS else "spend"
    rows = sorted(rows, key=SORTS[sort])
    colors = _colors(view, by, picked)
    is_model = by.key in ("model", "provider_model")
    families = _families(rows) if is_model else {}
    lengths = [row for name in picked for row in rows if row.profile.key == name and row.profile.whole.output.count]
    steps = [step for row in lengths for step in octaves(row.profile.outputs)]
    low, high = (min(steps), max(steps)) if steps else (0, 0)
    return Models(
        shell=shell,
        tabs=_tabs(view, by),
        chips=_chips(view),
        by_label=by.label,
        is_model=is_model,
        sort=sort,
        sort_links={name: _here(view, by, picked, sort=name) for name in SORTS},
        rows=[_row(view, by, row, picked, colors, families) for row in rows],
        picked=[(name, colors[name]) for name in picked],
        width_label=view.period.width_label,
        charts=charts(curves, colors, view.period, view.now_us) if curves else [],
        lengths=[_length(row, colors, low, high) for row in lengths],
        lengths_from=f"{2**low:,}",
        lengths_to=f"{2 ** (high + 1):,}",
        has_uncounted=any(_has_uncounted(row) for row in rows if row.profile.key in picked),
        export=urls.with_query(
            "/api/models/usage", (*view.filters.pairs, *view.period.shifted(0).items(), ("group_by", by.key))
        ),
    )


def _colors(view: View, by: Dimension, picked: Sequence[str]) -> dict[str, str]:
    """A model has its colour on every page; what has none gets one that nobody here has."""
    palette = view.palette()
    known = {name: palette.color(name) for name in picked} if by.key == "model" else {}
    colors = {name: color for name, color in known.items() if color in COLORS}
    spare = iter([color for color in COLORS if color not in colors.values()])
    return {name: colors.get(name) or next(spare) for name in picked}


def _families(rows: Sequence[Compared]) -> dict[str, list[str]]:
    """Keys by family, of those with more than one release."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.profile.key:
            found.setdefault(_family(row.profile.key), []).append(row.profile.key)
    return {family: keys for family, keys in found.items() if len(keys) > 1}


def _family(key: str) -> str:
    return family_of(key.rpartition("/")[2])


def _row(
    view: View,
    by: Dimension,
    row: Compared,
    picked: list[str],
    colors: dict[str, str],
    families: dict[str, list[str]],
) -> UsageRow:
    key, whole = row.profile.key, row.profile.whole
    totals = whole.totals
    failed = error_rate(totals)
    is_model = by.key in ("model", "provider_model")
    family = _family(key) if key and is_model else ""
    others = [name for name in picked if name != key] if key in picked else [*picked, key or ""]
    may_pick = key is not None and 0 < len(others) <= MOST_PICKED
    is_unpriced = bool(totals.unpriced and not totals.cost_nanousd)
    return UsageRow(
        name=key or by.nothing,
        providers=[key] if by.key == "provider" and key else [name.partition("/")[0] for name in row.served_as],
        href=_list(view, *filters_of(by, key)) if key else "",
        color=colors.get(key or "", ""),
        pick=_here(view, by, others) if may_pick else "",
        release=release_of(key.rpartition("/")[2]) if key and is_model else "",
        family=family,
        family_href=_here(view, by, families[family][:MOST_PICKED]) if family in families else "",
        spend=money_sum(totals.cost_nanousd),
        is_unpriced=is_unpriced,
        per_thousand=money_sum(None if is_unpriced else per_thousand(totals.cost_nanousd, totals.requests)),
        price=_quoted(row.prices),
        calls=count(totals.requests),
        failed=rate(totals.errors, totals.requests - totals.cancelled),
        is_failing=failed is not None and failed > 0.015,
        p50=duration(whole.latency.p50),
        p95=duration(whole.latency.p95),
        ttft=duration(whole.ttft.p50),
        speed=speed(tokens_per_second(totals)),
        length=short(whole.output.p50),
    )


def _quoted(prices: Sequence[Price]) -> Quoted:
    """Input and output of one price; of several, how many, with all of them in the title."""
    if not prices:
        return Quoted("", "")
    words = [f"{price.price_id}: {_rate(price, 'input')} in, {_rate(price, 'output')} out per Mtok" for price in prices]
    if len(prices) > 1:
        return Quoted(f"{len(prices)} prices", "\n".join(words))
    return Quoted(f"{_rate(prices[0], 'input')} · {_rate(prices[0], 'output')}", words[0])


def _rate(price: Price, unit: str) -> str:
    found = price.card.standard[unit]
    return "–" if found is None else dollars(Decimal(quoted_rate(unit, found.atto)))


def _length(row: Compared, colors: dict[str, str], low: int, high: int) -> LengthRow:
    steps, output = octaves(row.profile.outputs), row.profile.whole.output
    key = row.profile.key or ""
    return LengthRow(
        key,
        colors[key],
        spark_bars([float(steps.get(step, 0)) for step in range(low, high + 1)], height=36),
        count(output.count),
        short(output.p50),
        short(output.p95),
        count(output.max),
    )


def _has_uncounted(row: Compared) -> bool:
    """Whether the lengths add up to less than what was generated."""
    output = row.profile.whole.output
    return round((output.mean or 0) * output.count) < row.profile.whole.totals.output_tokens


def _here(view: View, by: Dimension, picked: Sequence[str], *, sort: str = "") -> str:
    kept = [("by", by.key)] if by.key != TABS[0].key else []
    sort = sort or view.request.query_params.get("sort", "")
    kept += [("sort", sort)] if sort and sort != "spend" else []
    kept += [("pick", name) for name in picked]
    return urls.models((*view.filters.pairs, *view.period.query.items(), *kept))


def _list(view: View, *plus: tuple[str, str]) -> str:
    """The rows behind a figure."""
    return urls.requests((*view.filters.narrowed(plus), *view.period.query.items()))


def _tabs(view: View, by: Dimension) -> list[Choice]:
    query = (*view.filters.pairs, *view.period.query.items())
    return [Choice(tab.label, urls.models((*query, ("by", tab.key))), tab.key == by.key) for tab in TABS]


def _chips(view: View) -> list[tuple[str, str, str]]:
    chips = [chip for chip in view.filters.chips if chip.name != "environment"]
    return [(f"{chip.label} {chip.op}", chip.value, chip.without) for chip in chips]
