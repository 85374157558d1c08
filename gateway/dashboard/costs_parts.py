"""Parts of the Costs page: rows of the breakdown, why spend changed, what-if, and two values side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.control.costs import Summary, per_thousand
from gateway.control.pricing_sums import WhatIf, cheaper, what_if
from gateway.dashboard.charts import Spark, percent, spark
from gateway.dashboard.format import (
    MINUS,
    Delta,
    Figure,
    change,
    count,
    duration,
    money_sum,
    plain,
    plural,
    rate,
    share,
    short,
)
from gateway.store.base import Group, Totals

if TYPE_CHECKING:
    from pricing.catalog import Catalog

Label = Callable[[str], str]
"""A group's key → what people call it."""


@dataclass(frozen=True)
class CostRow:
    name: str
    href: str
    color: str
    is_unpriced: bool
    """Nothing of it has a price."""
    spend: Figure
    part: str
    part_figure: Figure
    before: Figure
    change: Figure
    delta: Delta | None
    requests: Figure
    input: Figure
    cached: Figure
    output: Figure
    per_thousand: Figure
    spark: Spark | None = None


@dataclass(frozen=True)
class CauseBar:
    """One step from the spend of before to that of now."""

    label: str
    left: str
    width: str
    color: str
    figure: Figure
    is_end: bool = False


@dataclass(frozen=True)
class MoveRow:
    title: str
    note: str
    figure: Figure
    tone: str


@dataclass(frozen=True)
class WhatIfForm:
    sources: list[str]
    targets: list[str]
    source: str
    target: str
    trouble: str = ""


@dataclass(frozen=True)
class SideRow:
    label: str
    left: Figure
    right: Figure
    difference: str = ""
    delta: Delta | None = None


def cost_rows(
    groups: Sequence[Group],
    before: Sequence[Group],
    whole: Totals,
    *,
    all_before: bool,
    name: Callable[[str | None], str],
    color: Callable[[str | None], str],
    link: Callable[[str | None], str],
) -> list[CostRow]:
    """`all_before`: a group that is not in `before` had no calls; else nobody knows."""
    was = {group.key: group.totals for group in before}
    nothing = Totals() if all_before else None
    return [
        _row(
            group.totals,
            was.get(group.key, nothing),
            whole,
            (name(group.key), link(group.key), color(group.key)),
            spark([float(value) for value in group.series], color="var(--chart-before)", height=18),
        )
        for group in groups
    ]


def total_row(now: Totals, before: Totals) -> CostRow:
    return _row(now, before, now, ("Total", "", ""), None)


def _row(now: Totals, before: Totals | None, whole: Totals, named: tuple[str, str, str], line: Spark | None) -> CostRow:
    cost, past = now.cost_nanousd, None if before is None else before.cost_nanousd
    name, href, color = named
    return CostRow(
        name=name,
        href=href,
        color=color,
        is_unpriced=bool(now.unpriced and not cost),
        spend=money_sum(cost),
        part=percent(cost, whole.cost_nanousd),
        part_figure=share(cost, whole.cost_nanousd),
        before=money_sum(past),
        change=money_sum(None) if past is None else signed(cost - past),
        delta=change(cost, past),
        requests=count(now.requests),
        input=short(now.input_tokens),
        cached=share(now.cached_input_tokens, now.input_tokens),
        output=short(now.output_tokens),
        per_thousand=money_sum(per_thousand(cost, now.requests)),
        spark=line,
    )


def signed(nanousd: int) -> Figure:
    """A difference: with its sign, a plus too."""
    figure = money_sum(nanousd)
    if nanousd <= 0:
        return figure
    (kind, text), *rest = figure.parts
    return Figure(((kind, f"+{text}"), *rest), f"+{figure.title}")


