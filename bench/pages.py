"""Pages, lists and menus over ten million calls: the server's time for each, as a browser would ask."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from bench.effort import Effort
from bench.fill import CALLS, DEFAULT
from bench.lab import Lab
from bench.oneshot import Answer, NoAnswerError
from bench.report import Claim, Section, Table, number, quantile
from bench.servers import BenchError
from bench.target import Callgate

PAGE_MS, MENU_MS = 300, 100

MONTH = "period=30d"
PAGES = (
    "/",
    "/?period=7d",
    f"/?{MONTH}",
    f"/?{MONTH}&environment=production",
    f"/costs?{MONTH}",
    f"/costs?{MONTH}&by=tenant",
    f"/costs?{MONTH}&by=user",
    f"/costs?{MONTH}&by=prompt_version",
    f"/costs?{MONTH}&tenant=acme",
    f"/costs?{MONTH}&tenant=acme&by=user",
    f"/costs?{MONTH}&environment=production&by=user",
    f"/costs?{MONTH}&tenant=acme&by=tag:workflow",
    "/costs?period=7d&by=feature",
    "/costs?period=7d&by=user",
    "/costs/statement/acme",
    f"/models?{MONTH}",
    f"/tenants?{MONTH}",
    f"/tenants/acme?{MONTH}",
    f"/tags?{MONTH}",
    f"/tags?{MONTH}&tenant=acme",
)
BUSY_HOUR = 15
"""Of yesterday, UTC: what a period shorter than a day ends after, so that it holds as many calls as there ever are."""
SHORT_HOURS = (0.25, 1, 3, 6)
LISTS = (
    "/requests",
    f"/requests?{MONTH}&tenant=tyrell",
    f"/requests?{MONTH}&model=qwen3-8b-tuned",
    f"/requests?{MONTH}&model=!gpt-4o-mini&environment=staging",
    f"/requests?{MONTH}&status=529",
    f"/requests?{MONTH}&status=error&provider=openai",
    f"/requests?{MONTH}&user=acme-user-000",
    f"/requests?{MONTH}&tag.feature=search&status=429",
    f"/requests?{MONTH}&min_latency_ms=100000",
    f"/requests?{MONTH}&min_cost_usd=0.03",
    f"/requests?{MONTH}&unpriced=true",
    f"/requests?{MONTH}&unpriced=true&order=costliest",
    f"/requests?{MONTH}&q=nowhere",
    f"/requests?{MONTH}&q=nowhere&status=error",
    f"/requests?{MONTH}&q=%E8%AB%8B%E6%B1%82%E6%9B%B8",
    f"/requests?{MONTH}&min_input_tokens=100000",
    f"/requests?{MONTH}&max_latency_ms=1&tenant=wonka",
    f"/requests?{MONTH}&tag.workflow=digest&model=gpt-4o-mini&environment=staging",
    f"/requests?{MONTH}&tag.workflow=digest&min_latency_ms=60000",
    f"/requests?{MONTH}&user=acme-user-000&order=costliest",
    f"/requests?{MONTH}&min_latency_ms=100000&order=costliest",
    f"/requests?{MONTH}&order=costliest",
    f"/requests?{MONTH}&order=costliest&model=gpt-4o-mini",
    f"/requests?{MONTH}&order=slowest&tenant=wonka",
)
MENUS = (
    "/api/values/model",
    "/api/values/tenant",
    "/api/tags",
    "/api/tags/feature",
    "/api/tags/userId?prefix=acme",
    "/api/tags/sessionId",
)
ROUNDS = 20
ENOUGH_S = 5.0
"""An address is asked no more once its answers have taken so long together."""


def run(lab: Lab, effort: Effort) -> Section:
    prepare()
    rounds = ROUNDS if effort.name == "full" else 2
    kinds = {"pages": (*PAGES, *short_periods()), "lists": LISTS, "menus": MENUS}
    with serving(lab) as gateway:
        timed = {kind: [(path, times(gateway, path, rounds)) for path in paths] for kind, paths in kinds.items()}
    tables = [times_table(kind, of) for kind, of in timed.items()]
    claims = [
        Claim(
            f"slowest of the {kind}, p95",
            max(quantile(ms, 0.95) for _, ms in of),
            MENU_MS if kind == "menus" else PAGE_MS,
            "ms",
        )
        for kind, of in timed.items()
    ]
    return Section(
        "Pages",
        f"{CALLS:,} calls over thirty days in SQLite (`python -m bench.fill`), the gateway with its annex on both "
        f"cores; every address asked up to {rounds} times ({ENOUGH_S:g} s at most) after once to warm up, one after "
        "the other, to the last byte; what does not answer is waited for half a minute.",
        tables,
        claims,
    )


def times_table(kind: str, timed: list[tuple[str, list[float]]]) -> Table:
    rows = [(path, number(quantile(ms, 0.5)), number(quantile(ms, 0.95))) for path, ms in timed]
    return Table((kind, "p50 ms", "p95 ms"), rows)


def short_periods() -> list[str]:
    """The overview of busy hours, of all and of one environment."""
    end = datetime.now(UTC).replace(hour=BUSY_HOUR + 1, minute=7, second=0, microsecond=0) - timedelta(days=1)
    found = []
    for hours in SHORT_HOURS:
        period = f"from={end - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}"
        found += [f"/?{period}", f"/?{period}&environment=production"]
    return found


def prepare() -> None:
    """Fills the store where there is none yet: a quarter of an hour."""
    if not DEFAULT.exists():
        subprocess.run([sys.executable, "-m", "bench.fill"], check=True)


@contextmanager
def serving(lab: Lab) -> Iterator[Callgate]:
    """A gateway on the ten million, its annex and its recorder, on whichever core is free."""
    gateway = lab.start_callgate(DEFAULT.parent.parent, core=None)
    try:
        gateway.server.wait_until(gateway.answers, "answer /healthz")
        gateway.server.wait_until(gateway.records, "start its recorder")
        gateway.server.wait_until(gateway.has_annex, "start its annex")
        yield gateway
    finally:
        gateway.server.stop()


def times(gateway: Callgate, path: str, rounds: int) -> list[float]:
    """Milliseconds, sorted; at least one. Where no answer comes, how long it was waited for."""
    found = [took_ms(gateway, path)]
    if sum(found) < ENOUGH_S * 1000:
        found.clear()  # that was to warm up
    while len(found) < rounds and sum(found) < ENOUGH_S * 1000:
        found.append(took_ms(gateway, path))
    return sorted(found)


def took_ms(gateway: Callgate, path: str) -> float:
    began = time.perf_counter()
    with suppress(NoAnswerError):
        seen(gateway, path)
    return (time.perf_counter() - began) * 1000


def seen(gateway: Callgate, path: str) -> Answer:
    answer = gateway.get(path)
    if answer.status != 200:
        raise BenchError(f"{path} answered {answer.status}: {answer.body[:300]!r}")
    return answer
