"""The filters of a page: which there are, what the URL holds of them, and the chips, links and search words for them.

The names and meanings are those of the API, so a list's URL becomes an export by changing its path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.dashboard import urls
from gateway.store.base import EXCLUDABLE


@dataclass(frozen=True)
class Field:
    name: str
    label: str
    icon: str
    listed: bool = False
    """Its values come from the store's dictionary."""
    hint: str = ""
    """What to type, where values are not listed."""


FIELDS = (
    Field("model", "Model", "spark", listed=True),
    Field("status", "Status", "err"),
    Field("tenant", "Tenant", "users", listed=True),
    Field("environment", "Environment", "db", listed=True),
    Field("provider", "Provider", "route", listed=True),
    Field("key", "Key", "key", listed=True),
    Field("kind", "Kind", "cols", listed=True),
    Field("stream", "Stream", "zap"),
    Field("user", "User", "users", hint="user id"),
    Field("session", "Session", "chain", hint="session id"),
    Field("trace", "Trace", "trace", hint="trace id"),
    Field("prompt", "Prompt", "prompt", listed=True),
    Field("prompt_version", "Prompt version", "prompt", hint="name@version, e.g. triage@3"),
    Field("config", "Config", "gear", listed=True),
    Field("variant", "Variant", "scale", listed=True),
    Field("unpriced", "Without a price", "coins"),
)


@dataclass(frozen=True)
class Range:
    """A number between two ends, either of which may be open."""

    label: str
    icon: str
    least: str
    most: str
    """Names of the filters."""
    unit: str


RANGES = (
    Range("Latency", "pulse", "min_latency_ms", "max_latency_ms", "ms"),
    Range("Cost", "coins", "min_cost_usd", "max_cost_usd", "$"),
    Range("Input tokens", "list", "min_input_tokens", "max_input_tokens", "tokens"),
    Range("Output tokens", "list", "min_output_tokens", "max_output_tokens", "tokens"),
)
BY_NAME = {field.name: field for field in FIELDS}
STATUSES = (
    ("ok", "succeeded"),
    ("error", "failed"),
    ("4xx", "4xx"),
    ("5xx", "5xx"),
    ("timeout", "timeout"),
    ("rate_limit", "rate limit"),
    ("upstream_error", "upstream error"),
    ("network", "network"),
    ("authentication", "authentication"),
    ("invalid_request", "invalid request"),
    ("content_filter", "content filter"),
    ("context_length", "context length"),
    ("parse_error", "parse error"),
    ("cancelled", "cancelled by the client"),
    ("interrupted", "interrupted"),
    ("budget", "budget"),
    ("limit", "limit"),
)
_BOUNDS = {
    "min_latency_ms": ("Latency", "at least", "{} ms"),
    "max_latency_ms": ("Latency", "at most", "{} ms"),
    "min_cost_usd": ("Cost", "at least", "${}"),
    "max_cost_usd": ("Cost", "at most", "${}"),
    "min_input_tokens": ("Input", "at least", "{} tokens"),
    "max_input_tokens": ("Input", "at most", "{} tokens"),
    "min_output_tokens": ("Output", "at least", "{} tokens"),
    "max_output_tokens": ("Output", "at most", "{} tokens"),
}
_STATUS_WORDS = dict(STATUSES)
_WORD = re.compile(r'(?P<name>[\w.]+):(?P<value>"[^"]*"|\S+)')
_LATENCY = re.compile(r"([<>]?)=?(\d+(?:\.\d+)?)(ms|s|m)?\Z")
_COST = re.compile(r"([<>]?)=?\$?(\d+(?:\.\d+)?)\Z")
_TOKENS = re.compile(r"([<>]?)=?(\d+(?:\.\d+)?)([kM]?)\Z")

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Chip:
    """One field that filters, with the link that takes it away."""

    name: str
    label: str
    op: str
    value: str
    without: str
    is_not: bool = False
    turned: str = ""
    """The link that turns "is" into "is not" and back; empty where that makes no sense."""


