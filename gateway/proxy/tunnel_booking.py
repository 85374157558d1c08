"""What the journal gets of a realtime connection: a span for the connection, and one below it for each turn.

They share a trace, and a session where the client names none.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gateway.core.ids import uuid7
from gateway.core.span import Attempt, CallClosed, CallOpened
from gateway.dialects import Answer
from gateway.errors import CallError
from gateway.proxy.costing import Cost, cost_of
from gateway.proxy.headers import UPSTREAM_IDS
from gateway.proxy.tunnel_meter import Turn
from gateway.proxy.withheld import withheld

if TYPE_CHECKING:
    from gateway.proxy.tunnel import Tunnel

SWITCHED = 101


def trace_id(tunnel: Tunnel) -> str:
    return tunnel.head.trace_id or tunnel.request_id.replace("-", "")


def opened(tunnel: Tunnel) -> CallOpened:
    """The connection's."""
    return _opened(tunnel, tunnel.request_id, "session", tunnel.started_at, tunnel.head.parent_span_id)


def _opened(tunnel: Tunnel, request_id: str, kind: str, started_at: int, parent: str | None) -> CallOpened:
    head, tags, target = tunnel.head, tunnel.tags, tunnel.target
    return CallOpened(
        request_id=request_id,
        started_at=started_at,
        kind=kind,
        endpoint=head.endpoint,
        dialect=head.dialect.name,
        stream=False,
        provider=target.upstream.name if target is not None else None,
        model_requested=tunnel.model_requested,
        model=target.model if target is not None else None,
        key_id=tunnel.key.key_id if tunnel.key is not None else None,
        tenant=tags.get("tenantSlug"),
        environment=tags.get("environment"),
        tags=tags,
        client_request_id=head.client_request_id,
        trace_id=trace_id(tunnel),
        parent_span_id=parent,
        name=head.trace_name,
    )


def book_refusal(tunnel: Tunnel, error: CallError) -> None:
    """Of a connection that the gateway refused. Raises JournalError."""
    closed = _closed(tunnel, tunnel.request_id, error.status, error, Answer(), Cost(), tunnel.started_at)
    tunnel.gateway.journal.opened_and_closed(opened(tunnel), *_as_kept(tunnel, closed))


def book_end(tunnel: Tunnel, status: int, error: CallError | None) -> None:
    """The connection's end. What it cost is in its turns. Raises JournalError."""
    closed = _closed(tunnel, tunnel.request_id, status, error, Answer(), Cost(), tunnel.started_at)
    if tunnel.target is not None:
        tunnel.target.upstream.health.note(closed.error_type, None, closed.ended_at)
    tunnel.gateway.journal.close(*_as_kept(tunnel, closed))


def book_turn(tunnel: Tunnel, turn: Turn, error: CallError | None) -> tuple[int | None, int | None]:
    """A turn that ended, or was broken off (`error`). Its tokens and cost, None where unknown. Raises JournalError."""
    target = tunnel.target
    assert target is not None
    answer = tunnel.head.dialect.settle(turn.event, False)
    answer.model = turn.model
    own_message = error is not None
    cost = cost_of(answer, target, tunnel.gateway.table, tunnel.tags.get("tenantSlug"), turn.began_at)
    if error is None and answer.error is not None:
        error = CallError(SWITCHED, "upstream_error", answer.error, error_type="upstream_error")
    request_id = uuid7()
    closed = _closed(
        tunnel, request_id, SWITCHED, error, answer, cost, turn.began_at, asked=turn.asked, said=turn.event
    )
    parent = tunnel.request_id.replace("-", "")[-16:]
    tunnel.gateway.journal.opened_and_closed(
        _opened(tunnel, request_id, tunnel.head.dialect.kind, turn.began_at, parent),
        *_as_kept(tunnel, closed, b"\n".join(turn.asked), turn.event, own_message=own_message),
    )
    return answer.usage.total_tokens if answer.usage is not None else None, cost.total


def _as_kept(
    tunnel: Tunnel, closed: CallClosed, asked: bytes = b"", said: bytes = b"", *, own_message: bool = True
) -> tuple[CallClosed, Sequence[bytes], Sequence[bytes]]:
    """The end and the bodies as they may be journalled."""
    limit = tunnel.gateway.payload_bytes
    bodies = ([body[:limit]] if body else () for body in (asked, said))
    return withheld(tunnel.gateway, tunnel.head, tunnel.key, tunnel.tags, closed, *bodies, own_message=own_message)


def _closed(
    tunnel: Tunnel,
    request_id: str,
    status: int,
    error: CallError | None,
    answer: Answer,
    cost: Cost,
    began_at: int,
    *,
    asked: list[bytes] | None = None,
    said: bytes | None = None,
) -> CallClosed:
    now = time.time_ns() // 1000
    target = tunnel.target
    provider = target.upstream.name if target is not None else None
    model = answer.model or (target.model if target is not None else None)
    error_type = error.error_type if error is not None else None
    took_us = max(0, now - began_at)
    is_turn = said is not None
    return CallClosed(
        request_id=request_id,
        ended_at=now,
        status_code=status,
        error_type=error_type,
        error_message=error.message if error is not None else None,
        attempts=[Attempt(provider, model, status, error_type, began_at, took_us, cost.total)] if provider else [],
        provider=provider,
        model=model,
        upstream_request_id=_upstream_id(tunnel.answer_headers),
        usage=answer.usage,
        usage_source="reported" if answer.usage is not None else "none",
        usage_raw=answer.usage_raw,
        service_tier=answer.service_tier,
        cost_nanousd=cost.total,
        input_cost_nanousd=cost.input,
        output_cost_nanousd=cost.output,
        charge_nanousd=cost.charge,
        cost_source=cost.source,
        price_id=cost.price_id,
        ttft_us=None,
        upstream_us=took_us if is_turn else None,
        overhead_us=None,
        cache=None,
        request_bytes=len(b"\n".join(asked or ())) if is_turn else tunnel.bytes_in,
        response_bytes=len(said) if said is not None else tunnel.bytes_out,
        request_content_type="application/x-ndjson" if is_turn else None,
        response_content_type="application/json" if is_turn else None,
        response_encoding=None,
        request_headers=tunnel.head.logged,
        response_headers=[],
    )


def _upstream_id(headers: Mapping[bytes, bytes]) -> str | None:
    found = next((value for name in UPSTREAM_IDS if (value := headers.get(name))), None)
    return found[:200].decode("latin-1") if found is not None else None
