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
from gateway.proxy.tap import decoded
from gateway.proxy.target import Target
from gateway.proxy.withheld import withheld
from pricing import Usage

if TYPE_CHECKING:
    from gateway.proxy.call import Call
    from gateway.proxy.journey import Journey
    from gateway.proxy.relay import Relay


def opened(call: Call, plan: Plan | None) -> CallOpened:
    """The first frame. `plan` is None for a call that was refused before one was made."""
    assert call.key is not None
    tags = plan.tags if plan is not None else call.key.tags
    target = plan.target if plan is not None else None
    head = call.head
    return CallOpened(
        call.request_id,
        call.started_at,
        head.dialect.kind,
        head.endpoint,
        head.dialect.name,
        plan.stream if plan is not None else False,
        target.upstream.name if target is not None else None,
        plan.model_requested if plan is not None else _model_in(call.raw),
        target.model if target is not None else None,
        call.key.key_id,
        call.key.tenant or tags.get("tenantSlug"),
        call.key.environment or tags.get("environment"),
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


def book_refusal(call: Call, error: CallError) -> None:
    """Both frames of a call that the gateway refused. A journal that cannot be written loses this row and no more:
    nothing was dispatched."""
    closed = _closed(call, error.status, error, None, Answer(), "none", Cost())
    try:
        call.gateway.journal.opened_and_closed(opened(call, call.plan), *as_kept(call, closed, (), own_message=True))
    except JournalError:
        return


def book(call: Call, status: int, error: CallError | None, relay: Relay | None) -> Cost:
    """The last frame of a dispatched call, written before the client hears its end; once, however often it is called.

    `error` is a failure of the gateway's or the connection's; what the provider itself reports is found in the
    answer. Raises JournalError.
    """
    if call.booked is not None:
        return call.booked
    plan, gateway = call.plan, call.gateway
    assert plan is not None
    target = plan.target
    upstream, source = target.upstream, "none"
    if relay is None:
        answer, cost = Answer(), Cost()
    else:
        body = relay.tap.joined() if relay.meter is None else b""
        if relay.encoding:
            body = decoded(body, relay.encoding)
        dialect = call.head.dialect
        asked = call.raw if call.request_tap is None else call.request_tap.joined()
        context = Context(call.head.path, asked, relay.lookup, target.model, upstream.evidence)
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
            answer.usage = _estimated(call, body)
            source = "estimated" if answer.usage is not None else "none"
        cost = cost_of(answer, target, gateway.table, plan.tags.get("tenantSlug"), call.started_at)
    if plan.journey is not None:
        _end_journey(call, plan.journey, status, error, relay, cost)
    if call.lease is not None:
        _settle(call, call.lease, status, answer, cost)
    closed = _closed(call, status, error, relay, answer, source, cost)
    upstream.health.note(closed.error_type, closed.upstream_us, closed.ended_at)
    if call.cached is not None:
        closed = call.cached.booked(closed)
    said = relay.tap.first(gateway.payload_bytes) if relay is not None else ()
    gateway.journal.close(*as_kept(call, closed, said, own_message=error is not None))
    call.booked = cost
    if relay is not None:
        gateway.counters.bytes_out += relay.tap.size
    return cost


def as_kept(
    call: Call, closed: CallClosed, said: Sequence[bytes], *, own_message: bool
) -> tuple[CallClosed, Sequence[bytes], Sequence[bytes]]:
    """The end and the bodies as they may be journalled."""
    tags = call.plan.tags if call.plan is not None else {}
    asked = request_pieces(call)
    return withheld(call.gateway, call.head, call.key, tags, closed, asked, said, own_message=own_message)


def _settle(call: Call, lease: Lease, status: int, answer: Answer, cost: Cost) -> None:
    """What the call really used goes to its limits and budgets. A failure without usage counts as a request, and gives
    its tokens and money back."""
    now_us = call.started_at + (time.perf_counter_ns() - call.began_ns) // 1000
    if answer.usage is not None:
        lease.settle(answer.usage.total_tokens, cost.total, now_us)
    else:
        lease.settle(0 if status >= 400 else None, cost.total, now_us)


def _end_journey(
    call: Call, journey: Journey, status: int, error: CallError | None, relay: Relay | None, cost: Cost
) -> None:
    """The last attempt's result goes to its target's record; what the failed ones cost is part of the call's cost."""
    if before := sum(attempt.cost_nanousd or 0 for attempt in journey.attempts):
        assert call.plan is not None
        cost.add(before, call.gateway.table.markup_percent(call.plan.tags.get("tenantSlug")))
    if not journey.is_under_way:
        return
    if relay is not None and error is None:
        outcome = Outcome(relay.status, None, retry_after_us(relay.lookup, call.started_at))
        if judge(outcome).retry:
            journey.gives_up(outcome)
        else:
            journey.ended(latency_us=(relay.answer_ns - call.attempt_ns) // 1000)
    elif error is not None and error.error_type in PROVIDER_FAULTS:
        journey.gives_up(Outcome(None, error.error_type))
    else:
        journey.ended()


def request_pieces(call: Call) -> Sequence[bytes]:
    """What is logged of the request's body."""
    if call.request_tap is not None:
        return call.request_tap.first(call.gateway.payload_bytes)
    raw = call.raw
    return (raw if len(raw) <= call.gateway.payload_bytes else raw[: call.gateway.payload_bytes],)


def _estimated(call: Call, body: bytes) -> Usage | None:
    """What a stream that was cut has used so far, roughly: it was going to report it at the end."""
    plan = call.plan
    if plan is None or not plan.held or call.head.dialect.kind != "llm":
        return None
    said = call.head.dialect.read(body, True, 200)
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
    call: Call,
    status: int,
    error: CallError | None,
    relay: Relay | None,
    answer: Answer,
    usage_source: str,
    cost: Cost,
) -> CallClosed:
    now_ns = time.perf_counter_ns()
    error_type, message = _failure(error, relay, answer)
    plan = call.plan
    target = plan.target if plan is not None else None
    lookup = relay.lookup if relay is not None else {}
    ended_ns = relay.ended_ns or now_ns if relay is not None else now_ns
    attempts = []
    if call.dispatched and target is not None and plan is not None:
        if plan.journey is not None:
            attempts += plan.journey.attempts
        elif call.lost_attempt is not None:
            attempts.append(call.lost_attempt)
        attempts.append(
            _attempt(call, target, relay.status if relay is not None else None, error_type, ended_ns, cost.attempt)
        )
    return CallClosed(
        call.request_id,
        call.started_at + (now_ns - call.began_ns) // 1000,
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
        (relay.content_ns - call.began_ns) // 1000 if relay is not None and relay.content_ns else None,
        (ended_ns - call.attempt_ns) // 1000 if relay is not None else None,
        (call.dispatched_ns - call.ready_ns + now_ns - ended_ns) // 1000,
        None,
        len(call.raw) if call.request_tap is None else call.request_tap.size,
        relay.tap.size if relay is not None else 0,
        call.head.content_type,
        _text(lookup.get(b"content-type")),
        _text(relay.encoding) if relay is not None else None,
        call.head.logged,
        _logged_headers(relay),
        relay.timing if relay is not None else None,
        answer.provider,
        answer.priced_as,
        answer.also,
        answer.bill_id,
        answer.bill_is_own,
    )


def failed_attempt(call: Call, plan: Plan, error: CallError | None, relay: Relay | None) -> Attempt:
    """One that another follows. It costs something where a stream had begun and said so."""
    cost = None
    if relay is not None and (answer := relay.before_content()) is not None:
        tenant = plan.tags.get("tenantSlug")
        cost = cost_of(answer, plan.target, call.gateway.table, tenant, call.started_at).total
    status = relay.status if relay is not None else None
    error_type = error.error_type if error is not None else error_type_of(status or 0, None) or "upstream_error"
    plan.target.upstream.health.note(error_type, None, call.started_at)
    return _attempt(call, plan.target, status, error_type, time.perf_counter_ns(), cost)


def lost_attempt(call: Call, plan: Plan) -> Attempt:
    """One on a connection that had lain idle and broke: whether the provider saw it nobody knows."""
    return _attempt(call, plan.target, None, "network", time.perf_counter_ns(), None)


def _attempt(
    call: Call, target: Target, status: int | None, error_type: str | None, ended_ns: int, cost: int | None
) -> Attempt:
    return Attempt(
        target.upstream.name,
        target.model,
        status,
        error_type,
        call.started_at + (call.attempt_ns - call.began_ns) // 1000,
        (ended_ns - call.attempt_ns) // 1000,
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
