"""Admission: which rules apply, what is said when they are reached, and that everything is given back."""

from __future__ import annotations

import pytest

from gateway.control.admission import Limits
from gateway.control.counters.board import Board
from gateway.core.key import Key
from gateway.core.limits import Ask, Wait
from gateway.core.limits.events import BudgetAlert, RunawayAlert
from gateway.core.limits.runaway import HOUR, Hour, Profile
from gateway.errors import CallError
from gateway.settings import Settings
from gateway.settings.limits import Budget, Limit, Runaway
from pricing import Catalog

NOW = 1_795_000_000_000_000
KEY = Key(key_id="k-1", name="app")
CATALOG = Catalog.load(None, {"lab/m": {"input_per_mtok": 1, "output_per_mtok": 1}})


def limits_of(*limits: Limit, budgets: tuple[Budget, ...] = (), runaway: Runaway | None = None) -> Limits:
    settings = Settings(limits=list(limits), budgets=list(budgets), runaway=runaway)
    made = Limits(settings, CATALOG, Board(None, 1, 0, NOW), sink=lambda event: events_of(made).append(event))
    return made


EVENTS: dict[int, list[object]] = {}


def events_of(limits: Limits) -> list[object]:
    return EVENTS.setdefault(id(limits), [])


@pytest.fixture(autouse=True)
def _forget_events():
    EVENTS.clear()


def ask(tenant: str | None = "acme", **more: object) -> Ask:
    fields: dict[str, object] = {
        "key": KEY,
        "tenant": tenant,
        "environment": "production",
        "model": "m",
        "model_requested": "fast",
        "tags": {},
        "input_tokens": 100,
        "max_output_tokens": 900,
        "provider": "lab",
    }
    return Ask(**fields | more)


def admitted(limits: Limits, asked: Ask, times: int, now: int = NOW) -> int:
    """How many of so many get in."""
    count = 0
    for _ in range(times):
        try:
            limits.admit(asked, now)
        except CallError:
            continue
        count += 1
    return count


def refused(limits: Limits, asked: Ask, now: int = NOW) -> CallError:
    with pytest.raises(CallError) as found:
        limits.admit(asked, now)
    return found.value


def header(error: CallError, name: bytes) -> bytes | None:
    return dict(error.headers).get(name)


def test_without_rules_nothing_applies():
    assert limits_of().admit(ask(), NOW) is None
    assert limits_of(Limit(scope="tenant", match="globex", requests_per_min=1)).admit(ask(), NOW) is None


@pytest.mark.parametrize(
    ("limit", "same", "other"),
    [
        (Limit(scope="tenant", requests_per_min=3), ask(), ask("globex")),
        (Limit(scope="tenant", match="acme", requests_per_min=3), ask(), None),
        (Limit(scope="environment", requests_per_min=3), ask(), ask(environment="staging")),
        (Limit(scope="key", match="app", requests_per_min=3), ask(), None),
        (Limit(scope="key", match="k-1", requests_per_min=3), ask(), None),
        (Limit(scope="model", match="lab/m", requests_per_min=3), ask(), None),
        (Limit(scope="model", match="fast", requests_per_min=3), ask(), None),
        (Limit(scope="tag:userId", requests_per_min=3), ask(tags={"userId": "u"}), ask(tags={"userId": "v"})),
    ],
    ids=str,
)
def test_a_limit_holds_for_each_value_of_its_scope(limit, same, other):
    limits = limits_of(limit)
    assert admitted(limits, same, 5) == 3
    if other is not None:
        assert admitted(limits, other, 5) == 3


def test_an_entry_that_names_a_value_wins_over_the_star():
    limits = limits_of(
        Limit(scope="tenant", requests_per_min=2), Limit(scope="tenant", match="acme", requests_per_min=7)
    )
    assert (admitted(limits, ask(), 9), admitted(limits, ask("globex"), 9)) == (7, 2)


def test_limits_of_several_scopes_all_hold_and_a_refused_call_takes_nothing_from_any():
    limits = limits_of(Limit(scope="tenant", requests_per_min=2), Limit(scope="environment", requests_per_min=5))
    assert admitted(limits, ask(), 10) == 2
    assert admitted(limits, ask("globex"), 10) == 2
    assert admitted(limits, ask("initech"), 10) == 1


