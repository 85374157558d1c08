"""What a call cost and why: tokens × price, line by line, with the price's id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.control.reprice import spent_before
from gateway.core.span import Span
from gateway.dashboard.format import Figure, count, money, money_column, money_exact, plain
from pricing.catalog import Catalog
from pricing.price import Line, Price, dollars
from pricing.units import UNITS

LABELS = {
    "input": "Input",
    "cached_input": "Input, read from cache",
    "cache_write": "Input, written to cache",
    "cached_audio_input": "Input, audio from cache",
    "video_input": "Input, video",
    "cache_write_1h": "Input, written to cache for 1 h",
    "output": "Output",
    "reasoning": "Output, reasoning",
    "audio_input": "Input, audio",
    "audio_output": "Output, audio",
    "image_input": "Input, images",
    "image_output": "Output, images",
}


@dataclass(frozen=True)
class BillLine:
    label: str
    note: str
    quantity: Figure
    price: str
    """Dollars per million tokens, or with its unit."""
    amount: Figure


@dataclass(frozen=True)
class Bill:
    """`note` is a sentence about where the price is from. Without lines the reason is in it."""

    lines: list[BillLine]
    total: str
    """Every digit; empty where the cost is unknown."""
    total_quantity: Figure
    note: str
    price_id: str
    differs: str
    """Set where today's catalogue would say something else than what was booked."""
    shown: Figure


def bill_of(span: Span, catalog: Catalog | None) -> Bill:
    price = _price(span, catalog)
    lines = price.explain(span.usage, span.service_tier) if price is not None and span.usage is not None else []
    is_same = price is not None and price.price_id == span.price_id
    booked = span.cost_nanousd
    others = _others(span, catalog) if lines else []
    explained = sum(line.amount_nanousd or 0 for _, line in others) + sum(line.amount_nanousd or 0 for line in lines)
    explained += spent_before(span)
    differs = ""
    if lines and booked is not None and span.cost_source in ("catalog", "override") and explained != booked:
        differs = (
            f"Booked at {money_exact(booked)} with {span.price_id}; the price of then is not in the catalogue now."
        )
    return Bill(
        lines=_all_lines(span, lines, others) if not differs else [],
        total="" if booked is None else money_exact(booked),
        total_quantity=count(span.usage.total_tokens) if span.usage else plain(""),
        note=_note(span, price if is_same else None),
        price_id=span.price_id or "",
        differs=differs,
        shown=money(0 if booked is None and span.usage is None else booked),
    )


def _price(span: Span, catalog: Catalog | None) -> Price | None:
    if catalog is None or span.provider is None or span.cost_source not in ("catalog", "override"):
        return None
    model = span.priced_as or span.model or span.model_requested or ""
    return catalog.find(span.provider, model, span.started_at)


def _others(span: Span, catalog: Catalog | None) -> list[tuple[str, Line]]:
    """What was used of other models within the call, each line with its model."""
    found = []
    for part in span.also:
        price = catalog.find(span.provider or "", part.model, span.started_at) if catalog is not None else None
        if price is not None:
            found += [(part.model, line) for line in _sorted(price.explain(part.usage, part.service_tier))]
    return found


def _all_lines(span: Span, lines: Sequence[Line], others: Sequence[tuple[str, Line]]) -> list[BillLine]:
    """The call's own lines, then those of other models, then what failed attempts before it cost."""
    named = [*(("", line) for line in _sorted(lines)), *others]
    before = spent_before(span)
    amounts = money_column([*(line.amount_nanousd for _, line in named), *([before] if before else [])])
    shown = [_line(line, amount, model) for (model, line), amount in zip(named, amounts, strict=False)]
    if before:
        shown.append(BillLine("Attempts before it", "as they were booked", plain(""), "–", amounts[-1]))
    return shown


def _sorted(lines: Sequence[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: list(UNITS).index(line.unit))


def _line(line: Line, amount: Figure, model: str = "") -> BillLine:
    notes = [model] if model else []
    notes += [f"{line.tier} tier"] if line.tier else []
    notes += [f"above {line.above_tokens:,} tokens"] if line.above_tokens else []
    if line.rated_as and line.unit != "reasoning":  # which nobody expects to cost something else than output
        notes.append(f"at the price of {LABELS.get(line.rated_as, line.rated_as)}")
    is_token = line.noun == "token"
    quantity = count(int(line.quantity)) if line.quantity == int(line.quantity) else plain(f"{line.quantity:,}")
    price = "–" if line.rate_usd is None else dollars(line.rate_usd).removeprefix("$") if is_token else line.rate
    label = LABELS.get(line.unit, line.unit.replace("_", " ").capitalize())
    return BillLine(label, ", ".join(notes), quantity, price, amount)


SOURCES = {
    "catalog": "from the catalogue",
    "override": "from your own prices",
    "provider": "The provider itself said what it bills.",
}
USAGE = {
    "reported": "Tokens as reported by the provider.",
    "estimated": "Tokens are estimated: the provider reported none.",
    "none": "The provider reported no tokens.",
}


def _note(span: Span, price: Price | None) -> str:
    usage = USAGE.get(span.usage_source, "")
    if span.cache == "hit":
        return "Answered from the gateway’s own cache: it cost nothing."
    if span.cost_source == "provider":
        return f"{SOURCES['provider']} {usage}"
    if span.cost_source in ("catalog", "override"):
        since = f", valid since {price.valid_from}" if price is not None and price.valid_from else ""
        return f"{SOURCES[span.cost_source]}{since}. {usage}"
    if span.usage is None:
        return "Nothing was used that costs anything, or the provider did not say so."
    name = "/".join(filter(None, [span.provider, span.model]))
    advice = "Set one under prices.overrides; callgate prices reprice books it."
    return f"{name} has no price in the catalogue. {usage} {advice}"
