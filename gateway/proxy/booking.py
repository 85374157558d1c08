"""From a call that is over to the two frames that the journal keeps of it.

The frames are made by position, in the order of their fields in `core.span`: six times faster than by name.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.core import body as request_body
from gateway.core.health import PROVIDER_FAULTS
from gateway.core.limits import Lease
from gateway.core.routing import Outcome, judge, retry_after_us
from gateway.core.span import Attempt, CallClosed, CallOpened
from gateway.dialects import Answer, Context
from gateway.errors import CallError, JournalError
from gateway.proxy.costing import Cost, cost_of, error_type_of, estimated_tokens
from gateway.proxy.headers import UPSTREAM_IDS, Headers, without_credentials
from gateway.proxy.plan import Plan
from gateway.proxy.table import Target
from gateway.proxy.tap import decoded
from gateway.proxy.withheld import withheld
from pricing import Usage

if TYPE_CHECKING:
    from gateway.proxy.exchange import Exchange
    from gateway.proxy.journey import Journey
    from gateway.proxy.relay import Relay


def opened(exchange: Exchange, plan: Plan | None) -> CallOpened:
    """The first frame. `plan` is None for a call that was refused before one was made."""
    assert exchange.key is not None
    tags = plan.tags if plan is not None else exchange.key.tags
    target = plan.target if plan is not None else None
    head = exchange.head
    return CallOpened(
        exchange.request_id,
        exchange.started_at,
        head.dialect.kind,
        head.endpoint,
        head.dialect.name,
        plan.stream if plan is not None else False,
        target.upstream.name if target is not None else None,
        plan.model_requested if plan is not None else _model_in(exchange.raw),
        target.model if target is not None else None,
        exchange.key.key_id,
        exchange.key.tenant or tags.get("tenantSlug"),
        exchange.key.environment or tags.get("environment"),
        tags,
        estimated_tokens(len(plan.body)) if plan is not None and plan.held else None,
        head.client_request_id,
        head.trace_id,
        head.parent_span_id,
        head.trace_name,
    )


def _model_in(raw: bytes) -> str | None:
    """The model of a request that was refused before it was planned, as far as it can be read."""
    try:
        return request_body.text(request_body.parse(raw), "model")
    except CallError:
        return None


def book_refusal(exchange: Exchange, error: CallError) -> None:
    """Both frames of a call that the gateway refused. A journal that cannot be written loses this row and no more:
    nothing was dispatched."""
    closed = _closed(exchange, error.status, error, None, Answer(), "none", Cost())
    try:
        exchange.gateway.journal.opened_and_closed(
            opened(exchange, exchange.plan), *as_kept(exchange, closed, (), own_message=True)
        )
    except JournalError:
        return


def book(exchange: Exchange, status: int, error: CallError | None, relay: Relay | None) -> Cost:
    """The last frame of a dispatched call, written before the client hears its end; once, however often it is called.

    `error` is a failure of the gateway's or the connection's; what the provider itself reports is found in the
    answer. Raises JournalError.
    """
    if exchange.booked is not None:
        return exchange.booked
    plan, gateway = exchange.plan, exchange.gateway
    assert plan is not None
    target = plan.target
    upstream, source = target.upstream, "none"
    if relay is None:
        answer, cost = Answer(), Cost()
    else:
        body = relay.tap.joined() if relay.meter is None else b""
        if relay.encoding:
            body = decoded(body, relay.encoding)
        dialect = exchange.head.dialect
        asked = exchange.raw if exchange.request_tap is None else exchange.request_tap.joined()
        context = Context(exchange.head.path, asked, relay.lookup, target.model, upstream.evidence)
        if relay.status >= 400:
            answer = dialect.read(body, relay.streaming, relay.status, context)
        elif dialect.is_long:  # what is fetched in part is not paid by it
            whole = relay.meter if error is None and relay.ended_ns else None
            answer = whole.settle(context) if whole is not None else Answer()
        else:
            answer = dialect.settle(body, relay.streaming, context)
        if answer.bill_id is not None:
            gateway.bills.settle_once(upstream.name, answer)
        if answer.usage is not None:
            source = "reported"
        elif relay.streaming and (error is not None or relay.client_is_gone or not answer.complete):
            answer.usage = _estimated(exchange, body)
            source = "estimated" if answer.usage is not None else "none"
        cost = cost_of(answer, target, gateway.table, plan.tags.get("tenantSlug"), exchange.started_at)
    if plan.journey is not None:
        _end_journey(exchange, plan.journey, status, error, relay, cost)
    if exchange.lease is not None:
        _settle(exchange, exchange.lease, status, answer, cost)
    closed = _closed(exchange, status, error, relay, answer, source, cost)
    upstream.health.note(closed.error_type, closed.upstream_us, closed.ended_at)
    if exchange.cached is not None:
        closed = exchange.cached.booked(closed)
    said = relay.tap.first(gateway.payload_bytes) if relay is not None else ()
    gateway.journal.close(*as_kept(exchange, closed, said, own_message=error is not None))
    exchange.booked = cost
    if relay is not None:
        gateway.counters.bytes_out += relay.tap.size
    return cost


def as_kept(
    exchange: Exchange, closed: CallClosed, said: Sequence[bytes], *, own_message: bool
) -> tuple[CallClosed, Sequence[bytes], Sequence[bytes]]:
    """The end and the bodies as they may be journalled."""
    tags = exchange.plan.tags if exchange.plan is not None else {}
    asked = request_pieces(exchange)
    return withheld(exchange.gateway, exchange.head, exchange.key, tags, closed, asked, said, own_message=own_message)


def _settle(exchange: Exchange, lease: Lease, status: int, answer: Answer, cost: Cost) -> None:
    """What the call really used goes to its limits and budgets. A failure without usage counts as a request, and gives
    its tokens and money back."""
    now_us = exchange.started_at + (time.perf_counter_ns() - exchange.began_ns) // 1000
    if answer.usage is not None:
        lease.settle(answer.usage.total_tokens, cost.total, now_us)
    else:
        lease.settle(0 if status >= 400 else None, cost.total, now_us)


def _end_journey(
    exchange: Exchange, journey: Journey, status: int, error: CallError | None, relay: Relay | None, cost: Cost
) -> None:
    """The last attempt's result goes to its target's record; what the failed ones cost is part of the call's cost."""
    if before := sum(attempt.cost_nanousd or 0 for attempt in journey.attempts):
        assert exchange.plan is not None
        cost.add(before, exchange.gateway.table.markup_percent(exchange.plan.tags.get("tenantSlug")))
    if not journey.is_under_way:
        return
    if relay is not None and error is None:
        outcome = Outcome(relay.status, None, retry_after_us(relay.lookup, exchange.started_at))
        if judge(outcome).retry:
            journey.gives_up(outcome)
        else:
            journey.ended(latency_us=(relay.answer_ns - exchange.attempt_ns) // 1000)
    elif error is not None and error.error_type in PROVIDER_FAULTS:
        journey.gives_up(Outcome(None, error.error_type))
    else:
        journey.ended()


def request_pieces(exchange: Exchange) -> Sequence[bytes]:
    """What is logged of the request's body."""
    if exchange.request_tap is not None:
        return exchange.request_tap.first(exchange.gateway.payload_bytes)
    raw = exchange.raw
    return (raw if len(raw) <= exchange.gateway.payload_bytes else raw[: exchange.gateway.payload_bytes],)


def _estimated(exchange: Exchange, body: bytes) -> Usage | None:
    """What a stream that was cut has used so far, roughly: it was going to report it at the end."""
    plan = exchange.plan
    if plan is None or not plan.held or exchange.head.dialect.kind != "llm":
        return None
    said = exchange.head.dialect.read(body, True, 200)
    text = (said.text or "") + (said.reasoning or "") + "".join(call.arguments or "" for call in said.tool_calls)
    return Usage(
        input_tokens=estimated_tokens(len(plan.body)),
        output_tokens=estimated_tokens(len(text.encode("utf-8", "replace"))) if text else 0,
    )


def _failure(error: CallError | None, relay: Relay | None, answer: Answer) -> tuple[str | None, str | None]:
    """(error type, message) of a call; None for one that succeeded."""
    if error is not None:
        return error.error_type, error.message
    if relay is None:
        return None, None
    if relay.client_is_gone:
        return "cancelled", "the client closed the connection"
    if relay.status >= 400:
        return error_type_of(relay.status, answer.error), answer.error
    if answer.error is not None:
        return "upstream_error", answer.error
    if relay.is_empty:
        return "upstream_error", "the answer is empty"
    if relay.streaming and not answer.complete:
        return "upstream_error", "the stream ended without a finish reason"
    return None, None


def _closed(
    exchange: Exchange,
    status: int,
    error: CallError | None,
    relay: Relay | None,
    answer: Answer,
    usage_source: str,
    cost: Cost,
) -> CallClosed:
    now_ns = time.perf_counter_ns()
    error_type, message = _failure(error, relay, answer)
    plan = exchange.plan
    target = plan.target if plan is not None else None
    lookup = relay.lookup if relay is not None else {}
    ended_ns = relay.ended_ns or now_ns if relay is not None else now_ns
    attempts = []
    if exchange.dispatched and target is not None and plan is not None:
        if plan.journey is not None:
            attempts += plan.journey.attempts
        elif exchange.lost_attempt is not None:
            attempts.append(exchange.lost_attempt)
        attempts.append(
            _attempt(exchange, target, relay.status if relay is not None else None, error_type, ended_ns, cost.attempt)
        )
    return CallClosed(
        exchange.request_id,
        exchange.started_at + (now_ns - exchange.began_ns) // 1000,
        status,
        error_type,
        message,
        attempts,
        target.upstream.name if target is not None else None,
        answer.model or (target.model if target is not None else None),
        _upstream_id(lookup),
        answer.usage,
        usage_source,
        answer.usage_raw,
        answer.service_tier,
        cost.total,
        cost.input,
        cost.output,
        cost.charge,
        cost.source,
        cost.price_id,
        (relay.content_ns - exchange.began_ns) // 1000 if relay is not None and relay.content_ns else None,
        (ended_ns - exchange.attempt_ns) // 1000 if relay is not None else None,
        (exchange.dispatched_ns - exchange.ready_ns + now_ns - ended_ns) // 1000,
        None,
        len(exchange.raw) if exchange.request_tap is None else exchange.request_tap.size,
        relay.tap.size if relay is not None else 0,
        exchange.head.content_type,
        _text(lookup.get(b"content-type")),
        _text(relay.encoding) if relay is not None else None,
        exchange.head.logged,
        _logged_headers(relay),
        relay.timing if relay is not None else None,
        answer.provider,
        answer.priced_as,
        answer.also,
        answer.bill_id,
        answer.bill_is_own,
    )


def failed_attempt(exchange: Exchange, plan: Plan, error: CallError | None, relay: Relay | None) -> Attempt:
    """One that another follows. It costs something where a stream had begun and said so."""
    cost = None
    if relay is not None and (answer := relay.before_content()) is not None:
        tenant = plan.tags.get("tenantSlug")
        cost = cost_of(answer, plan.target, exchange.gateway.table, tenant, exchange.started_at).total
    status = relay.status if relay is not None else None
    error_type = error.error_type if error is not None else error_type_of(status or 0, None) or "upstream_error"
    plan.target.upstream.health.note(error_type, None, exchange.started_at)
    return _attempt(exchange, plan.target, status, error_type, time.perf_counter_ns(), cost)


def lost_attempt(exchange: Exchange, plan: Plan) -> Attempt:
    """One on a connection that had lain idle and broke: whether the provider saw it nobody knows."""
    return _attempt(exchange, plan.target, None, "network", time.perf_counter_ns(), None)


def _attempt(
    exchange: Exchange, target: Target, status: int | None, error_type: str | None, ended_ns: int, cost: int | None
) -> Attempt:
    return Attempt(
        target.upstream.name,
        target.model,
        status,
        error_type,
        exchange.started_at + (exchange.attempt_ns - exchange.began_ns) // 1000,
        (ended_ns - exchange.attempt_ns) // 1000,
        cost,
    )


def _logged_headers(relay: Relay | None) -> Headers:
    if relay is None:
        return []
    return without_credentials(relay.headers) if b"set-cookie" in relay.lookup else relay.headers


def _upstream_id(lookup: dict[bytes, bytes]) -> str | None:
    for name in UPSTREAM_IDS:
        if value := lookup.get(name):
            return value[:200].decode("latin-1")
    return None


def _text(value: bytes | None) -> str | None:
    return value.decode("latin-1") if value is not None else None
