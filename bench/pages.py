"""Pages, lists, menus and exports over ten million calls: the server's time for each, as a browser would ask."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench import proc
from bench.effort import Effort
from bench.fill import CALLS, DEFAULT
from bench.lab import GATEWAY_CORE, Lab
from bench.report import Claim, Section, Table, number, quantile
from bench.servers import BenchError
from bench.target import Callgate

PAGE_MS, MENU_MS = 300, 100
EXPORT_ROWS_S = 20_000

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
    "/costs?period=7d&by=feature",
    "/costs/statement/acme",
)
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
    f"/requests?{MONTH}&q=nowhere",
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
FORMATS = ("jsonl", "csv", "parquet")
ROUNDS = 20


def run(lab: Lab, effort: Effort) -> Section:
    prepare()
    with serving(lab) as gateway:
        rounds = max(2, ROUNDS if effort.name == "full" else 2)
        timed = {kind: [(path, times(gateway, path, rounds)) for path in paths] for kind, paths in KINDS.items()}
        exports = [(kind, *export(gateway, kind)) for kind in FORMATS]
    tables = [
        Table(
            (kind, "p50 ms", "p95 ms"),
            [(path, number(quantile(ms, 0.5)), number(quantile(ms, 0.95))) for path, ms in of],
        )
        for kind, of in timed.items()
    ]
    tables.append(Table(("export", "rows/s", "memory grew, MiB"), [(k, number(r), number(m)) for k, r, m in exports]))
    claims = [
        Claim(
            f"slowest of the {kind}, p95",
            max(quantile(ms, 0.95) for _, ms in of),
            MENU_MS if kind == "menus" else PAGE_MS,
            "ms",
        )
        for kind, of in timed.items()
    ]
    claims += [Claim(f"export as {kind}", rate, EXPORT_ROWS_S, "rows/s", at_least=True) for kind, rate, _ in exports]
    return Section(
        "Pages",
        f"{CALLS:,} calls over thirty days in SQLite (`python -m bench.fill`), the gateway with its dashboard on one "
        f"core; every address asked {rounds} times after once to warm up, one after the other, to the last byte.",
        tables,
        claims,
    )


KINDS = {"pages": PAGES, "lists": LISTS, "menus": MENUS}


def prepare() -> None:
    """Fills the store where there is none yet: a quarter of an hour."""
    if not DEFAULT.exists():
        subprocess.run([sys.executable, "-m", "bench.fill"], check=True)


@contextmanager
def serving(lab: Lab) -> Iterator[Callgate]:
    gateway = lab.start_callgate(DEFAULT.parent.parent, core=GATEWAY_CORE)
    try:
        gateway.server.wait_until(gateway.answers, "answer /healthz")
        yield gateway
    finally:
        gateway.server.stop()


def times(gateway: Callgate, path: str, rounds: int) -> list[float]:
    """Milliseconds, sorted."""
    found = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        answer = gateway.get(path)
        found.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            raise BenchError(f"{path} answered {answer.status}: {answer.body[:300]!r}")
    return sorted(found[1:])


def export(gateway: Callgate, kind: str) -> tuple[float, float]:
    """Rows a second, and by how much the gateway and its children grew."""
    path = f"/api/requests/export?format={kind}&tenant=hooli&period=24h"
    rows = int(
        gateway.get("/api/costs?group_by=tenant&period=24h&tenant=hooli").body.split(b'"requests":')[1].split(b",")[0]
    )
    before = sum(proc.rss_mb(pid) for pid in gateway.pids())
    began = time.perf_counter()
    answer = gateway.get(path)
    took = time.perf_counter() - began
    if answer.status != 200 or not rows:
        raise BenchError(f"{path} answered {answer.status} with {len(answer.body):,} bytes")
    return rows / took, sum(proc.rss_mb(pid) for pid in gateway.pids()) - before