def test_the_refusal_says_what_when_and_how_much():
    limits = limits_of(Limit(scope="tenant", requests_per_min=2))
    lease = limits.admit(ask(), NOW)
    assert lease.head == (
        b"x-ratelimit-limit-requests: 2\r\nx-ratelimit-reset-requests: 60s\r\nx-ratelimit-remaining-requests: 1\r\n"
    )
    limits.admit(ask(), NOW + 20_000_000)
    error = refused(limits, ask(), NOW + 30_000_000)
    assert (error.status, error.code, error.error_type) == (429, "rate_limit_exceeded", "limit")
    assert "2 requests per minute for tenant acme" in error.message
    assert header(error, b"retry-after") == b"31"
    assert header(error, b"x-ratelimit-remaining-requests") == b"0"
    assert limits.admit(ask(), NOW + 61_000_000) is not None


def test_the_headers_are_of_the_limit_of_which_the_least_is_left():
    limits = limits_of(
        Limit(scope="tenant", requests_per_min=10, tokens_per_min=5000),
        Limit(scope="environment", requests_per_min=4, tokens_per_min=9000),
    )
    limits.admit(ask("globex"), NOW)
    head = limits.admit(ask(), NOW).head
    assert b"limit-requests: 4\r\nx-ratelimit-reset-requests: 60s\r\nx-ratelimit-remaining-requests: 2\r\n" in head
    assert b"limit-tokens: 5000\r\nx-ratelimit-reset-tokens: 60s\r\nx-ratelimit-remaining-tokens: 4000\r\n" in head
    assert admitted(limits, ask(), 9) == 2
    error = refused(limits, ask())
    assert header(error, b"x-ratelimit-limit-requests") == b"4"
    assert header(error, b"x-ratelimit-remaining-requests") == b"0"


def test_tokens_are_reserved_by_the_request_and_settled_by_the_answer():
    limits = limits_of(Limit(scope="tenant", tokens_per_min=2500))
    first = limits.admit(ask(), NOW)
    limits.admit(ask(), NOW)
    error = refused(limits, ask())
    assert "tokens per minute" in error.message
    first.settle(200, None, NOW + 1_000_000)
    third = limits.admit(ask(), NOW + 1_000_000)
    assert b"x-ratelimit-remaining-tokens: 300\r\n" in third.head


def test_a_request_larger_than_the_limit_is_told_so():
    error = refused(limits_of(Limit(scope="tenant", tokens_per_min=500)), ask())
    assert "1,000 tokens" in error.message


def test_places_at_the_same_time_are_given_back_by_settling_and_by_releasing_once():
    limits = limits_of(Limit(scope="key", concurrent=2))
    first, second = limits.admit(ask(), NOW), limits.admit(ask(), NOW)
    assert refused(limits, ask()).code == "rate_limit_exceeded"
    for _ in range(2):
        first.settle(10, 10, NOW)
        second.release(NOW)
        first.release(NOW)
    assert admitted(limits, ask(), 5) == 2


def test_a_hard_budget_reserves_settles_and_releases():
    budget = Budget(name="acme-daily", scope="tenant", match="acme", usd=0.01, period="day", alerts=[])
    limits = limits_of(budgets=(budget,))
    leases = [limits.admit(ask(), NOW) for _ in range(10)]  # a cent is ten calls of a tenth of a cent each
    error = refused(limits, ask())
    assert (error.status, error.code, error.error_type) == (402, "budget_exceeded", "budget")
    assert "'acme-daily'" in error.message
    assert "2026-11-19T00:00:00Z" in error.message
    leases[0].release(NOW)
    leases[1].settle(500, 500_000, NOW)
    assert admitted(limits, ask(), 5) == 2  # the second one is the last: a hundredth is left for it
    (account,) = limits.accounts.values()
    money = account.purse.money(account.begin)
    assert (money.spent, money.reserved, money.calls) == (500_000, 10_000_000, 10)
    assert limits.admit(ask("globex"), NOW) is None


