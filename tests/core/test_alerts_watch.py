"""When a rule fires: each case is a line of measured values, a minute apart, and what happens at each."""

from __future__ import annotations

import pytest

from gateway.core.alerts.metric import METRICS, problems
from gateway.core.alerts.notice import of_change, of_event, said, spell
from gateway.core.alerts.silence import Silence, is_silenced
from gateway.core.alerts.watch import MINUTE, Watch, look
from gateway.core.limits.events import BudgetAlert, RunawayAlert
from gateway.settings.alerts import AlertRule

HIGH = AlertRule(name="high", metric="error_rate", above=10)
SLOW = AlertRule(name="slow", metric="error_rate", above=10, for_min=2)
FLAP = AlertRule(name="flap", metric="error_rate", above=10, clear=5)
QUIET = AlertRule(name="quiet", metric="requests", below=10, clear=20)


def line(rule: AlertRule, values: list[float | None], silenced: tuple[int, ...] = ()) -> str:
    """One letter a minute: `.` well, `p` pending, `F` begins to fire, `f` fires, `S` told late, `R` resolved."""
    watch, letters = None, ""
    for minute, value in enumerate(values):
        step = look(rule, watch, value, minute * MINUTE, silenced=minute in silenced, incident=f"i{minute}")
        watch = step.watch
        letters += {"firing": "F", "still": "S", "resolved": "R", None: ""}[step.change] or (
            "." if watch is None else "f" if watch.firing else "p"
        )
    return letters


@pytest.mark.parametrize(
    ("rule", "values", "expected"),
    [
        (HIGH, [0, 10, 11, 50, 10, 11], "..FfRF"),
        (HIGH, [None, 11, None, None, 11, 0], ".FfffR"),
        (SLOW, [11, 11, 11, 11, 0], "ppFfR"),
        (SLOW, [11, 11, 0, 11, 11, 11], "pp.ppF"),
        (SLOW, [11, None, 11, 11, 11], "p.ppF"),
        (FLAP, [11, 9, 6, 11, 5, 9, 11], "FfffR.F"),
        (QUIET, [30, 9, 15, 19, 20, 15], ".FffR."),
        (HIGH, [11] + [None] * 12, "F" + "f" * 10 + "R."),
        (HIGH, [11, None, 11] + [None] * 11, "Fff" + "f" * 10 + "R"),
    ],
)
def test_a_line_of_values(rule: AlertRule, values: list[float | None], expected: str) -> None:
    assert line(rule, values) == expected


def test_a_silence_holds_the_notice_back_until_it_ends() -> None:
    assert line(HIGH, [11, 11, 11, 11, 0], silenced=(0, 1)) == "FfSfR"
    assert line(HIGH, [11, 11, 0], silenced=(0, 1, 2)) == "FfR"
    assert line(HIGH, [11, 11, 0], silenced=(1, 2)) == "FfR"


def test_what_was_told_to_nobody_is_over_for_nobody() -> None:
    before = Watch(firing=True, since_us=0, incident="i", told=False)
    assert of_change(HIGH, "", "resolved", before, None, 0, MINUTE).silenced
    told = Watch(firing=True, since_us=0, incident="i", told=True)
    assert not of_change(HIGH, "", "resolved", told, None, 0, MINUTE).silenced


def test_notices_of_one_incident_have_ids_of_their_own() -> None:
    watch = Watch(firing=True, since_us=0, value=12.5, incident="i7", told=True)
    rule = AlertRule(name="r", metric="error_rate", above=5, each="provider", tenant=["acme"], window_min=10)
    notice = of_change(rule, "openai", "firing", None, watch, 12.5, MINUTE)
    assert notice.title == "Firing: r (openai)"
    assert notice.text == "Error rate of provider openai in acme over 10 min: 12.5 %, above 5 %."
    over = of_change(rule, "openai", "resolved", watch, None, 1, 12 * MINUTE)
    assert over.text == "Error rate of provider openai in acme: 1 %; it fired for 12 min."
    assert (notice.id, over.id, notice.incident == over.incident) == ("i7-firing", "i7-resolved", True)


