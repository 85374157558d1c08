"""Rules over a log, looked at minute by minute: what is told, to whom, and once, whatever is killed when."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.control.alerting import Alerting
from gateway.control.alerts import Alerts
from gateway.control.alerts_deliver import GIVE_UP_US, Courier
from gateway.control.alerts_evaluate import Evaluator
from gateway.control.alerts_kept import BOOK, DELIVERY, EVENT, KNOWN, NOTICE, Kept
from gateway.control.alerts_measure import PART, own_part, part
from gateway.control.fleet import Fleet
from gateway.control.notify.sink import Undelivered
from gateway.core.alerts.notice import Notice
from gateway.core.health import JournalHealth, ProviderHealth, RecorderHealth
from gateway.core.limits.events import BudgetAlert, Event, RunawayAlert
from gateway.core.span import Span
from gateway.errors import ControlError, Missing, StoreError
from gateway.settings import Settings
from gateway.settings.alerts import AlertRule, Notification
from gateway.settings.alerts import Alerts as AlertSettings
from tests.api.fakes import NOW, FakeStore, make_state, span

MINUTE = 60_000_000
OPS = Notification(kind="slack", endpoint="https://hooks.example.com/x")
BOSS = Notification(kind="slack", endpoint="https://hooks.example.com/y", min_severity="error")
ERRORS = AlertRule(name="errors", metric="error_rate", above=10, min_calls=5)
STRANGER = AlertRule(name="x", metric="requests", above=1, notify=["no"])
EACH = AlertRule(name="each", metric="error_rate", above=10, min_calls=5, each="provider", severity="error")


class Desk:
    """An installation whose receivers are lists; `down` are those that take nothing, and why."""

    def __init__(self, folder: Path, rules: Iterable[AlertRule] = (), store: Any = None, **settings: Any) -> None:
        self.store = store or FakeStore()
        self.settings = Settings(
            alerts=AlertSettings(rules=list(rules), **settings), notifications={"ops": OPS, "boss": BOSS}
        )
        self.state = make_state(self.store, folder, settings=self.settings)
        self.alerts = Alerts(self.settings, self.store)
        self.alerts.send = self.take  # type: ignore[method-assign]
        self.state.alerts = self.alerts
        self.reached: list[Event] = []
        self.told: list[tuple[str, Notice]] = []
        self.down: dict[str, Undelivered] = {}
        self.evaluator = self.another("here")
        self.courier = Courier(self.alerts, self.store)
        self.numbers = 0

    def another(self, holder: str) -> Evaluator:
        return Evaluator(self.alerts, self.state, holder, self._reached)

    async def _reached(self, now_us: int) -> AsyncIterator[Event]:
        for event in self.reached:
            yield event

    async def take(self, receiver: str, notice: Notice) -> None:
        if receiver in self.down:
            raise self.down[receiver]
        self.told.append((receiver, notice))

    def calls(self, at: int, good: int, bad: int, **fields: Any) -> None:
        for index in range(good + bad):
            error = {"error_type": "timeout", "status_code": 504} if index < bad else {}
            self.numbers += 1
            self.store.add(_span(self.numbers, at, {**fields, **error}))

    async def minute(self, number: int) -> list[str]:
        """What is told then."""
        before = len(self.told)
        at = NOW + number * MINUTE
        assert await self.evaluator.look(at)
        await self.courier.round(at)
        return [f"{receiver}: {notice.title}" for receiver, notice in self.told[before:]]

    async def kept(self) -> list[Kept]:
        return (await self.alerts.history())[0]


def _span(number: int, at: int, fields: dict[str, Any]) -> Span:
    return span(number, at, **fields)


def test_parts_of_each_worker_are_as_the_worst_off_has_them(tmp_path: Path) -> None:
    async def work() -> None:
        here, there = Desk(tmp_path), Desk(tmp_path)
        for number, desk in enumerate((here, there)):
            desk.state.fleet = Fleet(tmp_path, number, 2)
            desk.state.fleet.answer(PART, functools.partial(own_part, desk.state))
            await desk.state.fleet.open()
        here.state.provider_health = lambda: {"lab": ProviderHealth(failures_in_a_row=1), "one": ProviderHealth()}
        there.state.provider_health = lambda: {"lab": ProviderHealth(failures_in_a_row=7), "two": ProviderHealth()}
        there.state.journal_health = lambda: JournalHealth(state="refusing")
        there.state.recorder_health = lambda: RecorderHealth(state="stopped")
        assert await part(here.state, "provider_failures") == {"lab": 7.0, "one": 0.0, "two": 0.0}
        assert await part(here.state, "journal") == {"": 2.0}
        assert await part(here.state, "recorder") == {"": 0.0}, "there is one for all: the others are not asked"
        await there.state.fleet.close()
        assert await part(here.state, "provider_failures") == {"lab": 1.0, "one": 0.0}
        await here.state.fleet.close()

    asyncio.run(work())


def test_a_rule_fires_and_is_over(tmp_path: Path) -> None:
    async def work() -> None:
        desk = Desk(tmp_path, [ERRORS])
        desk.calls(NOW - 1, 10, 0)
        assert await desk.minute(0) == []
        desk.calls(NOW - 1, 0, 5)
        assert await desk.minute(1) == ["ops: Firing: errors"]
        assert await desk.minute(2) == []
        desk.calls(NOW + 2 * MINUTE, 90, 0)
        assert await desk.minute(3) == ["ops: Resolved: errors"]
        assert [(each.notice.kind, each.sent["ops"].state) for each in await desk.kept()] == [
            ("resolved", "sent"), ("firing", "sent"),
        ]  # fmt: skip
        book = await desk.alerts.book()
        assert (book.watches, book.leaving, round(book.readings["errors"][""] or 0, 1)) == ({}, [], 4.8)

    asyncio.run(work())


def test_each_value_has_an_incident_of_its_own_and_the_boss_hears_of_errors_only(tmp_path: Path) -> None:
    async def work() -> None:
        desk = Desk(tmp_path, [ERRORS, EACH])
        desk.calls(NOW - 1, 95, 5, provider="openai")
        desk.calls(NOW - 1, 0, 5, provider="lab")
        desk.calls(NOW - 1, 0, 2, provider="rare")
        assert await desk.minute(0) == ["boss: Firing: each (lab)", "ops: Firing: each (lab)", "ops: Firing: errors"]
        quiet = await desk.minute(11)
        assert quiet == [], "unknown for less than a window"
        assert sorted(await desk.minute(21)) == [
            "boss: Resolved: each (lab)", "ops: Resolved: each (lab)", "ops: Resolved: errors",
        ]  # fmt: skip

    asyncio.run(work())


def test_a_log_that_is_behind_decides_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        rules = [
            AlertRule(name="volume", metric="requests", below=1),
            AlertRule(name="lag", metric="recorder_lag_s", above=60),
        ]
        desk = Desk(tmp_path, rules)
        desk.state.recorder_health = lambda: RecorderHealth(state="running", lag_us=90_000_000)
        assert await desk.minute(0) == ["ops: Firing: lag"]
        assert (await desk.alerts.book()).troubles == {"volume": "the log is 90 s behind"}
        desk.state.recorder_health = lambda: RecorderHealth(state="running")
        assert await desk.minute(1) == ["ops: Resolved: lag", "ops: Firing: volume"]

    asyncio.run(work())


@pytest.mark.parametrize(
    ("metric", "fields", "expected"),
    [
        ("journal", {}, {"": 2.0}),
        ("recorder", {}, {"": 1.0}),
        ("dead_letters", {}, {"": 3.0}),
        ("journal_backlog_mb", {}, {"": 2.0}),
        ("provider_failures", {"each": "provider"}, {"lab": 4.0, "openai": 0.0}),
        ("provider_failures", {}, {"": 4.0}),
        ("provider_failures", {"provider": ["openai"]}, {"": 0.0}),
        ("circuits_open", {}, {"": 0.0}),
    ],
)
def test_the_parts_are_watched_by_what_they_say(
    metric: str, fields: dict[str, Any], expected: dict[str, float], tmp_path: Path
) -> None:
    async def work() -> None:
        desk = Desk(tmp_path, [AlertRule(name="r", metric=metric, above=1.5, **fields)])
        desk.state.journal_health = lambda: JournalHealth(state="refusing")
        desk.state.recorder_health = lambda: RecorderHealth(state="stopped", dead_letters=3, backlog_bytes=2 << 20)
        desk.state.provider_health = lambda: {"lab": ProviderHealth(failures_in_a_row=4), "openai": ProviderHealth()}
        told = await desk.minute(0)
        assert (await desk.alerts.book()).readings == {"r": expected}
        assert len(told) == sum(value > 1.5 for value in expected.values())

    asyncio.run(work())


def test_a_silence_keeps_it_in_the_history_only(tmp_path: Path) -> None:
    async def work() -> None:
        desk = Desk(tmp_path, [ERRORS])
        key, _ = await desk.alerts.silence("err*", "", NOW + 1000 * MINUTE, actor="user:ann")
        desk.calls(NOW - 1, 0, 9)
        assert await desk.minute(0) == []
        assert [(each.notice.kind, each.notice.silenced) for each in await desk.kept()] == [("firing", True)]
        await desk.alerts.unsilence(key, actor="user:ann")
        assert await desk.minute(1) == ["ops: Still firing: errors"]

    asyncio.run(work())


def test_a_rule_that_is_deleted_ends_what_it_fired(tmp_path: Path) -> None:
    async def work() -> None:
        desk = Desk(tmp_path)
        await desk.alerts.create(ERRORS, actor="user:ann")
        desk.calls(NOW - 1, 0, 9)
        assert await desk.minute(0) == ["ops: Firing: errors"]
        await desk.alerts.delete("errors", actor="user:ann")
        assert await desk.minute(1) == ["ops: Resolved: errors"]
        assert desk.told[-1][1].text == "The rule is gone."
        assert await desk.minute(2) == []

    asyncio.run(work())


LEVEL = BudgetAlert(
    at_us=NOW, budget="daily", scope="tenant", value="acme", period="day", level_percent=50.0, spent_nanousd=6,
    limit_nanousd=10, hard=True, resets_at_us=NOW + 99,
)  # fmt: skip
RUNAWAY = RunawayAlert(at_us=NOW, tenant="acme", reason="calls", per_min=900, bound_per_min=60, throttled=True)


def test_what_admission_tells_is_told_once(tmp_path: Path) -> None:
    async def work() -> None:
        desk = Desk(tmp_path)
        workers = [Alerting(desk.alerts, desk.state, "data") for _ in range(3)]
        for worker in workers:
            worker.hear(LEVEL)
            worker.hear(RUNAWAY)
            await worker.hand_on()
        desk.reached = [LEVEL]
        told = ["ops: Budget daily (acme): 50 %", "boss: Runaway: acme", "ops: Runaway: acme"]
        assert sorted(await desk.minute(0)) == sorted(told)
        later = msgspec.structs.replace(LEVEL, at_us=NOW + 5, spent_nanousd=7)
        workers[0].hear(later)
        await workers[0].hand_on()
        desk.evaluator = desk.another("here")  # after a restart
        assert (await desk.minute(1), await desk.store.documents(EVENT)) == ([], [])
        assert await desk.minute(2) == []
        desk.reached = [msgspec.structs.replace(LEVEL, level_percent=80.0)]
        assert await desk.minute(3) == ["ops: Budget daily (acme): 80 %"]

    asyncio.run(work())


def test_an_event_waits_for_a_store_that_is_down(tmp_path: Path) -> None:
    async def work() -> None:
        desk = Desk(tmp_path)
        alerting = Alerting(desk.alerts, desk.state, "data")
        alerting.hear(RUNAWAY)
        put, desk.store.put_document = desk.store.put_document, failing
        with pytest.raises(StoreError):
            await alerting.hand_on()
        desk.store.put_document = put
        await alerting.hand_on()
        assert await desk.minute(0) == ["boss: Runaway: acme", "ops: Runaway: acme"]

    asyncio.run(work())


async def failing(*_: Any, **__: Any) -> None:
    raise StoreError("down")


class Killed(Exception):  # noqa: N818 - not an error
    """The process ends here."""


class Mortal(FakeStore):
    """Dies after so many writes of documents; what was written stays."""

    def __init__(self) -> None:
        super().__init__()
        self.writes_left: int | None = None

    def _write(self) -> None:
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left < 0:
                raise Killed

    async def put_document(self, *args: Any, **options: Any) -> Any:
        self._write()
        return await super().put_document(*args, **options)

    async def delete_document(self, *args: Any, **options: Any) -> bool:
        self._write()
        return await super().delete_document(*args, **options)


async def _survive(desk: Desk, number: int, writes: int) -> bool:
    """A minute that is cut off after so many writes, then one of a new process; whether it was cut off."""
    desk.store.writes_left = writes
    try:
        await desk.minute(number)
        was_killed = False
    except Killed:
        was_killed = True
    desk.store.writes_left = None
    desk.evaluator, desk.courier = desk.another("here"), Courier(desk.alerts, desk.store)
    await desk.minute(number + 1)
    await desk.minute(number + 9)  # a delivery that was claimed is free again
    return was_killed


def test_killed_anywhere_each_change_is_one_notice_and_is_told(tmp_path: Path) -> None:
    """Cut off after every single write: the history has each once, each is sent, and what is sent again has the id of
    the first time."""

    async def once(writes: int) -> bool:
        desk = Desk(tmp_path, [ERRORS], Mortal())
        desk.calls(NOW - 1, 0, 9)
        alerting = Alerting(desk.alerts, desk.state, "data")
        alerting.hear(LEVEL)
        await alerting.hand_on()
        killed = await _survive(desk, 0, writes)
        assert sorted(each.notice.kind for each in await desk.kept()) == ["budget", "firing"]
        assert {each.sent["ops"].state for each in await desk.kept()} == {"sent"}
        ids = [notice.id for _, notice in desk.told]
        assert len(set(ids)) == 2
        assert len(ids) <= 3, "only what was under way may be sent again"
        assert await desk.store.documents(DELIVERY) == await desk.store.documents(EVENT) == []
        return killed

    async def work() -> None:
        writes = 0
        while await once(writes):
            writes += 1
        assert writes > 12

    asyncio.run(work())


def test_of_several_that_could_look_one_does(tmp_path: Path) -> None:
    async def work() -> None:
        desk = Desk(tmp_path, [ERRORS])
        there = desk.another("there")
        desk.calls(NOW - 1, 0, 9)
        assert await desk.evaluator.look(NOW)
        assert not await there.look(NOW + MINUTE)
        assert await desk.evaluator.look(NOW + MINUTE)
        assert await there.look(NOW + MINUTE + desk.evaluator.tenure_us), "it is gone"
        assert not await desk.evaluator.look(NOW + 2 * MINUTE)
        assert [each.notice.kind for each in await desk.kept()] == ["firing"]

    asyncio.run(work())


def test_two_that_look_at_the_same_moment_tell_once(tmp_path: Path) -> None:
    async def work() -> None:
        store = Slow()
        desk = Desk(tmp_path, [ERRORS], store)
        desk.calls(NOW - 1, 0, 9)
        store.readers = asyncio.Barrier(2)
        looked = await asyncio.gather(desk.another("a").look(NOW), desk.another("b").look(NOW))
        assert sorted(looked) == [False, True]
        assert [each.notice.kind for each in await desk.kept()] == ["firing"]

    asyncio.run(work())


class Slow(FakeStore):
    """Nobody has read the book before everybody has."""

    readers: asyncio.Barrier | None = None

    async def document(self, kind: str, doc_id: str) -> Any:
        found = await super().document(kind, doc_id)
        if kind == BOOK and self.readers is not None:
            await self.readers.wait()
        return found


# ------------------------------------------------------------------------------------------------ sending


def test_a_receiver_that_is_down_is_told_later_in_order_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    async def work() -> None:
        rule = msgspec.structs.replace(ERRORS, severity="critical")
        desk = Desk(tmp_path, [rule])
        desk.calls(NOW - 1, 0, 9)
        desk.down["ops"] = Undelivered("it does not answer")
        assert await desk.minute(0) == ["boss: Firing: errors"]
        desk.calls(NOW, 900, 0)
        assert await desk.minute(1) == ["boss: Resolved: errors"]
        sending = (await desk.kept())[-1].sent["ops"]
        assert (sending.state, sending.attempts, sending.error) == ("waiting", 2, "it does not answer")
        desk.down.clear()
        assert await desk.minute(30) == ["ops: Firing: errors", "ops: Resolved: errors"]

    asyncio.run(work())


@pytest.mark.parametrize(
    ("problem", "minutes", "attempts"),
    [
        (Undelivered("no such channel", is_final=True), (0, 1), 1),
        (Undelivered("busy", retry_after_s=600), (0, 5, 9, 11, GIVE_UP_US // MINUTE + 1), 3),
    ],
)
def test_who_refuses_is_given_up_and_who_asks_for_time_has_it(
    problem: Undelivered, minutes: tuple[int, ...], attempts: int, tmp_path: Path
) -> None:
    async def work() -> None:
        desk = Desk(tmp_path)
        desk.reached = [LEVEL]
        desk.down["ops"] = problem
        for number in minutes:
            await desk.minute(number)
        sending = (await desk.kept())[0].sent["ops"]
        assert (sending.state, sending.attempts, sending.error) == ("failed", attempts, str(problem))
        assert await desk.store.documents(DELIVERY) == []

    asyncio.run(work())


def test_history_is_forgotten_after_its_time_but_not_a_budget_without_end(tmp_path: Path) -> None:
    async def work() -> None:
        desk = Desk(tmp_path)
        total = msgspec.structs.replace(LEVEL, budget="total", resets_at_us=None)
        desk.reached = [LEVEL, total]
        await desk.minute(0)
        assert await desk.courier.forget(NOW) == 0
        assert await desk.courier.forget(NOW + 1) == 2
        assert (await desk.kept(), len(await desk.store.documents(KNOWN))) == ([], 1)
        desk.evaluator, desk.reached = desk.another("here"), [total]
        assert await desk.minute(1) == []
        assert await desk.store.documents(NOTICE) == []

    asyncio.run(work())


# ------------------------------------------------------------------------------------------------ managing


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (lambda a: a.create(AlertRule(name="x", metric="mood", above=1), actor="t"), ControlError, "nothing that can"),
        (lambda a: a.create(STRANGER, actor="t"), ControlError, "no 'no'"),
        (lambda a: a.create(ERRORS, actor="t"), ControlError, "declared"),
        (lambda a: a.change(msgspec.structs.replace(ERRORS, name="y"), actor="t"), Missing, "no alert rule"),
        (lambda a: a.delete("errors", actor="t"), ControlError, "declared"),
        (lambda a: a.silence("errors", "", 5, actor="t"), ControlError, "in the future"),
        (lambda a: a.silence(" ", "", 5, actor="t"), ControlError, "name of a rule"),
        (lambda a: a.test("nobody", actor="t"), Missing, "there are: ops, boss"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_why(
    act: Callable[[Alerts], Any], error: type[Exception], words: str, tmp_path: Path
) -> None:
    alerts = Desk(tmp_path, [ERRORS]).alerts
    with pytest.raises(error, match=words):
        asyncio.run(act(alerts))


def test_changes_and_tests_are_audited(tmp_path: Path) -> None:
    async def work() -> None:
        desk = Desk(tmp_path)
        await desk.alerts.create(ERRORS, actor="user:ann")
        await desk.alerts.change(msgspec.structs.replace(ERRORS, above=20), actor="user:ann")
        await desk.alerts.test("ops", actor="user:ann")
        desk.down["ops"] = Undelivered("no answer")
        with pytest.raises(ControlError, match="ops could not be told: no answer"):
            await desk.alerts.test("ops", actor="user:ann")
        log = [(each.action, each.kind, each.id) for each in await desk.store.audit()]
        assert log == [
            ("test_failed", "notification", "ops"),
            ("tested", "notification", "ops"),
            ("changed", "alert_rule", "errors"),
            ("created", "alert_rule", "errors"),
        ]

    asyncio.run(work())


def test_an_event_that_cannot_be_told_keeps_no_other_waiting(tmp_path: Path) -> None:
    async def work() -> None:
        desk = Desk(tmp_path)
        alerting = Alerting(desk.alerts, desk.state, "data")
        alerting.hear(object())  # type: ignore[arg-type]  # what nobody expected
        alerting.hear(RUNAWAY)
        running = asyncio.create_task(alerting.run(looks=False))
        async with asyncio.timeout(5):
            while not await desk.store.documents(EVENT):
                await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(work())
