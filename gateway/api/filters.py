"""The language of query strings, in both directions: parameters ↔ `SpanFilter`.

The API, the dashboard's URLs and the command line speak it. Parameters repeat: values of one are alternatives,
different ones add up. `model=!x` leaves out what `model=x` finds; a value that itself begins with `!` (or `\\`) is
written with a `\\` before it. An empty value is as none. A name that is not known is an error, not a filter that
silently does nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any

from gateway.api.errors import invalid
from gateway.core.span import ERROR_TYPES
from gateway.store.base import EXCLUDABLE, SpanFilter

Params = Iterable[tuple[str, str]]

PERIODS = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "3h": timedelta(hours=3),
    "6h": timedelta(hours=6),
    "12h": timedelta(hours=12),
    "24h": timedelta(hours=24),
    "2d": timedelta(days=2),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
ORDERS = ("newest", "oldest", "slowest", "costliest")
MAX_LIMIT = 1000

TEXT_FIELDS = (
    "model",
    "provider",
    "tenant",
    "environment",
    "config",
    "variant",
    "kind",
    "user",
    "session",
    "trace",
    "prompt",
    "prompt_version",
    "key",
)
AMOUNTS = {
    "min_latency_ms": ("min_latency_us", 1_000, ROUND_CEILING),
    "max_latency_ms": ("max_latency_us", 1_000, ROUND_FLOOR),
    "min_cost_usd": ("min_cost_nanousd", 1_000_000_000, ROUND_CEILING),
    "max_cost_usd": ("max_cost_nanousd", 1_000_000_000, ROUND_FLOOR),
    "min_input_tokens": ("min_input_tokens", 1, ROUND_CEILING),
    "max_input_tokens": ("max_input_tokens", 1, ROUND_FLOOR),
    "min_output_tokens": ("min_output_tokens", 1, ROUND_CEILING),
    "max_output_tokens": ("max_output_tokens", 1, ROUND_FLOOR),
}
"""Parameter → (field, parts in its unit, rounding to whole parts)."""
NAMES = ("from", "to", "period", *TEXT_FIELDS, "status", "stream", *AMOUNTS, "unpriced", "q", "tag.KEY")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_VALUES = 200
MAX_VALUE_LENGTH = 1000
MAX_AMOUNT = 10**18
"""In µs or nano-dollars; what a database's integer holds, with room."""
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_MICROSECOND = timedelta(microseconds=1)


def parse_filter(params: Params, *, now_us: int, also: Collection[str] = ()) -> SpanFilter:
    """`also` names parameters that are read elsewhere. Raises CallError 400 that names parameter, value and way out."""
    values, exclude = _without_excluded(grouped(params, also=also))
    from_us, to_us = _period(values, now_us)
    fields: dict[str, Any] = {name: tuple(values.get(name, ())) for name in TEXT_FIELDS}
    fields |= {field: _amount(values, name) for name, (field, _, _) in AMOUNTS.items()}
    return SpanFilter(
        **fields,
        from_us=from_us,
        to_us=to_us,
        status=tuple(_status(value) for value in values.get("status", ())),
        stream=_flag(values, "stream"),
        unpriced=bool(_flag(values, "unpriced")),
        q=single(values, "q"),
        tags=tuple((name.removeprefix("tag."), tuple(found)) for name, found in values.items() if is_tag(name)),
        exclude=exclude,
    )


def filter_params(which: SpanFilter) -> list[tuple[str, str]]:
    """The parameters that `parse_filter` reads as this filter."""
    params: list[tuple[str, str]] = []
    if which.from_us is not None:
        params.append(("from", iso_time(which.from_us)))
    if which.to_us is not None:
        params.append(("to", iso_time(which.to_us)))
    for name in (*TEXT_FIELDS, "status"):
        params += [(name, _quoted(value)) for value in getattr(which, name)]
    if which.stream is not None:
        params.append(("stream", "true" if which.stream else "false"))
    for name, (field, parts, _) in AMOUNTS.items():
        amount = getattr(which, field)
        if amount is not None:
            params.append((name, f"{(Decimal(amount) / parts).normalize():f}"))
    if which.unpriced:
        params.append(("unpriced", "true"))
    if which.q is not None:
        params.append(("q", which.q))
    params += [(f"tag.{key}", _quoted(value)) for key, found in which.tags for value in found]
    for name, found in which.exclude:
        params += [(name.replace("tag:", "tag.", 1), f"!{value}") for value in found]
    return params


def _without_excluded(
    values: dict[str, list[str]],
) -> tuple[dict[str, list[str]], tuple[tuple[str, tuple[str, ...]], ...]]:
    """The values that are wanted, and those that are not, in the form of `SpanFilter.exclude`."""
    wanted: dict[str, list[str]] = {}
    exclude: list[tuple[str, tuple[str, ...]]] = []
    for name, found in values.items():
        if name not in EXCLUDABLE and not is_tag(name):
            wanted[name] = found
            continue
        if kept := [value.removeprefix("\\") for value in found if not value.startswith("!")]:
            wanted[name] = kept
        unwanted = [value[1:] for value in found if value.startswith("!")]
        if "" in unwanted:
            raise invalid(name, f"{name!r} has the value '!', which leaves out nothing. Write a value after it.")
        if name == "status":
            unwanted = [_status(value) for value in unwanted]
        if unwanted:
            exclude.append((name.replace("tag.", "tag:", 1) if is_tag(name) else name, tuple(unwanted)))
    return wanted, tuple(exclude)


