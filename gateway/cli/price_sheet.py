"""Prices as text: the sheet of one model, an example bill, and what a refresh or a repricing changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from gateway.cli.check import aligned
from gateway.control.reprice import Difference, Preview
from pricing import Cost, Line, Price, Usage
from pricing.card import STANDARD, RateKey
from pricing.history import iso_time
from pricing.price import dollars, quoted_noun, quoted_rate
from pricing.refresh import Change, Refresh
from pricing.units import UNITS

_CHANGES_SHOWN = 20
_EXAMPLE_TOKENS = Usage(input_tokens=10_000, cached_input_tokens=4_000, output_tokens=1_000, reasoning_tokens=300)
_EXAMPLE_INPUT = Usage(input_tokens=10_000)
_EXAMPLE_OTHER = Usage(search_units=1, pages=10, characters=1_000, audio_seconds=90.5, images=1)


def sheet(price: Price, catalog_source: str, others: Sequence[Price]) -> list[str]:
    """Everything there is to say about a price. `others` are the model's prices of other times."""
    lines = [f"{price.provider}/{price.model}", *_facts(price, catalog_source), "", *_rate_table(price)]
    lines += ["", *_example(price)]
    if others:
        lines += ["", "At other times:", *aligned(_period_rows(others))]
    return lines


def _facts(price: Price, catalog_source: str) -> list[str]:
    rows = [("price id", price.price_id)]
    if price.key != price.model:
        rows.append(("listed as", price.key))
    own = price.source == "override"
    rows.append(("from", "your configuration (prices.overrides)" if own else f"the catalogue: {catalog_source}"))
    if price.origin:
        rows.append(("published at", price.origin))
    rows.append(("valid", _validity(price)))
    if price.mode:
        rows.append(("kind", price.mode.replace("_", " ")))
    if price.context_window:
        out = f", {price.max_output_tokens:,} out" if price.max_output_tokens else ""
        rows.append(("context", f"{price.context_window:,} tokens in{out}"))
    return [f"  {line}" for line in aligned(rows)]


def _validity(price: Price) -> str:
    start = "as far back as is known" if price.valid_from_us is None else f"from {iso_time(price.valid_from_us)}"
    return f"{start}, {'until further notice' if price.valid_to_us is None else f'until {iso_time(price.valid_to_us)}'}"


def _rate_table(price: Price) -> list[str]:
    """A row for each tier and size, a column for each unit; a dot where the row above all others holds."""
    rates = price.card.rates
    if not rates:
        return ["The catalogue lists the model, but no price that a call can have: its calls are unpriced."]
    units = [name for name in UNITS if any(key.unit == name for key in rates)]
    situations = sorted({(key.tier, key.above_tokens) for key in rates} | {(STANDARD, 0)})
    rows = [("", *(name.replace("_", " ") for name in units)), ("$ per", *map(quoted_noun, units))]
    for tier, above in situations:
        cells = (rates.get(RateKey(name, tier, above)) for name in units)
        shown = (
            "·" if rate is None else dollars(quoted_rate(name, rate)) for name, rate in zip(units, cells, strict=True)
        )
        rows.append((_situation(tier, above), *shown))
    notes = ["A dot: as in the standard row; a part without a price of its own costs what the whole does."]
    return [*(f"  {line}" for line in aligned(rows)), "", *notes, *_card_notes(price)]


def _situation(tier: str, above: int) -> str:
    size = f"above {above:,} input tokens" if above else ""
    return ", ".join(filter(None, (tier, size))) or "standard"


def _card_notes(price: Price) -> list[str]:
    notes = []
    if any(key.above_tokens for key in price.card.rates):
        notes.append("Above a size, the whole request has that price, not only what exceeds it.")
    if price.card.searches_per_request:
        notes.append("A request that searches pays for one search, however many it makes.")
    return notes


def _example(price: Price) -> list[str]:
    usage = _example_usage(price)
    lines = price.explain(usage)
    cost = price.cost(usage)
    if cost is None:
        return ["No example: not every unit has a price."]
    return ["For example:", *(f"  {line}" for line in bill(lines, cost))]


