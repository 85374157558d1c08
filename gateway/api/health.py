"""`/healthz`: the process answers. `/readyz`: what state its parts are in, and whether calls may be sent here.

Ready means that a call would be served and booked. A store or recorder that is down makes the journal grow and the
log late, not the gateway unready: taking it out of the load balancer would turn a slow log into an outage
(docs/decisions/0031).
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.record import encode
from gateway.api.scope import state_of
from gateway.control.keys import now_us
from gateway.core.health import JournalHealth, ProviderHealth, RecorderHealth
from gateway.errors import StoreError
from gateway.store.base import SpanReader, StoreHealth

STORE_TIMEOUT_S = 2.0
REPORT_MAX_AGE_US = 10_000_000
"""A recorder that has not reported for this long is taken for gone."""


class Check(msgspec.Struct, omit_defaults=True):
    status: str
    """`ok`, `degraded` (the log is late or thinner, calls go on) or `down` (calls are refused)."""
    latency_ms: float | None
    """None where nothing has been measured yet."""
    detail: str | None = None
    state: str | None = None
    health: Any = None
    """What the part says of itself."""


async def alive(_: Request) -> Response:
    return Response(b'{"status":"ok"}', media_type="application/json")


async def ready(request: Request) -> Response:
    state = state_of(request)
    checks = {
        "journal": _timed(lambda: journal_check(state.journal_health())),
        "recorder": _timed(lambda: recorder_check(state.recorder_health(), now_us())),
        "store": await _store_check(state.store),
    }
    providers = {name: provider_check(health) for name, health in state.provider_health().items()}
    statuses = {check.status for check in [*checks.values(), *providers.values()]}
    status = next(name for name in ("down", "degraded", "ok") if name in statuses)
    body = {
        "status": status,
        "version": state.version,
        "uptime_s": (now_us() - state.started_at) / 1_000_000,
        "worker": state.worker,
        "checks": checks,
        "providers": providers,
        "translation": state.translation() if state.translation is not None else None,
    }
    return Response(encode(body), 503 if status == "down" else 200, media_type="application/json")


def journal_check(health: JournalHealth) -> Check:
    status = {"ok": "ok", "refusing": "down"}.get(health.state, "degraded")
    return Check(status, 0, health.detail, health.state, health)


def recorder_check(health: RecorderHealth, at_us: int) -> Check:
    silent_us = at_us - health.updated_at
    if health.state == "starting" and not health.updated_at:
        return Check("degraded", 0, "it has not reported yet", health.state, health)
    if silent_us > REPORT_MAX_AGE_US:
        return Check("degraded", 0, f"no report for {silent_us // 1_000_000} s", health.state, health)
    return Check("ok" if health.state == "running" else "degraded", 0, health.last_error, health.state, health)


def provider_check(health: ProviderHealth) -> Check:
    """By the calls that were made, not by calls of its own: those would cost money."""
    status = "degraded" if health.state == "failing" else "ok"
    latency_ms = health.last_latency_us / 1000 if health.last_latency_us is not None else None
    return Check(status, latency_ms, health.last_error if status == "degraded" else None, health.state, health)


async def store_health(store: SpanReader) -> StoreHealth:
    """Within two seconds, whatever the store does."""
    started = time.perf_counter()
    try:
        async with asyncio.timeout(STORE_TIMEOUT_S):
            return await store.health()
    except TimeoutError:
        detail = f"no answer within {STORE_TIMEOUT_S:g} s"
    except StoreError as exc:
        detail = str(exc)
    return StoreHealth(ok=False, latency_us=round((time.perf_counter() - started) * 1_000_000), detail=detail)


async def _store_check(store: SpanReader) -> Check:
    health = await store_health(store)
    numbers = {"size_bytes": health.size_bytes, "spans": health.spans}
    return Check("ok" if health.ok else "degraded", health.latency_us / 1000, health.detail, health=numbers)


def _timed(check: Any) -> Check:
    started = time.perf_counter()
    result: Check = check()
    result.latency_ms = round((time.perf_counter() - started) * 1000, 3)
    return result