def _quoted(value: str) -> str:
    return f"\\{value}" if value.startswith(("!", "\\")) else value


def is_tag(name: str) -> bool:
    return name.startswith("tag.") and len(name) > len("tag.")


def grouped(params: Params, *, also: Collection[str] = ()) -> dict[str, list[str]]:
    """Values by name, without empty and repeated ones. Raises CallError 400 for names nobody reads."""
    values: dict[str, list[str]] = {}
    count = 0
    for name, value in params:
        if name not in NAMES and name not in also and not is_tag(name):
            allowed = ", ".join((*NAMES, *also))
            raise invalid(name, f"There is no parameter {name[:100]!r}. There are {allowed}.", "unknown_parameter")
        if len(value) > MAX_VALUE_LENGTH:
            raise invalid(name, f"The value of {name!r} is longer than {MAX_VALUE_LENGTH} characters.")
        if "\0" in value or "\0" in name:
            raise invalid(name, f"The parameter {name!r} holds a NUL character, which no record does.")
        found = values.setdefault(name, [])
        if value and value not in found:
            found.append(value)
            count += 1
    if count > MAX_VALUES:
        raise invalid("", f"{count} values are too many for one filter; {MAX_VALUES} are possible.")
    return {name: found for name, found in values.items() if found}


def single(values: dict[str, list[str]], name: str) -> str | None:
    found = values.get(name, [])
    if len(found) > 1:
        raise invalid(name, f"{name!r} is given {len(found)} times with different values; it takes one.")
    return found[0] if found else None


def parse_choice(values: dict[str, list[str]], name: str, choices: Collection[str], default: str) -> str:
    value = single(values, name)
    if value is None:
        return default
    if value not in choices:
        raise invalid(name, f"{name!r} has the value {value!r}. It takes {', '.join(choices)}.")
    return value


def parse_limit(values: dict[str, list[str]], default: int = 50, most: int = MAX_LIMIT) -> int:
    value = single(values, "limit")
    if value is None:
        return default
    if not (value.isascii() and value.isdigit() and len(value) < 10 and 1 <= int(value) <= most):
        raise invalid("limit", f"'limit' has the value {value!r}. It takes a whole number from 1 to {most}.")
    return int(value)


def iso_time(us: int) -> str:
    """`2026-11-20T21:46:25.123456Z`, always with all six decimals, so that text sorts as time does."""
    return (EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(value: str, name: str) -> int:
    """ISO 8601 to µs; a date alone is its midnight, and without an offset it is UTC."""
    # In a query string a plus sign that nobody escaped arrives as a space.
    text = value[:-6] + "+" + value[-5:] if len(value) > 16 and value[-6] == " " else value
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(
            name, f"{name!r} has the value {value!r}. It takes ISO 8601, e.g. 2026-11-20T21:46:25Z or 2026-11-20."
        ) from None
    us = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) // _MICROSECOND
    if not 0 <= us < 2**52:
        raise invalid(name, f"{name!r} has the value {value!r}. It takes a time from 1970 to 2112.")
    return us


def _period(values: dict[str, list[str]], now_us: int) -> tuple[int | None, int | None]:
    start, end, period = (single(values, name) for name in ("from", "to", "period"))
    from_us = None if start is None else parse_time(start, "from")
    to_us = None if end is None else parse_time(end, "to")
    if period is not None:
        if from_us is not None:
            raise invalid("period", "'period' and 'from' both say where to begin. Give one of them.")
        length = PERIODS[parse_choice(values, "period", PERIODS, "")]
        to_us = now_us if to_us is None else to_us
        from_us = to_us - length // _MICROSECOND
    if from_us is not None and to_us is not None and from_us >= to_us:
        raise invalid("to", f"'to' ({iso_time(to_us)}) is not after 'from' ({iso_time(from_us)}).")
    return from_us, to_us


def _status(value: str) -> str:
    is_code = len(value) == 3 and value.isascii() and value.isdigit() and "100" <= value <= "599"
    is_class = len(value) == 3 and value[0] in "12345" and value[1:] == "xx"
    if is_code or is_class or value in ("ok", "error") or value in ERROR_TYPES:
        return value
    raise invalid(
        "status",
        f"'status' has the value {value!r}. It takes ok, error, a code (429), a class (5xx) or an error type: "
        f"{', '.join(ERROR_TYPES)}.",
    )


def _flag(values: dict[str, list[str]], name: str) -> bool | None:
    found = {_FLAGS.get(value.lower()) for value in values.get(name, ())}
    if None in found:
        raise invalid(name, f"{name!r} has the value {values[name][0]!r}. It takes true or false.")
    return found.pop() if len(found) == 1 else None


def _amount(values: dict[str, list[str]], name: str) -> int | None:
    value = single(values, name)
    if value is None:
        return None
    _, parts, rounding = AMOUNTS[name]
    try:
        amount = Decimal(value)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= MAX_AMOUNT // parts:
        raise invalid(
            name, f"{name!r} has the value {value!r}. It takes a number from 0 to {MAX_AMOUNT // parts}, e.g. 0.25."
        )
    return int((amount * parts).to_integral_value(rounding))