@dataclass(frozen=True)
class Filters:
    """(name, value) pairs in the order of the URL; `extra` is what else a link to the same page must keep."""

    pairs: Pairs = ()
    extra: Pairs = ()
    path: str = field(default=urls.REQUESTS)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key == name]

    def has(self, name: str, value: str, *, left_out: bool = False) -> bool:
        return (name, f"!{value}" if left_out else quoted(value)) in self.pairs

    def query(self, *, without: Sequence[str] = (), plus: Iterable[tuple[str, str]] = ()) -> Pairs:
        kept = tuple(pair for pair in self.pairs if pair[0] not in without)
        return (*kept, *(pair for pair in plus if pair not in kept))

    def narrowed(self, plus: Iterable[tuple[str, str]]) -> Pairs:
        """To the calls behind one of several values: what `plus` names replaces what was wanted of the same field, as
        two values of one are alternatives. What is left out stays out."""
        added = tuple(plus)
        names = {name for name, _ in added}
        return (*(pair for pair in self.pairs if pair[0] not in names or is_not(*pair)), *added)

    def url(self, *, without: Sequence[str] = (), plus: Iterable[tuple[str, str]] = ()) -> str:
        return urls.with_query(self.path, (*self.query(without=without, plus=plus), *self.extra))

    def toggled(self, name: str, value: str, *, left_out: bool = False) -> str:
        """The link of a menu's row: adds the value (or that it must not be), or takes it away."""
        pair = (name, f"!{value}" if left_out else quoted(value))
        kept = tuple(p for p in self.pairs if p != pair) if pair in self.pairs else (*self.pairs, pair)
        return urls.with_query(self.path, (*kept, *self.extra))

    def one(self, name: str) -> str:
        """The value of a filter that has at most one, empty without."""
        return next(iter(self.values(name)), "")

    def form(self, *names: str) -> Pairs:
        """What a form that sets these filters must send along."""
        return (*self.query(without=names), *self.extra)

    def menu(self, name: str) -> str:
        """Where the menu of a field's values comes from."""
        return urls.filter_menu((*self.pairs, *self.extra, ("field", name)))

    @property
    def chips(self) -> list[Chip]:
        """What is wanted and what is left out of the same field are two chips."""
        kinds = dict.fromkeys((name, is_not(name, value)) for name, value in self.pairs if name != "q")
        return [self._chip(name, left_out) for name, left_out in kinds]

    def _chip(self, name: str, left_out: bool) -> Chip:
        own = [pair for pair in self.pairs if pair[0] == name and is_not(*pair) == left_out]
        label, op, shown = _words(name, [bare(value) for _, value in own], left_out=left_out)
        rest = tuple(pair for pair in self.pairs if pair not in own)
        turned = ""
        if can_exclude(name):
            other = tuple((name, value.removeprefix("!") if left_out else f"!{bare(value)}") for _, value in own)
            turned = urls.with_query(self.path, (*rest, *other, *self.extra))
        return Chip(name, label, op, shown, urls.with_query(self.path, (*rest, *self.extra)), left_out, turned)

    @property
    def names(self) -> list[str]:
        """Of every filter but the environment, which has its own menu."""
        return [name for name in dict.fromkeys(name for name, _ in self.pairs) if name != "environment"]

    @property
    def q(self) -> str:
        return " ".join(self.values("q"))

    @property
    def hidden(self) -> Pairs:
        """What a search form must send along."""
        return (*self.query(without=("q",)), *self.extra)


def is_not(name: str, value: str) -> bool:
    """`!x` leaves out, where the store can do that."""
    return value.startswith("!") and can_exclude(name)


def can_exclude(name: str) -> bool:
    return name in EXCLUDABLE or name.startswith("tag.")


def bare(value: str) -> str:
    """Without the mark that leaves it out, and without the one that says that `!` is its own."""
    return value[1:] if value[:1] in ("!", "\\") else value


def quoted(value: str) -> str:
    return f"\\{value}" if value[:1] in ("!", "\\") else value


def _words(name: str, values: list[str], *, left_out: bool = False) -> tuple[str, str, str]:
    shown = values[0] if len(values) == 1 else f"{len(values)} values"
    op = ("is not" if left_out else "is") if len(values) == 1 else ("is none of" if left_out else "is any of")
    if name.startswith("tag."):
        return name.removeprefix("tag."), op, shown or "empty"
    if name in _BOUNDS:
        label, bound, pattern = _BOUNDS[name]
        return label, bound, pattern.format(shown)
    label = BY_NAME[name].label
    if name == "status" and len(values) == 1:
        shown = _STATUS_WORDS.get(shown, shown)
    if name == "stream":
        return label, "is", "streamed" if shown in ("true", "1") else "whole"
    if name == "unpriced":
        return "Price", "is", "unknown"
    return label, op, shown


def is_filter(name: str) -> bool:
    return name in BY_NAME or name in _BOUNDS or name == "q" or (name.startswith("tag.") and len(name) > 4)


def from_query(query: Iterable[tuple[str, str]], *, extra: Pairs = (), path: str = urls.REQUESTS) -> Filters:
    pairs = tuple(dict.fromkeys((name, value.strip()) for name, value in query if is_filter(name) and value.strip()))
    return Filters(pairs, extra, path)


def read_search(text: str) -> Pairs:
    """`invoice model:gpt-5 cost:>0.01` → the filters in it, and the words that are none as `q`."""
    found: list[tuple[str, str]] = []

    def take(match: re.Match[str]) -> str:
        pair = _search_pair(match["name"], match["value"].strip('"'))
        if pair is None:
            return match[0]
        found.append(pair)
        return ""

    rest = " ".join(_WORD.sub(take, text).split())
    return (*found, *((("q", rest),) if rest else ()))


def _search_pair(name: str, value: str) -> tuple[str, str] | None:
    if name == "latency" and (match := _LATENCY.match(value)):
        factor = {"s": 1000, "m": 60_000}.get(match[3] or "ms", 1)
        return "max_latency_ms" if match[1] == "<" else "min_latency_ms", f"{float(match[2]) * factor:g}"
    if name == "cost" and (match := _COST.match(value)):
        return "max_cost_usd" if match[1] == "<" else "min_cost_usd", match[2]
    if name in ("input", "output") and (match := _TOKENS.match(value)):
        end, factor = "max" if match[1] == "<" else "min", {"k": 1_000, "M": 1_000_000}.get(match[3], 1)
        return f"{end}_{name}_tokens", f"{float(match[2]) * factor:.0f}"
    return (name, value) if is_filter(name) and name != "q" and value else None
