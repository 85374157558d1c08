"""Alerts as people manage them: rules, silences, receivers, what fires, and what was said."""

from __future__ import annotations

import msgspec

from gateway.control.alerts_kept import BOOK, BOOK_ID, NOTICE, RULE, SILENCE, Book, Kept
from gateway.control.audit import entry
from gateway.control.keys import now_us
from gateway.control.notify import sink_of
from gateway.control.notify.sink import Undelivered
from gateway.control.notify.target import RESOLVER, resolved
from gateway.control.records import Records
from gateway.core.alerts.check import unknown_receivers
from gateway.core.alerts.metric import problems
from gateway.core.alerts.notice import SEVERITIES, Notice
from gateway.core.alerts.silence import Silence
from gateway.core.ids import uuid7
from gateway.errors import ControlError, Missing
from gateway.settings import Settings
from gateway.settings.alerts import AlertRule
from gateway.store.documents import Documents

LONGEST_SILENCE_US = 366 * 86_400_000_000
MOST_RULES = 500
PAGE_PATH = "/alerts"

_decode_book = msgspec.json.Decoder(Book).decode
_decode_kept = msgspec.json.Decoder(Kept).decode


class Alerts:
    def __init__(self, settings: Settings, store: Documents, resolve: RESOLVER = resolved) -> None:
        self.settings = settings
        """Replaced on a reload."""
        self._store = store
        self._resolve = resolve
        self._rules = Records(store, RULE, AlertRule, listed_by="callgate alerts list")
        self._silences = Records(store, SILENCE, Silence)

    # ------------------------------------------------------------------------------------------ rules

    @property
    def declared(self) -> dict[str, AlertRule]:
        return {rule.name: rule for rule in self.settings.alerts.rules}

    async def rules(self) -> dict[str, AlertRule]:
        """By name; a declared one wins over one of the same name in the store."""
        return dict(sorted((await self._rules.all() | self.declared).items()))

    async def rule(self, name: str) -> AlertRule:
        found = (await self.rules()).get(name)
        if found is None:
            raise self._rules.missing(name)
        return found

    async def create(self, rule: AlertRule, *, actor: str) -> AlertRule:
        """Raises ControlError for one that cannot be watched, or is there already."""
        self._check(rule)
        self._not_declared(rule.name)
        if len(await self._rules.all()) >= MOST_RULES:
            raise ControlError(f"There are {MOST_RULES} rules already. Delete one, or use `each`.")
        return await self._rules.make(rule.name, rule, actor)

    async def change(self, rule: AlertRule, *, actor: str) -> AlertRule:
        """The whole rule of that name. Raises ControlError and Missing."""
        self._check(rule)
        self._not_declared(rule.name)
        return await self._rules.change(rule.name, lambda _: rule, actor)

    async def delete(self, name: str, *, actor: str) -> AlertRule:
        """What fires by it is over. Raises ControlError and Missing."""
        self._not_declared(name)
        return await self._rules.delete(name, actor)

    def receivers(self, rule: AlertRule | None) -> tuple[str, ...]:
        """Whom a rule tells; None: budgets and runaways."""
        chosen = rule.notify if rule is not None and rule.notify is not None else self.settings.alerts.notify
        known = self.settings.notifications
        return tuple(name for name in (known if chosen is None else chosen) if name in known)

    def wants(self, receiver: str, notice: Notice) -> bool:
        least = self.settings.notifications[receiver].min_severity
        return SEVERITIES.index(notice.severity) >= SEVERITIES.index(least)

    def _check(self, rule: AlertRule) -> None:
        found = [f"{name}: {message}" for name, message in problems(rule)]
        strangers = unknown_receivers(rule, self.settings.notifications)
        if strangers:
            found.append(f"notify: there is no {strangers[0]!r} under notifications")
        if found:
            raise ControlError(f"This rule cannot be watched: {'; '.join(found)}.")

    def _not_declared(self, name: str) -> None:
        if name in self.declared:
            raise ControlError(
                f"The rule {name!r} is declared in the configuration: change it there; a running gateway reloads it."
            )

    # ------------------------------------------------------------------------------------------ silences

    async def silences(self, *, ended: bool = False) -> dict[str, Silence]:
        """By id, newest last; those that have ended only if asked for."""
        at = now_us()
        return {key: each for key, each in (await self._silences.all()).items() if ended or each.until_us > at}

    async def silence(self, rule: str, of: str, until_us: int, *, note: str = "", actor: str) -> tuple[str, Silence]:
        at = now_us()
        if not rule.strip():
            raise ControlError("A silence needs the name of a rule, or a pattern as `latency-*`.")
        if not at < until_us <= at + LONGEST_SILENCE_US:
            raise ControlError("A silence ends in the future, and within a year.")
        made = Silence(
            rule=rule.strip(), of=of.strip() or "*", until_us=until_us, note=note.strip(), by=actor, created_at=at
        )
        key = uuid7()
        return key, await self._silences.make(key, made, actor)

    async def unsilence(self, key: str, *, actor: str) -> Silence:
        return await self._silences.delete(key, actor)

    # ------------------------------------------------------------------------------------------ what is and was

    async def book(self) -> Book:
        """What fires now; empty before the first look."""
        found = await self._store.document(BOOK, BOOK_ID)
        return _decode_book(found.body) if found is not None else Book()

    async def history(self, *, after: str | None = None, limit: int = 50) -> tuple[list[Kept], str | None]:
        """Newest first, and the cursor of what is older."""
        found = await self._store.documents(NOTICE, after=after, limit=limit + 1, newest=True)
        more = found[limit - 1].id if len(found) > limit else None
        return [_decode_kept(each.body) for each in found[:limit]], more

    # ------------------------------------------------------------------------------------------ sending

    async def send(self, receiver: str, notice: Notice) -> None:
        """Once, now. Raises Undelivered."""
        settings = self.settings.notifications.get(receiver)
        if settings is None:
            raise Undelivered(f"{receiver} is no longer under notifications", is_final=True)
        await sink_of(settings, self._resolve).send(notice, self.link)

    async def test(self, receiver: str, *, actor: str) -> None:
        """Tells a receiver that this is a test. Raises Missing, and ControlError that says what went wrong."""
        if receiver not in self.settings.notifications:
            there = ", ".join(self.settings.notifications) or "none"
            raise Missing(f"There is no {receiver[:100]!r} under notifications; there are: {there}.")
        made = uuid7()
        notice = Notice(
            id=made,
            at_us=now_us(),
            kind="test",
            severity="info",
            rule="test",
            title="Test: notices arrive here",
            text=f"Somebody pressed the test button of {receiver}. Nothing is wrong.",
            incident=made,
        )
        try:
            await self.send(receiver, notice)
        except Undelivered as exc:
            await self._store.record(entry(actor, "test_failed", "notification", receiver))
            raise ControlError(f"{receiver} could not be told: {exc}.") from exc
        await self._store.record(entry(actor, "tested", "notification", receiver))

    @property
    def link(self) -> str:
        base = self.settings.sign_in.public_url
        return base.rstrip("/") + PAGE_PATH if base else ""
