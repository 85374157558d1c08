"""Numbers as the pages show them: the table "Numbers" of docs/dashboard.md, and nothing else.

Every function is pure and returns a `Figure`, which the macro `fig` turns into markup. `None` becomes an en dash,
never a zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

MINUS = "\N{MINUS SIGN}"
NANO = 10**9
SECOND = 10**6
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND


@dataclass(frozen=True)
class Figure:
    """A number in pieces: `lead` (the zeros before the first digit that matters), `main`, `unit`."""

    parts: tuple[tuple[str, str], ...]
    title: str = ""
    """The exact value in words, where the figure is rounded."""
    missing: int = 0
    """Decimals it lacks to the longest of its column, so that decimal points align."""
    nil: bool = False
    """Unknown, or nothing at all: quiet."""

    def __str__(self) -> str:
        return "".join(text for _, text in self.parts)


@dataclass(frozen=True)
class Delta:
    """A change against the period before. `tone` is empty where no direction is good, and where it is small."""

    text: str
    direction: str
    """`up`, `down` or `same`."""
    tone: str = ""


UNKNOWN = Figure((("main", "–"),), title="unknown", nil=True)


def plain(text: str, *, title: str = "", nil: bool = False) -> Figure:
    return Figure((("main", text),), title=title, nil=nil)


# ------------------------------------------------------------------------------------------------ money


def money(nanousd: int | None) -> Figure:
    """Of one call: three significant digits under a dollar, cents from there on; never rounded to zero."""
    if nanousd is None:
        return Figure((("main", "unpriced"),), title="no price is known for what this used", nil=True)
    if nanousd == 0:
        return plain("$0.00", nil=True)
    sign, amount = _signed(nanousd)
    if amount >= NANO - NANO // 2000:  # 0.9995 and more would round to a dollar
        return Figure((("main", f"{sign}${_cents(amount)}"),), title=money_exact(nanousd))
    return Figure(_significant(sign, amount), title=money_exact(nanousd))


def money_sum(nanousd: int | None) -> Figure:
    """A sum: two decimals, thousands separated; only what would read $0.00 keeps its significant digits."""
    if nanousd is None:
        return UNKNOWN
    sign, amount = _signed(nanousd)
    if 0 < amount < NANO // 100:
        return Figure(_significant(sign, amount), title=money_exact(nanousd))
    return Figure((("main", f"{sign}${_cents(amount)}"),), title=money_exact(nanousd))


def money_exact(nanousd: int) -> str:
    """Every digit: `$0.0186396`."""
    sign, amount = _signed(nanousd)
    whole, fraction = divmod(amount, NANO)
    digits = f"{fraction:09d}".rstrip("0").ljust(2, "0")
    return f"{sign}${whole:,}.{digits}"


def money_column(amounts: Iterable[int | None]) -> list[Figure]:
    """Money under each other: every figure knows how many decimals it lacks to the longest."""
    figures = [money(amount) for amount in amounts]
    decimals = [_decimals(figure) for figure in figures]
    longest = max(decimals, default=0)
    return [
        figure if str(figure) == "unpriced" else Figure(figure.parts, figure.title, longest - own, figure.nil)
        for figure, own in zip(figures, decimals, strict=True)
    ]


def _signed(amount: int) -> tuple[str, int]:
    return (MINUS, -amount) if amount < 0 else ("", amount)


def _cents(nanousd: int) -> str:
    return f"{(Decimal(nanousd) / NANO).quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


def _significant(sign: str, nanousd: int) -> tuple[tuple[str, str], ...]:
    """Three significant digits of less than a dollar. A nano-dollar is the smallest there is: never exponents."""
    zeros = 9 - len(str(nanousd))
    places = min(9, zeros + 3)
    rounded = (Decimal(nanousd) / NANO).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    digits = f"{rounded:f}".partition(".")[2]
    main = digits.lstrip("0")
    lead = digits[: len(digits) - len(main)]
    if len(main) > 3:  # rounding up gave a digit more: 0.09996 is 0.100
        main = main[:3]
    if not lead:
        return (("main", f"{sign}$0.{main}"),)
    return ("lead", f"{sign}$0.{lead}"), ("main", main)


def _decimals(figure: Figure) -> int:
    return len(str(figure).partition(".")[2])


# ------------------------------------------------------------------------------------------------ counts


def count(number: int | None) -> Figure:
    """Every digit up to a million, where numbers are compared."""
    if number is None:
        return UNKNOWN
    return plain(f"{number:,}") if abs(number) < 1_000_000 else short(number)


def short(number: int | None) -> Figure:
    """Three digits and k, M or B."""
    if number is None:
        return UNKNOWN
    if abs(number) < 1000:
        return plain(str(number))
    scaled, units = Decimal(number) / 1000, "kMBT"
    while abs(scaled) >= Decimal("999.5") and len(units) > 1:
        scaled, units = scaled / 1000, units[1:]
    return Figure((("main", _three(scaled)), ("unit", units[0])), title=f"{number:,}")


def size(number: int | None) -> Figure:
    """Bytes: `14.2 kB`."""
    if number is None:
        return UNKNOWN
    if number < 1000:
        return Figure((("main", str(number)), ("unit", " B")))
    figure = short(number)
    return Figure((figure.parts[0], ("unit", f" {figure.parts[1][1]}B")), title=f"{number:,} bytes")


def share(part: int | None, whole: int | None) -> Figure:
    """A part of something: `46%`, one decimal under ten."""
    if part is None or not whole:
        return UNKNOWN
    percent = Decimal(part) * 100 / whole
    text = f"{percent:.0f}" if percent >= 10 or percent == 0 else f"{percent:.1f}"
    if part and text == "0.0":
        text = "<0.1"
    return Figure((("main", text), ("unit", "%")), title=f"{part:,} of {whole:,}")


def rate(part: int | None, whole: int | None) -> Figure:
    """Success and failure: two decimals, and neither 0 nor 100 unless it is exactly that."""
    if part is None or not whole:
        return UNKNOWN
    percent = Decimal(part) * 100 / whole
    if part in (0, whole):
        text = "100" if part else "0"
    else:
        text = f"{min(max(percent, Decimal('0.01')), Decimal('99.99')):.2f}"
    return Figure((("main", text), ("unit", "%")), title=f"{part:,} of {whole:,}")


def _three(number: Decimal) -> str:
    """Three significant digits of a number under 999.5."""
    places = 2 if abs(number) < Decimal("9.995") else 1 if abs(number) < Decimal("99.95") else 0
    return f"{number:.{places}f}"


# ------------------------------------------------------------------------------------------------ time


def duration(us: float | None) -> Figure:
    """Three significant digits: 41µs, 412ms, 9.12s; then 2m 00s, 1h 05m, 6d 04h."""
    if us is None:
        return UNKNOWN
    if us < 999.5:
        return Figure((("main", f"{us:.0f}"), ("unit", "µs")))
    if us < 999.5 * 1000:
        return Figure((("main", _three(Decimal(us) / 1000)), ("unit", "ms")))
    if us < 99.95 * SECOND:
        return Figure((("main", _three(Decimal(us) / SECOND)), ("unit", "s")))
    seconds = round(us / SECOND)
    for bound, big, small, ratio in ((3600, "m", "s", 1), (86400, "h", "m", 60), (10**12, "d", "h", 3600)):
        if seconds < bound:
            first, rest = divmod(seconds // ratio, 24 if big == "d" else 60)
            return Figure((("main", str(first)), ("unit", big), ("main", f" {rest:02d}"), ("unit", small)))
    return UNKNOWN


def moment(us: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(us / SECOND, UTC).astimezone(zone)


def clock(us: int, zone: ZoneInfo) -> str:
    return f"{moment(us, zone):%H:%M:%S}"


def clock_ms(us: int, zone: ZoneInfo) -> str:
    return f"{moment(us, zone):%H:%M:%S}.{us // 1000 % 1000:03d}"


def day(us: int, zone: ZoneInfo) -> str:
    at = moment(us, zone)
    return f"{at:%a} {at.day} {at:%b}"


def full(us: int, zone: ZoneInfo) -> str:
    """`Fri 20 Nov 2026, 20:31:04.977 UTC`."""
    at = moment(us, zone)
    return f"{at:%a} {at.day} {at:%b %Y}, {clock_ms(us, zone)} {at:%Z}"


def span_of_time(from_us: int, to_us: int, zone: ZoneInfo) -> str:
    """`Fri 20 Nov, 14:30 – 15:00`; whole days without clock."""
    start, end = moment(from_us, zone), moment(to_us, zone)
    if to_us - from_us >= 20 * HOUR:
        last = moment(to_us - 1, zone)
        return day(from_us, zone) if start.date() == last.date() else f"{day(from_us, zone)} – {day(to_us - 1, zone)}"
    pattern = "%H:%M:%S" if start.second or end.second else "%H:%M"
    head = f"{day(from_us, zone)}, {start.strftime(pattern)} – "
    same = start.date() == end.date() or to_us - from_us < DAY
    return head + (end.strftime(pattern) if same else f"{day(to_us, zone)}, {end.strftime(pattern)}")


def ago(us: int, now_us: int) -> str | None:
    """`26 s ago`; None after an hour: then only the absolute time says something."""
    seconds = max(0, now_us - us) // SECOND
    if seconds >= 3600:
        return None
    return f"{seconds} s ago" if seconds < 60 else f"{seconds // 60} min ago"


# ------------------------------------------------------------------------------------------------ changes, names


def change(now: float | None, before: float | None, *, better: str = "") -> Delta | None:
    """In percent. `better` is `up`, `down` or empty where no direction is good. None without anything to compare."""
    if now is None or not before:
        return None
    percent = (now - before) * 100 / before
    text = f"{abs(percent):.1f}%" if abs(percent) < 100 else f"{abs(percent):,.0f}%"
    return _delta(text, percent, weight=abs(percent), least=2, better=better)


def change_points(now: float | None, before: float | None, *, better: str = "up") -> Delta | None:
    """Of two shares (0…1), in percentage points."""
    if now is None or before is None:
        return None
    points = (now - before) * 100
    return _delta(f"{abs(points):.2f} pt", points, weight=abs(points), least=0.2, better=better)


def _delta(text: str, amount: float, *, weight: float, least: float, better: str) -> Delta:
    if not any(character in "123456789" for character in text):
        return Delta(text, "same")
    direction = "up" if amount > 0 else "down"
    if not better or weight < least:
        return Delta(text, direction)
    return Delta(text, direction, "success" if direction == better else "error")


def short_id(text: str) -> str:
    """`01a02c31…7d10`; whole where it is short."""
    return text if len(text) <= 14 else f"{text[:8]}…{text[-4:]}"


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
