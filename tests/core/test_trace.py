"""Trees of spans: whatever spans there are, each is in its trace's order once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.span import Span
from gateway.core.trace import MAX_DEPTH, TraceSpan, in_order, trace_span


def span(name: str, parent: str | None = None, at: int = 0) -> TraceSpan:
    made = Span(request_id=f"r-{name}", span_id=name, parent_span_id=parent, kind="llm", name=name, started_at=at)
    return trace_span(made)


def order(*spans: TraceSpan) -> list[tuple[str | None, int, int]]:
    return [(each.name, each.depth, each.children) for each in in_order(spans)]


def test_each_stands_before_its_children_and_earlier_ones_first() -> None:
    found = order(span("late", "root", 9), span("leaf", "early", 3), span("root", at=0), span("early", "root", 2))
    assert found == [("root", 0, 2), ("early", 1, 1), ("leaf", 2, 0), ("late", 1, 0)]


def test_a_parent_that_is_elsewhere_makes_a_root() -> None:
    assert order(span("a", "not-here", 1), span("b", "a", 2)) == [("a", 0, 1), ("b", 1, 0)]


def test_a_parent_may_be_named_by_its_request_id() -> None:
    assert order(span("a"), span("b", "r-a", 1)) == [("a", 0, 1), ("b", 1, 0)]


def test_spans_that_are_each_others_parents_are_all_there() -> None:
    assert [name for name, _, _ in order(span("a", "b", 1), span("b", "a", 2), span("own", "own", 3))] == [
        "own",
        "a",
        "b",
    ]


def test_a_chain_is_as_long_as_it_likes() -> None:
    chain = [span(str(n), str(n - 1) if n else None, n) for n in range(30_000)]
    found = in_order(reversed(chain))
    assert [each.name for each in found] == [str(n) for n in range(30_000)]
    assert max(each.depth for each in found) == MAX_DEPTH


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 3)), max_size=12, unique_by=lambda t: t[0]
    )
)
def test_none_is_lost_and_none_is_twice(links: list[tuple[int, int, int]]) -> None:
    spans = [span(str(name), str(parent), at) for name, parent, at in links]
    assert sorted(each.request_id for each in in_order(spans)) == sorted(each.request_id for each in spans)
