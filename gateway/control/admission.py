"""Admission as the gateway has it: rules, counters, prices and the guard against runaways, asked for every call.

What applies to a call is looked up once for each combination of its values (`Holding`) and remembered. A call first
writes what it may use into every counter, then reads them all, and takes everything back where one of them is over.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time

from gateway.control.admission_guard import BOUNDLESS, Guard
from gateway.control.admission_holding import MICRO, Account, Held, Holding, Meter, Row, Share, part_of
from gateway.control.admission_queue import Line
from gateway.control.admission_shares import Shares
from gateway.control.counters.across import Across
from gateway.control.counters.board import REPEATS_AT, Board, Record
from gateway.core.limits import DEFAULT_OUTPUT_TOKENS, Ask, Wait, refusal
from gateway.core.limits.estimate import Estimator
from gateway.core.limits.events import BudgetAlert, Event, RunawayAlert, Sink
from gateway.core.limits.period import NEVER
from gateway.core.limits.purse import Purse, fits
from gateway.core.limits.repeats import Repeats
from gateway.core.limits.rules import BudgetRule, RateRule, Rules, record_name
from gateway.core.limits.window import Used, Window
from gateway.errors import CallError
from gateway.settings import Settings
from pricing import Catalog

log = logging.getLogger("callgate.limits")

_MOST_REMEMBERED = 65_536
OTHERS = "…"
"""What counts together once the board is full: values of tags come from clients, and could be without end."""
GUARDED_SERIES = 3


def log_event(event: Event) -> None:
    """Where nothing else listens."""
    log.warning("limits: %s", event)


class Limits:
    """One worker's admission (`core.limits.Admission`). `use` takes new settings; what was counted stays."""

    def __init__(
        self, settings: Settings, catalog: Catalog, board: Board, sink: Sink = log_event, across: Across | None = None
    ) -> None:
        self.sink = sink
        self.shares = Shares(across, self._tell_shared) if across is not None else None
        """Of what machines share; None for one machine alone."""
        self.board = board
        self.estimator = Estimator(catalog)
        self.holdings: dict[object, Holding] = {}
        self.accounts: dict[str, Account] = {}
        """By record name; a rule that changed has a new one."""
        self.guards: dict[str, Guard] = {}
        self.lifted: dict[str, int] = {}
        """By tenant, until when (s) an admin has lifted its guard."""
        self.lines: dict[Meter, Line] = {}
        self.refused: dict[str, int] = {"rate": 0, "budget": 0, "runaway": 0}
        """Since the worker's start."""
        self.new_accounts = asyncio.Event()
        """Set where the log is to be asked about an account that was not there before."""
        self._rows: dict[tuple[Window, tuple[RateRule, ...]], Row] = {}
        self._windows: dict[tuple[str, int], Window] = {}
        self._repeats = Repeats(board.region, REPEATS_AT)
        self._second = 0
        self._take(settings)

    def use(self, settings: Settings, catalog: Catalog) -> None:
        """New settings or prices, for the calls that come. Calls that wait are asked again at their turn."""
        self.estimator.use(catalog)
        self._take(settings)

    def _take(self, settings: Settings) -> None:
        self.settings = settings
        self._guards_on = settings.runaway is not None
        self.rules = Rules(settings.limits, settings.budgets, by_tenant=self._guards_on)
        self._identity = self.rules.identity
        self.holdings.clear()
        self._rows.clear()
        self.accounts.clear()
        self.guards.clear()

    def lift(self, lifted: dict[str, int]) -> None:
        """Whose guard is lifted until when (s); all of them."""
        if lifted != self.lifted:
            self.lifted = lifted
            for tenant, guard in self.guards.items():
                guard.lifted_until = lifted.get(tenant, 0)

    # ------------------------------------------------------------------ a call

    def admit(self, ask: Ask, now_us: int) -> Held | None:
        holding = self.holdings.get(self._identity(ask)) or self._find(ask, now_us)
        if holding.nothing:
            return None
        second = now_us // MICRO
        if second < self._second:
            second = self._second  # the counters' time does not go back
        else:
            self._second = second
        output = ask.max_output_tokens
        tokens = ask.input_tokens + (DEFAULT_OUTPUT_TOKENS if output is None else output)
        lease = self._counted(holding, ask, tokens, second, now_us)
        try:
            if holding.accounts:
                self._reserve(holding, lease, ask, now_us)
            if self.shares is not None:
                self._take_shares(self.shares, holding, lease, ask, tokens, now_us)
        except (CallError, Wait):
            lease.release(now_us)
            raise
        return lease

    def _counted(self, holding: Holding, ask: Ask, tokens: int, second: int, now_us: int) -> Held:
        """In every window. Raises where one of them, or the guard, says no, and nothing is counted then."""
        lines, rows = self.lines, holding.rows
        least = least_tokens = BOUNDLESS
        tightest = tightest_tokens = ""
        requests = microusd = 0
        for row in rows:
            window, most_requests, most_tokens, most_at_once, requests_lines, tokens_lines, _ = row
            requests, all_tokens, microusd, at_once = window.add(second, tokens)
            left, tokens_left = most_requests - requests, most_tokens - all_tokens
            if left < least:
                least, tightest = left, requests_lines
            if tokens_left < least_tokens:
                least_tokens, tightest_tokens = tokens_left, tokens_lines
            if left < 0 or tokens_left < 0 or at_once > most_at_once or (lines and not ask.waited):
                counted = rows.index(row) + 1
                lease = Held(self, holding, second, tokens, counted, least, tightest, least_tokens, tightest_tokens)
                self._look_closer(row, Used(requests, all_tokens, microusd, at_once), lease, ask, now_us)
        lease = Held(self, holding, second, tokens, len(rows), least, tightest, least_tokens, tightest_tokens)
        if holding.guard is not None:
            alert = holding.guard.alarm(requests, microusd, ask.fingerprint, second)
            if alert is not None:
                self._alarmed(holding.guard, alert, lease, now_us)
        return lease

    def _alarmed(self, guard: Guard, alert: RunawayAlert, lease: Held, now_us: int) -> None:
        if guard.is_new(alert):
            self.sink(alert)
        if alert.throttled:
            self.refused["runaway"] += 1
            lease.release(now_us)
            raise guard.refusal(alert, lease.second)

    def _reserve(self, holding: Holding, lease: Held, ask: Ask, now_us: int) -> None:
        """In every budget. Raises where one of them says no."""
        amount, at_risk = lease.amount, lease.at_risk = self.estimator.reservation(ask, now_us)
        for account in holding.accounts:
            period = account.begin if now_us < account.end else account.period_at(now_us)
            taken = account.purse.reserve(period, amount, at_risk)
            lease.reserved.append((account, period))
            if now_us < account.counts_from:
                self._began_before(account, now_us)
            if not fits(taken, amount, account.most, account.least):
                self._over_budget(account, now_us)

    def _look_closer(self, row: Row, used: Used, lease: Held, ask: Ask, now_us: int) -> None:
        """Which of the row's meters it is that says no, if any. The lease is of the rows so far."""
        for meter in row.meters:
            rule = meter.rule
            if (
                (rule.requests is not None and used.requests > rule.requests)
                or (rule.tokens is not None and used.tokens > rule.tokens)
                or (rule.concurrent is not None and used.in_flight > rule.concurrent)
                or (rule.queue_us and not ask.waited and self._is_waited_for(meter))
            ):
                error = self._over_rate(meter, used, lease, ask)
                lease.release(now_us)
                raise error

    def _take_shares(self, shares: Shares, holding: Holding, lease: Held, ask: Ask, tokens: int, now_us: int) -> None:
        """This call's parts of what machines share; what was taken is in the lease when one of them is refused. Raises
        Wait where Redis has not said yet whether there is enough."""
        across = shares.across
        if across.refuses:
            raise refusal.unknown(across.why)
        parts = shares.of(holding, lease.amount, tokens)
        if not ask.waited:
            needs = [(share.allotment, share.amount) for share, _ in parts]
            if across.must_ask(needs, now_us):
                raise Wait(refusal.unknown("Redis has not answered yet"), functools.partial(across.enter, needs))
        for share, held_by in parts:
            if across.take(share.allotment, share.amount, now_us):
                lease.shares = (*lease.shares, share)
            elif isinstance(held_by, Account):
                self._over_budget(held_by, now_us)
            else:
                self._over_share(held_by, share, lease)

    def _over_share(self, meter: Meter, share: Share, lease: Held) -> None:
        self.refused["rate"] += 1
        if share.of == "places":
            raise refusal.too_many_at_once(meter.rule.who, share.allotment.limit)
        raise refusal.over_rate(meter.rule.who, share.of, share.allotment.limit, 1, _as_pairs(lease.head))

    def _over_rate(self, meter: Meter, used: Used, lease: Held, ask: Ask) -> CallError | Wait:
        """What is to be told: the call itself is in the counters still, and is left out here."""
        rule, window = meter
        second, headers = lease.second, _as_pairs(lease.head)
        if rule.tokens is not None and lease.tokens > rule.tokens:
            self.refused["rate"] += 1
            return refusal.too_large(rule.who, lease.tokens, rule.tokens)
        if rule.requests is not None and used.requests > rule.requests:
            retry_s = window.retry_at(second, rule.requests, None) - second
            error = refusal.over_rate(rule.who, "requests", rule.requests, retry_s, headers)
        elif rule.tokens is not None and used.tokens > rule.tokens:
            retry_s = window.retry_at(second, None, rule.tokens) - second
            error = refusal.over_rate(rule.who, "tokens", rule.tokens, retry_s, headers)
        else:
            error = refusal.too_many_at_once(rule.who, rule.concurrent or 0, headers)
        if rule.queue_us and not ask.waited:
            line = self.lines.setdefault(meter, Line(meter))
            return Wait(error, functools.partial(line.enter, ask.tenant, lease.tokens))
        self.refused["rate"] += 1
        return error

    def _is_waited_for(self, meter: Meter) -> bool:
        line = self.lines.get(meter)
        return line is not None and len(line) > 0

    def _over_budget(self, account: Account, now_us: int) -> None:
        self.refused["budget"] += 1
        rule, money = account.rule, account.purse.money(account.begin)
        left = rule.limit - money.spent - money.reserved - money.orphaned
        raise refusal.over_budget(rule.budget, rule.who, left, rule.limit, account.end, now_us)

    def ended(self, holding: Holding) -> None:
        """A call of this worker is over: others may go on."""
        for meter in holding.meters:
            line = self.lines.get(meter)
            if line is not None and len(line):
                line.move()

    def _began_before(self, account: Account, now_us: int) -> None:
        """A call that began before the record was made is counted by it."""
        account.counts_from = now_us
        self.board.counts_from(account.record, now_us)

    def look_at_levels(self, account: Account, now_us: int) -> None:
        """Sends what has been reached and nobody has sent yet; where machines share, Redis says whose it is to send."""
        if self._by_all:
            return
        rule = account.rule
        period = account.period_at(now_us)
        spent = account.purse.spent(period)
        while account.next_level < len(rule.levels):
            level = rule.levels[account.next_level]
            account.next_at = part_of(rule.limit, level)
            if spent * 100 < level * rule.limit:
                return
            account.next_level += 1
            if self.board.first_to(account.record, period, account.next_level):
                self.sink(_budget_alert(account, level, spent, now_us))
        account.next_at = NEVER

    @property
    def _by_all(self) -> bool:
        """Whether budgets' levels go by what all machines have spent."""
        return self.shares is not None and not self.shares.across.alone

    def _tell_shared(self, account: Account, period: int, place: int, spent: int) -> None:
        """A level that all machines have reached together is this one's to tell: not if it did while Redis was gone."""
        if self.board.first_to(account.record, period, place + 1):
            self.sink(_budget_alert(account, account.rule.levels[place], spent, time.time_ns() // 1000))

    def reached(self, account: Account, spent: int) -> list[float]:
        """The levels of the running period that this machine has told, or should have before a crash."""
        if self.shares is not None and self._by_all:
            return self.shares.ours(account)
        return [level for level in account.rule.levels if spent * 100 >= level * account.rule.limit]

    # ------------------------------------------------------------------ what applies

    def _find(self, ask: Ask, now_us: int) -> Holding:
        found = self.rules.applicable(ask)
        guard = self._guard(ask.tenant, now_us) if self._guards_on and ask.tenant is not None else None
        by_window: dict[Window, list[RateRule]] = {}
        for rule in found.rates:
            guarded = guard is not None and rule.scope == "tenant"
            window = self._window(rule.scope, rule.value, GUARDED_SERIES if guarded else rule.series, now_us)
            by_window.setdefault(window, []).append(rule)
        if guard is not None:
            by_window[guard.window] = by_window.pop(guard.window, [])  # the last
        rows = [self._row(window, tuple(rules)) for window, rules in by_window.items()]
        accounts = [self.account(rule, now_us) for rule in found.budgets]
        if len(self.holdings) >= _MOST_REMEMBERED:
            self.holdings.clear()
            self._rows.clear()
        holding = self.holdings[self._identity(ask)] = Holding(rows, accounts, guard)
        return holding

    def _row(self, window: Window, rules: tuple[RateRule, ...]) -> Row:
        """The same object for all that count in it: what lies in one place is found in the processor's cache."""
        row = self._rows.get((window, rules))
        if row is None:
            row = self._rows[window, rules] = Row.of(window, rules)
        return row

    def _guard(self, tenant: str, now_us: int) -> Guard | None:
        rule = self.settings.runaway
        if rule is None or tenant in rule.exempt:
            return None
        guard = self.guards.get(tenant)
        if guard is None:
            window = self._window("tenant", tenant, GUARDED_SERIES, now_us)
            guard = self.guards[tenant] = Guard(tenant, rule, window, self._repeats)
            guard.lifted_until = self.lifted.get(tenant, 0)
        return guard

    def account(self, rule: BudgetRule, now_us: int) -> Account:
        account = self.accounts.get(rule.name)
        if account is None:
            record = self._claim(rule.name, 0, record_name(rule.scope, OTHERS, rule.budget, rule.period), now_us)
            purse = Purse(self.board.region, record.at)
            account = self.accounts[rule.name] = Account(rule, purse, record, now_us)
            self.new_accounts.set()
        return account

    def _window(self, scope: str, value: str, series: int, now_us: int) -> Window:
        name = record_name(scope, value)
        window = self._windows.get((name, series))
        if window is None:
            record = self._claim(name, series, record_name(scope, OTHERS), now_us)
            window = self._windows[name, series] = Window(self.board.region, record.at, series)
        return window

    def _claim(self, name: str, kind: int, others: str, now_us: int) -> Record:
        record = self.board.claim(name, kind, now_us) or self.board.claim(others, kind, now_us, spare=True)
        if record is None:
            raise refusal.unknown("there is no room for more counters")
        return record


def _as_pairs(head: bytes) -> tuple[tuple[bytes, bytes], ...]:
    pairs = (line.partition(b": ") for line in head.split(b"\r\n") if line)
    return tuple((name, value) for name, _, value in pairs)


def _budget_alert(account: Account, level: float, spent: int, now_us: int) -> BudgetAlert:
    rule = account.rule
    return BudgetAlert(
        at_us=now_us,
        budget=rule.budget,
        scope=rule.scope,
        value=rule.value,
        period=rule.period,
        level_percent=level,
        spent_nanousd=spent,
        limit_nanousd=rule.limit,
        hard=rule.hard,
        resets_at_us=account.end if account.end < NEVER else None,
    )
