"""The columns of the list: which there are, which are shown, in which order, and what their heads sort by."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from gateway.dashboard import urls
from gateway.dashboard.view import View

ORDERS = {"newest": "time", "oldest": "time", "slowest": "latency", "costliest": "cost"}


@dataclass(frozen=True)
class Column:
    name: str
    label: str
    kind: str = ""
    """`num` for figures."""
    sort: str = ""
    """The order that its head asks for."""
    leaves: str = ""
    """Class that hides it when the table gets narrow."""


COLUMNS = (
    Column("tenant", "Tenant", leaves="opt"),
    Column("request", "Request"),
    Column("environment", "Environment", leaves="opt"),
    Column("provider", "Provider", leaves="opt"),
    Column("key", "Key", leaves="opt"),
    Column("user", "User", leaves="opt"),
    Column("session", "Session", leaves="opt-2"),
    Column("config", "Config", leaves="opt-2"),
    Column("variant", "Variant", leaves="opt-2"),
    Column("prompt", "Prompt", leaves="opt-2"),
    Column("kind", "Kind", leaves="opt-2"),
    Column("finish", "Finish", leaves="opt-2"),
    Column("tags", "Tags", leaves="opt-2"),
    Column("input", "Input", "num", leaves="opt-2"),
    Column("cached", "Cached", "num", leaves="opt-2"),
    Column("output", "Output", "num", leaves="opt-2"),
    Column("reasoning", "Reasoning", "num", leaves="opt-2"),
    Column("attempts", "Attempts", "num", leaves="opt-2"),
    Column("overhead", "Gateway", "num", leaves="opt-2"),
    Column("ttft", "First token", "num", leaves="opt-2"),
    Column("cost", "Cost", "num", sort="costliest"),
    Column("latency", "Latency", "num", sort="slowest"),
)
BY_COLUMN = {column.name: column for column in COLUMNS}
USUAL = ("tenant", "request", "cost", "latency")
COLUMNS_COOKIE = "callgate_columns"
"""The columns a browser was last given, in their order; the URL wins."""


def shown_columns(request: Request) -> tuple[str, ...]:
    text = request.query_params.get("cols") or request.cookies.get(COLUMNS_COOKIE, "")
    names = text.replace("%2C", ",").replace("%2c", ",").split(",")
    return tuple(dict.fromkeys(name for name in names if name in BY_COLUMN)) or USUAL


@dataclass(frozen=True)
class Head:
    column: Column
    href: str
    sort: str
    """`ascending`, `descending` or empty."""


@dataclass(frozen=True)
class ColumnChoice:
    """`earlier` and `later` move a shown column; empty where it cannot go further."""

    column: Column
    is_shown: bool
    href: str
    earlier: str = ""
    later: str = ""


def time_head(view: View, order: str) -> Head:
    return head_of(view, Column("time", "Time", sort="oldest" if order == "newest" else "newest"), order)


def with_parameter(view: View, name: str, value: str) -> str:
    """The list's own URL with one parameter set, empty takes it away; always from the top of the list."""
    kept = [pair for pair in (*view.filters.query(), *view.filters.extra) if pair[0] != name]
    return urls.requests((*kept, (name, value)))


def head_of(view: View, column: Column, order: str) -> Head:
    sort = ""
    if ORDERS[order] == column.name:
        sort = "ascending" if order == "oldest" else "descending"
    asked = "" if column.sort in ("newest", order) else column.sort
    return Head(column, with_parameter(view, "order", asked) if column.sort else "", sort)


def column_choices(view: View, shown: tuple[str, ...]) -> list[ColumnChoice]:
    """Those that are shown first, in their order; then the rest."""
    others = [column for column in COLUMNS if column.name not in shown]
    return [_shown_choice(view, at, shown) for at in range(len(shown))] + [
        ColumnChoice(column, is_shown=False, href=with_parameter(view, "cols", ",".join((*shown, column.name))))
        for column in others
    ]


def _shown_choice(view: View, at: int, shown: tuple[str, ...]) -> ColumnChoice:
    def link(names: list[str]) -> str:
        return with_parameter(view, "cols", ",".join(names))

    def moved(to: int) -> str:
        names = [name for index, name in enumerate(shown) if index != at]
        return link([*names[:to], shown[at], *names[to:]])

    rest = [name for name in shown if name != shown[at]]
    return ColumnChoice(
        BY_COLUMN[shown[at]],
        is_shown=True,
        href=link(rest) if rest else "",
        earlier=moved(at - 1) if at else "",
        later=moved(at + 1) if at < len(shown) - 1 else "",
    )
