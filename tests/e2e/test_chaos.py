"""Providers that fail a third of their calls. The long run is `python -m tests.e2e.chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.chaos import run
from tests.e2e.faults import FAULTS
from tests.e2e.harness import Gateway
from tests.e2e.upstream import Upstream, completes
from tests.e2e.wire import Message, Wire, answer


@pytest.mark.slow
def test_no_error_that_could_be_prevented_no_second_answer_and_every_attempt_booked(tmp_path: Path) -> None:
    verdict = run(tmp_path, calls=400, clients=40, seed=1)
    assert verdict.problems == []
    assert {fault.name for fault in FAULTS} <= verdict.outcomes.keys(), "every fault was met"
    assert verdict.endings["answered at attempt 3"] > 5


@pytest.mark.slow
def test_the_same_where_every_target_is_translated(tmp_path: Path) -> None:
    """Clients speak Anthropic's dialect, the failing providers OpenAI's."""
    verdict = run(tmp_path, calls=150, clients=15, seed=2, translated=True)
    assert verdict.problems == []
    assert len(verdict.outcomes) > 15, "most faults were met"


def test_a_connection_that_broke_with_the_request_on_it_is_an_attempt_also_without_a_route(
    gateway: Gateway, upstream: Upstream
) -> None:
    """It had been idle, so that the request is sent again: whether the provider had seen it nobody knows."""
    left = [completes, lambda wire, _: wire.reset(), completes]

    def script(wire: Wire, request: Message) -> None:
        left.pop(0)(wire, request)

    upstream.script = script
    assert gateway.chat("raw/m-1").header("x-callgate-attempts") == "1"
    given = gateway.chat("raw/m-1")
    assert (given.status, given.header("x-callgate-attempts")) == (200, "2")
    row = gateway.row_of(given)
    assert [(each["status_code"], each["error_type"]) for each in row["attempts"]] == [(None, "network"), (200, None)]
    assert row["cost_nanousd"] == 17_000


def test_an_empty_answer_passes_as_it_is_and_is_booked_as_a_failure(gateway: Gateway, upstream: Upstream) -> None:
    """Where there is no route, and so nowhere else to go."""
    upstream.script = lambda wire, _: wire.send(answer(b""))
    given = gateway.chat("raw/m-1")
    assert (given.status, given.body) == (200, b"")
    row = gateway.row_of(given)
    assert (row["error_type"], row["error_message"]) == ("upstream_error", "the answer is empty")