BUDGET = BudgetAlert(
    at_us=5,
    budget="daily",
    scope="tenant",
    value="acme",
    period="day",
    level_percent=80.0,
    spent_nanousd=80_500_000_000,
    limit_nanousd=100_000_000_000,
    hard=True,
    resets_at_us=99,
)


def test_a_level_of_a_budget_is_one_notice_whoever_says_it() -> None:
    def changed(**fields: object) -> str:
        return of_event(
            BudgetAlert(**{**{name: getattr(BUDGET, name) for name in BUDGET.__struct_fields__}, **fields})
        ).id

    assert changed(at_us=6, spent_nanousd=81_000_000_000) == of_event(BUDGET).id
    others = [changed(level_percent=100.0), changed(value="b"), changed(resets_at_us=100), changed(budget="b")]
    assert len({of_event(BUDGET).id, *others}) == 5
    notice = of_event(BUDGET)
    assert (notice.rule, notice.title) == ("budget:daily", "Budget daily (acme): 80 %")
    assert notice.text == "tenant acme has spent $80.50 of $100.00 (day)."


def test_a_runaway_is_one_notice_an_hour() -> None:
    def at(us: int) -> str:
        return of_event(
            RunawayAlert(at_us=us, tenant="t", reason="calls", per_min=9, bound_per_min=3, throttled=True)
        ).id

    hour = 3_600_000_000
    assert at(hour) == at(2 * hour - 1) != at(2 * hour)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"metric": "mood", "above": 1}, ["metric"]),
        ({"metric": "requests"}, ["above"]),
        ({"metric": "requests", "above": 1, "below": 2}, ["above"]),
        ({"metric": "requests", "above": 5, "clear": 6}, ["clear"]),
        ({"metric": "requests", "below": 5, "clear": 4}, ["clear"]),
        ({"metric": "requests", "below": 5, "clear": 6}, []),
        ({"metric": "ttft_p95_ms", "above": 5, "each": "tenant"}, ["each"]),
        ({"metric": "journal", "above": 0, "tenant": ["a"], "provider": ["b"]}, ["tenant", "provider"]),
        ({"metric": "provider_failures", "above": 2, "each": "provider", "provider": ["b"]}, []),
    ],
)
def test_what_is_wrong_with_a_rule(fields: dict[str, object], where: list[str]) -> None:
    assert [name for name, _ in problems(AlertRule(name="r", **fields))] == where  # type: ignore[arg-type]


def test_silences_match_by_pattern_until_they_end() -> None:
    silence = Silence(rule="lat*", of="ac*", until_us=10)
    asked = [("latency", "acme", 9), ("latency", "acme", 10), ("errors", "acme", 9), ("latency", "", 9)]
    assert [is_silenced([silence], *each) for each in asked] == [True, False, False, False]
    assert is_silenced([Silence(rule="*", until_us=10)], "budget:daily", "acme", 1)


@pytest.mark.parametrize(
    ("metric", "value", "words"),
    [
        ("cost_usd", 1234.5, "$1,234.50"),
        ("cost_usd", 0.000012, "$0.000012"),
        ("cost_usd", 0, "$0.00"),
        ("error_rate", 12.345, "12.35 %"),
        ("requests", 1_234_567.0, "1,234,567 calls"),
        ("requests", 12_345.0, "12,345 calls"),
        ("journal", 2.0, "2"),
        ("latency_p95_ms", None, "unknown"),
    ],
)
def test_amounts_in_words(metric: str, value: float | None, words: str) -> None:
    assert said(metric, value) == words


def test_times_in_words() -> None:
    assert [spell(s) for s in (5, 60, 90, 150, 3600, 7200, 172_800)] == [
        "5 s", "1 min", "90 s", "2 min", "1 h", "2 h", "2 d",
    ]  # fmt: skip


def test_every_metric_begins_a_sentence() -> None:
    assert all(metric.words[0].isupper() and metric.unit for metric in METRICS.values())