def test_the_possible_overshoot_is_what_calls_under_way_may_cost_beyond_their_reservation():
    limits = limits_of(budgets=(Budget(name="b", scope="tenant", usd=1),))
    limits.admit(ask(), NOW)
    (account,) = limits.accounts.values()
    assert account.purse.money(account.begin).at_risk == 300_000  # four times the input, at the same output


def test_a_soft_budget_only_alerts():
    limits = limits_of(budgets=(Budget(name="b", scope="tenant", usd=0.001, hard=False, alerts=[50, 100]),))
    for _ in range(4):
        lease = limits.admit(ask(), NOW)
        lease.settle(1000, 600_000, NOW)
    assert [(event.level_percent, event.value) for event in events_of(limits)] == [(50, "acme"), (100, "acme")]


def test_levels_are_told_once_a_period_and_again_in_the_next():
    limits = limits_of(budgets=(Budget(name="b", scope="tenant", usd=1, period="day", alerts=[50, 80]),))
    for day in range(2):
        for cost in (400_000_000, 200_000_000, 100_000_000, 150_000_000):
            lease = limits.admit(ask(), NOW + day * 24 * HOUR)
            lease.settle(1000, cost, NOW + day * 24 * HOUR)
    told = [event for event in events_of(limits) if isinstance(event, BudgetAlert)]
    assert [event.level_percent for event in told] == [50, 80, 50, 80]


def bought(limits: Limits, asked: Ask, times: int) -> int:
    """How many of so many calls get in, one after the other, a tenth of a cent each."""
    count = 0
    for _ in range(times):
        try:
            lease = limits.admit(asked, NOW)
        except CallError:
            continue
        if lease is not None:
            lease.settle(1000, 1_000_000, NOW)
        count += 1
    return count


def test_each_prompt_has_its_own_budget_and_calls_without_one_have_none():
    limits = limits_of(budgets=(Budget(name="each", scope="prompt", usd=0.005, alerts=[100]),))
    assert bought(limits, ask(prompt="welcome"), 9) == 5
    assert bought(limits, ask("globex", prompt="welcome"), 3) == 0  # whoever calls it
    assert bought(limits, ask(prompt="goodbye"), 9) == 5
    assert bought(limits, ask(), 20) == 20
    assert [(event.scope, event.value) for event in events_of(limits)] == [("prompt", "welcome"), ("prompt", "goodbye")]


def test_a_prompts_budget_is_named_when_it_is_spent():
    limits = limits_of(budgets=(Budget(name="newsletter", scope="prompt", match="digest", usd=0.002, period="week"),))
    assert bought(limits, ask(prompt="digest"), 9) == 2
    assert bought(limits, ask(prompt="other"), 9) == 9
    error = refused(limits, ask(prompt="digest"))
    assert (error.status, error.code) == (402, "budget_exceeded")
    assert "'newsletter' of $0.002 for prompt digest" in error.message
    assert "2026-11-23T00:00:00Z" in error.message


def test_an_admin_raises_a_budget_and_what_was_spent_stays_spent():
    limits = limits_of(budgets=(Budget(name="b", scope="tenant", match="acme", usd=0.003),))
    assert bought(limits, ask(), 9) == 3
    limits.use(Settings(budgets=[Budget(name="b", scope="tenant", match="acme", usd=0.005)]), CATALOG)
    assert bought(limits, ask(), 9) == 2
    limits.use(Settings(budgets=[Budget(name="b", scope="tenant", match="acme", usd=0.004)]), CATALOG)
    assert bought(limits, ask(), 9) == 0
    limits.use(Settings(budgets=[]), CATALOG)
    assert bought(limits, ask(), 9) == 9


def test_new_settings_keep_what_was_counted():
    limits = limits_of(Limit(scope="tenant", requests_per_min=3))
    assert admitted(limits, ask(), 9) == 3
    limits.use(Settings(limits=[Limit(scope="tenant", requests_per_min=5)]), CATALOG)
    assert admitted(limits, ask(), 9) == 2