def cause_bars(found: Summary) -> list[CauseBar]:
    """From before to now; empty where nothing was before, for then there is nothing to explain."""
    before, now, parts = found.before.cost_nanousd, found.now.cost_nanousd, found.causes
    if not before:
        return []
    steps = (
        ("More requests" if parts.volume_nanousd >= 0 else "Fewer requests", parts.volume_nanousd),
        ("Mix of models", parts.mix_nanousd),
        ("Cost per call", parts.per_call_nanousd),
    )
    reached = [before]
    for _, amount in steps:
        reached.append(reached[-1] + amount)
    low, high = min(*reached, now), max(*reached, now)
    start = max(0, low - (high - low) // 3)
    reach = (high - start) or 1
    bars = [CauseBar("Before", "0%", percent(before - start, reach), "var(--text-3)", money_sum(before), True)]
    for (label, amount), at in zip(steps, reached, strict=False):
        left, width = min(at, at + amount) - start, abs(amount)
        color = "var(--success-mark)" if amount < 0 else "var(--accent-solid)"
        bars.append(CauseBar(label, percent(left, reach), percent(width, reach), color, signed(amount)))
    bars.append(CauseBar("Now", "0%", percent(now - start, reach), "var(--text-3)", money_sum(now), True))
    return bars


def moves(
    models: list[Group], catalog: Catalog, at_us: int, source: str, target: str
) -> tuple[WhatIfForm, list[MoveRow]]:
    """What was asked for, or the moves between models in use that would have saved most."""
    names = [group.key for group in models if group.key]
    chosen = [group for group in models if not source or group.key == source]
    trouble = ""
    if target:
        found = [move for group in chosen if (move := what_if(group, target, catalog, at_us)) is not None]
        trouble = "" if found else f"No price by the token is known for {target}."
    else:
        found = cheaper(models, catalog, at_us)
    form = WhatIfForm(names, names, source, target, trouble)
    return form, [_move(move) for move in found]


def _move(move: WhatIf) -> MoveRow:
    difference = move.difference_nanousd
    return MoveRow(
        title=f"{move.source} at the prices of {move.target}",
        note=f"{plural(move.requests, 'call')}, {money_sum(move.cost_nanousd)} → {money_sum(move.would_cost_nanousd)}",
        figure=signed(difference),
        tone="success" if difference < 0 else "",
    )


def side_by_side(left: Group, right: Group) -> list[SideRow]:
    one, other = left.totals, right.totals
    rows = [
        _money_side("Spend", one.cost_nanousd, other.cost_nanousd),
        _money_side("Per 1,000 requests", *(per_thousand(each.cost_nanousd, each.requests) for each in (one, other))),
        _money_side("Per 1,000 tokens", *(per_thousand(each.cost_nanousd, _tokens(each)) for each in (one, other))),
        _count_side("Requests", one.requests, other.requests),
        _count_side("Input tokens", one.input_tokens, other.input_tokens),
        _count_side("Output tokens", one.output_tokens, other.output_tokens),
        SideRow("Input from cache", _cached(one), _cached(other)),
        SideRow("Success", _success(one), _success(other)),
    ]
    for label, name in (("Latency, p50", "p50"), ("Latency, p95", "p95")):
        a, b = getattr(left.latency, name), getattr(right.latency, name)
        rows.append(SideRow(label, duration(a), duration(b), delta=change(b, a, better="down")))
    return [*rows, SideRow("Tokens per second", _speed(one), _speed(other))]


def _money_side(label: str, left: int | None, right: int | None) -> SideRow:
    difference = "–" if left is None or right is None else str(signed(right - left))
    return SideRow(label, money_sum(left), money_sum(right), difference, change(right, left))


def _count_side(label: str, left: int, right: int) -> SideRow:
    difference = f"{right - left:+,}".replace("-", MINUS)
    return SideRow(label, count(left), count(right), difference, change(right, left))


def _tokens(totals: Totals) -> int:
    return totals.input_tokens + totals.output_tokens


def _cached(totals: Totals) -> Figure:
    return share(totals.cached_input_tokens, totals.input_tokens)


def _success(totals: Totals) -> Figure:
    return rate(_answered(totals) - totals.errors, _answered(totals))


def _answered(totals: Totals) -> int:
    return totals.requests - totals.cancelled


def _speed(totals: Totals) -> Figure:
    """Of streams: how fast they wrote after their first token."""
    if not totals.generation_us:
        return plain("–", title="no streams", nil=True)
    return plain(f"{totals.generation_tokens * 1_000_000 / totals.generation_us:.0f}")