def _example_usage(price: Price) -> Usage:
    if not price.card.by_token:
        return _EXAMPLE_OTHER
    return _EXAMPLE_INPUT if price.card.input_only else _EXAMPLE_TOKENS


def bill(lines: Iterable[Line], cost: Cost) -> list[str]:
    """A bill with its sum. Every amount is exact to the nano-dollar, and they add up."""
    rows = [(*_bill_line(line), amount(line.amount_nanousd), _remark(line)) for line in lines]
    rows.append(("", "", "", "", "total", "=", amount(cost.total_nanousd), ""))
    return aligned(rows)


def _bill_line(line: Line) -> tuple[str, ...]:
    plural = "" if line.quantity == 1 else "s"
    return f"{line.quantity:,f}", f"{line.noun}{plural}", line.unit.replace("_", " "), "×", line.rate, "="


def _remark(line: Line) -> str:
    said = [f"priced as {line.rated_as.replace('_', ' ')}"] if line.rated_as else []
    situation = _situation(line.tier or STANDARD, line.above_tokens or 0)
    return ", ".join([*said, *([] if situation == "standard" else [situation])])


def amount(nanousd: int | None) -> str:
    """`$0.001885`; nine digits after the point at most, because there are no more."""
    if nanousd is None:
        return "unpriced"
    sign = "−" if nanousd < 0 else ""
    return sign + dollars(Decimal(abs(nanousd)).scaleb(-9))


def _period_rows(others: Sequence[Price]) -> list[tuple[str, ...]]:
    return [("", price.price_id, _validity(price), ", ".join(_token_rates(price))) for price in others]


def _token_rates(price: Price) -> list[str]:
    standard = price.card.standard
    return [
        f"{name.replace('_', ' ')} {dollars(quoted_rate(name, rate.atto))} / {quoted_noun(name)}"
        for name, rate in standard.items()
        if rate is not None and rate.key.unit == name
    ]


def refresh_report(refresh: Refresh) -> list[str]:
    """What a new price file changes, in words."""
    changes = refresh.changes
    models = sorted({change.key for change in changes.changed})
    lines = [
        f"{refresh.models:,} models from {refresh.source}",
        f"added {len(changes.added)}, changed {len(models)}, removed {len(changes.removed)}",
    ]
    lines += _shown("added", changes.added)
    lines += _shown("changed", [_change(change) for change in changes.changed])
    return lines + _shown("removed", changes.removed)


def _change(change: Change) -> str:
    return f"{change.key}: {change.field} {_value(change.old)} → {_value(change.new)}"


def _value(value: object) -> str:
    if value is None:
        return "not stated"
    return f"${value.normalize():f}" if isinstance(value, Decimal) else str(value)


def _shown(title: str, items: Sequence[str]) -> list[str]:
    more = len(items) - _CHANGES_SHOWN
    shown = [f"  {title}  {item}" for item in items[:_CHANGES_SHOWN]]
    return [*shown, f"  {title}  … and {more} more"] if more > 0 else shown


def repricing_table(found: Preview) -> list[str]:
    """By model, the largest difference first, and the total."""
    if not found.models:
        return _left_alone(found)
    head = ("model", "calls", "old", "new", "difference", "newly priced")
    by_size = sorted(found.models.items(), key=lambda item: -abs(item[1].difference_nanousd))
    rows = [head, *(_difference_row(name, one) for name, one in by_size), _difference_row("total", found.total)]
    return aligned(rows) + _left_alone(found)


def calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"


def _left_alone(found: Preview) -> list[str]:
    lines = []
    if found.kept:
        lines.append(f"{calls(found.kept)} with a cost that stays: no price is known now.")
    if found.unpriced:
        lines.append(f"{calls(found.unpriced)} without a cost: no price is known.")
    return lines


def _difference_row(name: str, one: Difference) -> tuple[str, ...]:
    new = f"{one.newly_priced:,}" if one.newly_priced else ""
    difference = amount(one.difference_nanousd)
    signed = f"+{difference}" if one.difference_nanousd > 0 else difference
    return name, f"{one.calls:,}", amount(one.old_nanousd), amount(one.new_nanousd), signed, new
