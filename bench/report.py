"""What a part answers with, and the page they make together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

UNSTEADY_SHARE = 0.15


@dataclass(frozen=True)
class Claim:
    """A figure with a bound: a ratio or a difference within the run, or a promise in absolute terms."""

    what: str
    measured: float
    bound: float
    unit: str = ""
    at_least: bool = False
    """Whether more is better; else `bound` is the most it may be."""

    @property
    def met(self) -> bool:
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound


@dataclass(frozen=True)
class Table:
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass
class Section:
    title: str
    about: str
    """What was done, so that a reader could do it again."""
    tables: list[Table] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    disturbed: bool = False
    """Something else was using the machine meanwhile: not to be quoted."""


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median and range of several rounds, e.g. `35,210 (34,800–35,900)`."""
    middle, low, high = (f"{value:,.{digits}f}" for value in (median(values), min(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({low}–{high})"


def unsteady(values: Sequence[float]) -> bool:
    """Whether rounds of the same thing differ by so much that they did not have the machine to themselves."""
    return max(values) - min(values) > UNSTEADY_SHARE * median(values)


def rounds_of(count: int, seconds: float) -> str:
    return f"{count} round{'' if count == 1 else 's'} of {seconds:g} s"


def number(value: float, unit: str = "") -> str:
    """As many digits as the value deserves: three significant ones, but all of a whole number."""
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}{' ' if unit else ''}{unit}"


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all are not above (nearest rank). `ordered` is sorted and not empty."""
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]


def render(facts: Mapping[str, str], sections: Sequence[Section], busy: Mapping[int, float], quiet: bool) -> str:
    quiet = quiet and not any(section.disturbed for section in sections)
    lines = ["# Benchmark results", "", *_preamble(quiet), ""]
    lines += _table(Table(("", ""), [*facts.items(), ("busy before", _busy(busy))]))
    lines += ["", "## Targets", ""]
    claims = [claim for section in sections for claim in section.claims]
    lines += _table(Table(("what", "measured", "target", ""), [_claim_row(claim) for claim in claims]))
    for section in sections:
        lines += ["", f"## {section.title}", "", section.about, ""]
        for table in section.tables:
            lines += [*_table(table), ""]
        lines += [f"- {note}" for note in section.notes]
    return "\n".join(lines).rstrip() + "\n"


def _preamble(quiet: bool) -> list[str]:
    text = (
        "Written by `make bench`. The gateway has core 0 to itself; its recorder, the upstream (nginx) and the load "
        "are on core 1. Everything is on: keys, tags, usage, cost, journal, recorder, bodies. Absolute figures are the "
        "machine's; the claims are ratios and differences between servers measured in turn in this one run."
    )
    warning = "**Something else was using the machine before or during the run: not to be quoted.**"
    return [text] if quiet else [text, "", warning]


def _busy(shares: Mapping[int, float]) -> str:
    return ", ".join(f"core {core}: {share:.0%}" for core, share in sorted(shares.items()))


def _claim_row(claim: Claim) -> tuple[str, str, str, str]:
    bound = f"{'≥' if claim.at_least else '≤'} {number(claim.bound, claim.unit)}"
    return claim.what, number(claim.measured, claim.unit), bound, "met" if claim.met else "**missed**"


def _table(table: Table) -> list[str]:
    """Numbers read best at the right, names at the left."""
    rules = [":--", *["--:"] * (len(table.columns) - 1)]
    return [f"| {' | '.join(row)} |" for row in (table.columns, rules, *table.rows)]
