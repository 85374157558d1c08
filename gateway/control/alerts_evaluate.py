"""A look at all rules: what is measured meets what is remembered, and what changed becomes notices.

What is remembered, who looks, and the notices that are leaving are one document, written with the version it was read
at. So of several processes that look at once one succeeds, and a notice is decided together with the change it tells
of: once, whatever is killed when. From the book notices go to the history and to what is to be sent; doing that twice
changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator

import msgspec

from gateway.control.alerts import Alerts
from gateway.control.alerts_kept import (
    BOOK,
    BOOK_ID,
    DELIVERY,
    EVENT,
    KEY_SEPARATOR,
    KNOWN,
    NOTICE,
    Book,
    Delivery,
    Kept,
    Sending,
    delivery_id,
    watch_key,
)
from gateway.control.alerts_measure import Measures, Unmeasured, Values
from gateway.control.state import AppState
from gateway.core.alerts.notice import Notice, of_change, of_event
from gateway.core.alerts.silence import Silence, is_silenced
from gateway.core.alerts.watch import Watch, look
from gateway.core.ids import uuid7
from gateway.core.limits.events import Event
from gateway.errors import Conflict, StoreError
from gateway.settings.alerts import AlertRule
from gateway.store.documents import Document, Documents

log = logging.getLogger("callgate.alerts")

MOST_EVENTS = 200
"""Taken up in one look; the others wait for the next."""
MOST_READINGS = 100
GONE = AlertRule(name="gone", metric="requests", above=0)

Reached = Callable[[int], AsyncIterator[Event]]
"""What budgets have reached, asked at each look: an event that a crash swallowed is told all the same."""

_decode_book = msgspec.json.Decoder(Book).decode
_decode_notice = msgspec.json.Decoder(Notice).decode
_decode_kept = msgspec.json.Decoder(Kept).decode


class Evaluator:
    def __init__(self, alerts: Alerts, state: AppState, holder: str, reached: Reached) -> None:
        """`holder` names this process among those that could look: the same after a restart."""
        self._alerts = alerts
        self._state = state
        self._store: Documents = state.store
        self._holder = holder
        self._reached = reached
        self._seen: set[str] = set()
        """Events that are notices for sure."""

    async def look(self, now_us: int) -> bool:
        """Whether this process has the book. Raises StoreError."""
        document = await self._store.document(BOOK, BOOK_ID)
        book = _decode_book(document.body) if document is not None else Book()
        if book.holder not in ("", self._holder) and now_us < book.until_us:
            return False
        rules, silences = await self._alerts.rules(), list((await self._alerts.silences(ended=True)).values())
        events = await self._new_events(silences, now_us)
        if not (rules or events or book.watches or book.leaving or book.readings):
            return True
        known = {notice.id for notice in book.leaving}
        book.leaving += [notice for notice in events if notice.id not in known]
        await self._look_at_rules(book, rules, silences, now_us)
        book.holder, book.looked_at_us = self._holder, now_us
        book.until_us = now_us + self.tenure_us
        try:
            written = await self._write(book, document)
            await self._see_off(book, written)
        except Conflict:
            log.info("alerts: another process was looking at the same time")
            return False
        return True

    @property
    def tenure_us(self) -> int:
        """How long another process waits for one that is gone."""
        return round((self._alerts.settings.alerts.every_s * 3 + 30) * 1_000_000)

    # ------------------------------------------------------------------------------------------ rules

    async def _look_at_rules(
        self, book: Book, rules: dict[str, AlertRule], silences: list[Silence], now_us: int
    ) -> None:
        measures = Measures(self._state, now_us)
        before, book.watches, book.readings, book.troubles = book.watches, {}, {}, {}
        for name, rule in rules.items():
            mine = dict(_of_rule(before, name))
            try:
                values = await measures.read(rule)
            except (Unmeasured, StoreError) as exc:
                book.troubles[name] = str(exc)
                book.watches |= {watch_key(name, of): watch for of, watch in mine.items()}
                continue
            values |= {of: measures.absent(rule) for of in mine.keys() - values.keys()}
            book.readings[name] = _highest(values, rule)
            for of, value in values.items():
                self._step(book, rule, of, mine.get(of), value, silences, now_us)
        for key, watch in before.items():
            name, _, of = key.partition(KEY_SEPARATOR)
            if name not in rules and watch.firing:
                book.leaving.append(self._addressed(_of_gone(name, of, watch, now_us), None))

    def _step(
        self,
        book: Book,
        rule: AlertRule,
        of: str,
        watch: Watch | None,
        value: float | None,
        silences: list[Silence],
        now_us: int,
    ) -> None:
        silenced = is_silenced(silences, rule.name, of, now_us)
        step = look(rule, watch, value, now_us, silenced=silenced, incident=uuid7())
        if step.watch is not None:
            book.watches[watch_key(rule.name, of)] = step.watch
        if step.change is not None:
            notice = of_change(rule, of, step.change, watch, step.watch, value, now_us)
            book.leaving.append(self._addressed(notice, rule))

    def _addressed(self, notice: Notice, rule: AlertRule | None) -> Notice:
        whom = (name for name in self._alerts.receivers(rule) if self._alerts.wants(name, notice))
        return msgspec.structs.replace(notice, notify=() if notice.silenced else tuple(whom))

    # ------------------------------------------------------------------------------------------ events

    async def _new_events(self, silences: list[Silence], now_us: int) -> list[Notice]:
        heard = [_decode_notice(each.body) for each in await self._store.documents(EVENT, limit=MOST_EVENTS)]
        reached = [of_event(event) async for event in self._reached(now_us)]
        new: dict[str, Notice] = {}
        for notice in (*heard, *reached):
            if notice.id in new or notice.id in self._seen:
                continue
            if await self._store.document(KNOWN, notice.id) is None:
                silenced = is_silenced(silences, notice.rule, notice.of, now_us)
                new[notice.id] = self._addressed(msgspec.structs.replace(notice, silenced=silenced), None)
            else:
                self._seen.add(notice.id)
        for notice in heard:
            if notice.id in self._seen:
                await self._store.delete_document(EVENT, notice.id)
        return list(new.values())

    # ------------------------------------------------------------------------------------------ leaving the book

    async def _write(self, book: Book, before: Document | None) -> Document:
        expected = before.version if before is not None else 0
        return await self._store.put_document(BOOK, BOOK_ID, msgspec.json.encode(book), expected=expected)

    async def _see_off(self, book: Book, written: Document) -> None:
        """Into the history and to be sent; then out of the book."""
        if not book.leaving:
            return
        for notice in book.leaving:
            await self._keep(notice)
        book.leaving = []
        await self._write(book, written)

    async def _keep(self, notice: Notice) -> None:
        kept = Kept(notice, {name: Sending() for name in notice.notify})
        if not await self._put_once(NOTICE, notice.at_us_id, kept):
            found = await self._store.document(NOTICE, notice.at_us_id)
            kept = _decode_kept(found.body) if found is not None else kept
        for receiver, sending in kept.sent.items():
            if sending.state == "waiting":
                delivery = Delivery(receiver=receiver, notice=notice)
                await self._put_once(DELIVERY, delivery_id(receiver, notice), delivery)
        if notice.kind in ("budget", "runaway"):
            await self._put_once(KNOWN, notice.id, {"at_us": notice.at_us, "lasts": notice.lasts})
            self._seen.add(notice.id)
            await self._store.delete_document(EVENT, notice.id)
        log.warning("%s%s. %s", notice.title, " (silenced)" if notice.silenced else "", notice.text)

    async def _put_once(self, kind: str, doc_id: str, item: object) -> bool:
        """Whether it was not there yet."""
        try:
            await self._store.put_document(kind, doc_id, msgspec.json.encode(item), expected=0)
        except Conflict:
            return False
        return True


def _of_rule(watches: dict[str, Watch], name: str) -> Iterator[tuple[str, Watch]]:
    for key, watch in watches.items():
        rule, _, of = key.partition(KEY_SEPARATOR)
        if rule == name:
            yield of, watch


def _of_gone(name: str, of: str, watch: Watch, now_us: int) -> Notice:
    """What fires by a rule that was deleted is over."""
    notice = of_change(msgspec.structs.replace(GONE, name=name), of, "resolved", watch, None, None, now_us)
    return msgspec.structs.replace(notice, text="The rule is gone.", metric=None, limit=None)


def _highest(values: Values, rule: AlertRule) -> Values:
    """The worst first, and no more than a page can show."""
    sign = -1 if rule.above is not None else 1
    known = sorted(values, key=lambda of: (values[of] is None, sign * (values[of] or 0), of))
    return {of: values[of] for of in known[:MOST_READINGS]}
