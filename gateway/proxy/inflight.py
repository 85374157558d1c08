"""The calls that this worker has in flight: to be looked at, and to be stopped.

Nothing is kept for it: the data plane has every running call in `Gateway.timed` anyway. `gateway.control.in_flight`
puts those of all workers together.
"""

from __future__ import annotations

from heapq import nlargest

from gateway.core.inflight import InFlight
from gateway.errors import CallError
from gateway.proxy import booking
from gateway.proxy.exchange import Exchange
from gateway.proxy.gateway import Gateway

MOST = 500
STOPPED_STATUS = 499
"""Not a 5xx: clients send those again by themselves, which is not what somebody who stops a call wants."""


class InFlightCalls:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def calls(self) -> list[InFlight]:
        """The newest first, `MOST` at most: other calls wait while they are written down."""
        newest = nlargest(MOST, self._exchanges(), key=lambda exchange: exchange.request_id)
        return [_seen(exchange) for exchange in newest]

    def call(self, request_id: str) -> InFlight | None:
        """However old it is; None if this worker does not carry it."""
        return next((_seen(exchange) for exchange in self._exchanges() if exchange.request_id == request_id), None)

    def stop(self, request_id: str, by: str) -> bool:
        """Ends it as a call that was cancelled, billed for what it used; False if this worker does not carry it.

        `by` is who stopped it, for the client and the log.
        """
        for exchange in self._exchanges():
            if exchange.request_id == request_id:
                exchange.interrupt(_stopped(by))
                return True
        return False

    def _exchanges(self) -> list[Exchange]:
        return [timed for timed in self._gateway.timed if isinstance(timed, Exchange) and timed.dispatched]


def _seen(exchange: Exchange) -> InFlight:
    opened = booking.opened(exchange, exchange.plan)
    return InFlight(
        request_id=opened.request_id,
        started_at=opened.started_at,
        kind=opened.kind,
        endpoint=opened.endpoint,
        stream=opened.stream,
        provider=opened.provider,
        model_requested=opened.model_requested,
        model=opened.model,
        key_id=opened.key_id,
        tenant=opened.tenant,
        environment=opened.environment,
        tags=opened.tags,
        is_answering=exchange.is_answering,
    )


def _stopped(by: str) -> CallError:
    message = f"This call was stopped by {by} before its answer was complete."
    return CallError(STOPPED_STATUS, "stopped", message, error_type="cancelled")
