"""The filters of a dashboard URL as the store's filter, read by the API's own language."""

from __future__ import annotations

from gateway.api.filters import parse_filter
from gateway.dashboard.filters import Pairs
from gateway.errors import CallError
from gateway.store.base import SpanFilter


def span_filter(pairs: Pairs, *, now_us: int) -> tuple[SpanFilter, list[str]]:
    """The filter, and what could not be read: a page drops it and says so, where the API refuses the call."""
    problems: list[str] = []
    while True:
        try:
            return parse_filter(pairs, now_us=now_us), problems
        except CallError as exc:
            problems.append(exc.message)
            pairs = tuple(pair for pair in pairs if exc.param and pair[0] != exc.param)