def test_a_limit_with_a_queue_raises_wait_and_then_admits_or_refuses():
    limits = limits_of(Limit(scope="tenant", requests_per_min=1, queue_ms=500))
    lease = limits.admit(ask(), NOW)
    with pytest.raises(Wait):
        limits.admit(ask(), NOW)
    assert refused(limits, ask(waited=True)).status == 429
    lease.release(NOW)
    assert limits.admit(ask(waited=True), NOW) is not None


# ------------------------------------------------------------------ runaway


def usual(calls_per_hour: int, microusd_per_hour: int) -> Profile:
    """The same every hour of thirty days."""
    begin = NOW // HOUR * HOUR - 30 * 24 * HOUR
    hours = [Hour(begin + n * HOUR, calls_per_hour, microusd_per_hour) for n in range(30 * 24)]
    made = Profile.of(hours, begin, begin + 30 * 24 * HOUR)
    assert made is not None
    return made


def guarded(profile: Profile | None, **settings: object) -> Limits:
    limits = limits_of(runaway=Runaway(**settings))
    limits.admit(ask(), NOW - 100 * 1_000_000)
    limits.guards["acme"].know(profile)
    return limits


def test_a_tenant_is_held_to_a_multiple_of_what_is_usual():
    limits = guarded(usual(1200, 0), least_per_min=10)  # 20 a minute, so at most 100
    assert admitted(limits, ask(), 150) == 100
    error = refused(limits, ask())
    assert (error.status, error.error_type) == (429, "limit")
    assert header(error, b"retry-after") == b"61"
    (event,) = events_of(limits)
    assert isinstance(event, RunawayAlert)
    assert (event.tenant, event.reason, event.bound_per_min, event.throttled) == ("acme", "calls", 100, True)


def test_spend_counts_too():
    limits = guarded(usual(6000, 1_200_000), least_usd_per_min=0.01)
    lease = limits.admit(ask(), NOW)
    lease.settle(10, 150_000_000, NOW)  # fifteen cents, where two a minute are usual
    assert refused(limits, ask()).status == 429
    assert [event.reason for event in events_of(limits)] == ["spend"]


def test_what_an_admin_has_lifted_is_let_pass_until_then():
    limits = guarded(usual(1200, 0), least_per_min=10)
    limits.lift({"acme": NOW // 1_000_000 + 1})
    assert admitted(limits, ask(), 150) == 150
    assert admitted(limits, ask(), 5, NOW + 1_000_000) == 0
    assert [event.reason for event in events_of(limits)] == ["calls"]


def test_report_lets_it_pass():
    limits = guarded(usual(60, 0), action="report", least_per_min=10)
    assert admitted(limits, ask(), 50) == 50
    assert len(events_of(limits)) == 1


@pytest.mark.parametrize("profile", [None, Profile((1.0,) * 168, (0.0,) * 168, NOW - 3 * 24 * HOUR)])
def test_a_young_tenant_has_no_such_bound(profile):
    assert admitted(guarded(profile), ask(), 500) == 500


def test_the_same_prompt_over_and_over_is_a_loop_at_any_age():
    limits = guarded(None, same_prompt_per_min=20)
    assert admitted(limits, ask(fingerprint=7), 50) == 20
    assert admitted(limits, ask(fingerprint=8), 5) == 5
    assert [event.reason for event in events_of(limits)] == ["same_prompt"]


def test_workers_see_a_loop_together(tmp_path):
    """Each of them has a third of its calls, and none would call that a loop."""
    settings = Settings(runaway=Runaway(same_prompt_per_min=20))
    boards = [Board(tmp_path, 3, number, NOW) for number in range(3)]
    workers = [Limits(settings, CATALOG, board) for board in boards]
    assert [admitted(workers[n % 3], ask(fingerprint=7), 1) for n in range(30)] == [1] * 20 + [0] * 10
    assert admitted(workers[0], ask("globex", fingerprint=7), 5) == 5
    for board in boards:
        board.close()


def test_exempt_tenants_are_left_alone():
    limits = limits_of(runaway=Runaway(exempt=["acme"], same_prompt_per_min=1))
    assert limits.admit(ask(fingerprint=7), NOW) is None
