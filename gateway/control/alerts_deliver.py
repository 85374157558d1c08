"""Sends what is to be sent, with patience, and writes down how it went.

A delivery is claimed before it is sent: its document says when the next attempt may be, so that no other process makes
one meanwhile. A crash after the receiver took it and before that was written down makes a second attempt, with the same
id; receivers that know ids (webhooks, PagerDuty, mail) know it for the same.
"""

from __future__ import annotations

import asyncio
import logging
import random

import msgspec

from gateway.control.alerts import Alerts
from gateway.control.alerts_kept import DELIVERY, KNOWN, NOTICE, SILENCE, Delivery, Kept, Sending
from gateway.control.notify.sink import Undelivered
from gateway.core.alerts.notice import Notice
from gateway.errors import Conflict
from gateway.store.documents import Document, Documents

log = logging.getLogger("callgate.alerts")

SECOND = 1_000_000
DELAYS_S = (5, 15, 60, 300, 900, 1800, 3600)
"""Before the second attempt, the third, …; the last one again and again."""
GIVE_UP_US = 24 * 3600 * SECOND
LONGEST_RETRY_AFTER_S = 3600
MOST_AT_ONCE = 20
"""To one receiver in one round."""
MOST_LOOKED_AT = 200
FULL_PAGE = 1000
REST_US = 5 * SECOND
PRUNE = 100

_decode = msgspec.json.Decoder(Delivery).decode
_decode_kept = msgspec.json.Decoder(Kept).decode


class Courier:
    def __init__(self, alerts: Alerts, store: Documents) -> None:
        self._alerts = alerts
        self._store = store
        self._rests: dict[str, int] = {}
        """Until when a receiver that is down is left alone, whatever else there is for it."""

    async def round(self, now_us: int) -> int:
        """How many were sent. One receiver that is down keeps no other waiting. Raises StoreError."""
        some = [_decode(each.body).receiver for each in await self._store.documents(DELIVERY)]
        receivers = {*some, *(self._alerts.settings.notifications if len(some) == FULL_PAGE else ())}
        due = [name for name in sorted(receivers) if self._rests.get(name, 0) <= now_us]
        return sum(await asyncio.gather(*(self._to_one(name, now_us) for name in due)))

    async def _to_one(self, receiver: str, now_us: int) -> int:
        """In the order of the incidents: that one is over is never told before that it began."""
        found = await self._store.documents(DELIVERY, prefix=f"{receiver}/", limit=MOST_LOOKED_AT)
        waiting = [(each, _decode(each.body)) for each in found]
        held: set[str] = set()
        sent = 0
        for document, delivery in waiting:
            incident = delivery.notice.incident
            if incident in held or delivery.next_us > now_us:
                held.add(incident)
                continue
            if sent >= MOST_AT_ONCE:
                break
            problem = await self._attempt(document, delivery, now_us)
            if problem is None:
                sent += 1
            elif not problem.is_final:
                self._rests[receiver] = now_us + REST_US
                break
        return sent

    async def _attempt(self, document: Document, delivery: Delivery, now_us: int) -> Undelivered | None:
        number = delivery.attempts + 1
        wait_s = DELAYS_S[min(number, len(DELAYS_S)) - 1] * random.uniform(1, 1.2)
        claim = msgspec.structs.replace(delivery, attempts=number, next_us=now_us + round(wait_s * SECOND))
        if await self._is_done(delivery):  # a crash came between writing that down and forgetting the delivery
            await self._store.delete_document(DELIVERY, document.id)
            return None
        try:
            claimed = await self._put(document, claim)
        except Conflict:
            return None
        problem = await self._send(delivery)
        if problem is None:
            await self._done(claimed, delivery, Sending(state="sent", attempts=number, at_us=now_us))
        elif problem.is_final or now_us - delivery.notice.at_us > GIVE_UP_US:
            log.error("alerts: %s was not told of %s: %s", delivery.receiver, delivery.notice.title, problem)
            failed = Sending(state="failed", attempts=number, at_us=now_us, error=str(problem))
            await self._done(claimed, delivery, failed)
        else:
            log.warning("alerts: %s will be told again of %s: %s", delivery.receiver, delivery.notice.title, problem)
            await self._wait(claimed, claim, problem, now_us)
        return problem

    async def _send(self, delivery: Delivery) -> Undelivered | None:
        try:
            await self._alerts.send(delivery.receiver, delivery.notice)
        except Undelivered as exc:
            return exc
        except Exception as exc:
            log.exception("alerts: telling %s failed", delivery.receiver)
            return Undelivered(f"{type(exc).__name__} in the gateway; its log says more")
        return None

    async def _wait(self, document: Document, claim: Delivery, problem: Undelivered, now_us: int) -> None:
        if problem.retry_after_s is not None:
            asked = round(min(problem.retry_after_s, LONGEST_RETRY_AFTER_S) * SECOND)
            await self._put(document, msgspec.structs.replace(claim, next_us=max(claim.next_us, now_us + asked)))
        waiting = Sending(attempts=claim.attempts, at_us=now_us, error=str(problem))
        await self._note(claim.notice, claim.receiver, waiting)

    async def _put(self, document: Document, delivery: Delivery) -> Document:
        body = msgspec.json.encode(delivery)
        return await self._store.put_document(DELIVERY, document.id, body, expected=document.version)

    async def _done(self, document: Document, delivery: Delivery, how: Sending) -> None:
        await self._note(delivery.notice, delivery.receiver, how)
        await self._store.delete_document(DELIVERY, document.id)

    async def _is_done(self, delivery: Delivery) -> bool:
        found = await self._store.document(NOTICE, delivery.notice.at_us_id)
        sending = _decode_kept(found.body).sent.get(delivery.receiver) if found is not None else None
        return sending is not None and sending.state != "waiting"

    async def _note(self, notice: Notice, receiver: str, how: Sending) -> None:
        """In the history; several receivers' rounds write to the same notice."""
        while (found := await self._store.document(NOTICE, notice.at_us_id)) is not None:
            kept = _decode_kept(found.body)
            body = msgspec.json.encode(Kept(kept.notice, {**kept.sent, receiver: how}))
            try:
                await self._store.put_document(NOTICE, found.id, body, expected=found.version)
            except Conflict:
                continue
            return

    async def forget(self, before_us: int) -> int:
        """Takes a little of what is older out of the history, and silences that ended before then; how many notices."""
        old = [each for each in await self._store.documents(NOTICE, limit=PRUNE) if int(each.id[:20]) < before_us]
        for each in old:
            notice = _decode_kept(each.body).notice
            if not notice.lasts:
                await self._store.delete_document(KNOWN, notice.id)
            await self._store.delete_document(NOTICE, each.id)
        for key, silence in (await self._alerts.silences(ended=True)).items():
            if silence.until_us < before_us:
                await self._store.delete_document(SILENCE, key)
        return len(old)
