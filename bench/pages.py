"""Pages, lists, menus and exports over ten million calls: the server's time for each, as a browser would ask."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from itertools import cycle

import msgspec

from bench import generators, openloop, proc
from bench.effort import Effort
from bench.fill import CALLS, DEFAULT
from bench.lab import GATEWAY_CORE, REST_CORE, Lab
from bench.oneshot import Answer, NoAnswerError
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
    f"/costs?{MONTH}&tenant=acme&by=user",
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
EXPORTED = "tenant=hooli&period=24h"
ROUNDS = 20
ENOUGH_S = 5.0
"""An address is asked no more once its answers have taken so long together."""

CALLS_PER_S = 200
CLICKED = ("/", "/requests", f"/?{MONTH}", f"/costs?{MONTH}", f"/requests?{MONTH}&model=qwen3-8b-tuned")
SAMPLED_S = 0.05


def run(lab: Lab, effort: Effort) -> Section:
    prepare()
    rounds = ROUNDS if effort.name == "full" else 2
    with serving(lab) as gateway:
        timed = {kind: [(path, times(gateway, path, rounds)) for path in paths] for kind, paths in KINDS.items()}
        exports = [(kind, *export(gateway, kind)) for kind in FORMATS]
        calls = [
            ("nobody", 0, alone(gateway, effort.open_loop_s)),
            ("somebody", *clicking(gateway, effort.open_loop_s)),
        ]
    tables = [times_table(kind, of) for kind, of in timed.items()]
    tables += [
        Table(("export", "rows/s", "memory grew, MiB"), [(kind, number(r), number(mb)) for kind, r, mb in exports]),
        Table(
            ("who clicks", "pages seen", "calls p50 µs", "p95 µs", "p99 µs"),
            [(who, number(seen), *map(number, (us.p50, us.p95, us.p99))) for who, seen, us in calls],
        ),
    ]
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
        f"core; every address asked up to {rounds} times ({ENOUGH_S:g} s at most) after once to warm up, one after the "
        "other, to the last byte; what does not answer is waited for half a minute. An export's memory is the most "
        "that the gateway and its children had, beyond what they had before. At last "
        f"{CALLS_PER_S} calls a second by a fixed schedule (bench/openloop.py), first while nobody looks at the "
        "dashboard, then while pages are asked for one after the other without a pause.",
        tables,
        claims,
    )


def times_table(kind: str, timed: list[tuple[str, list[float]]]) -> Table:
    rows = [(path, number(quantile(ms, 0.5)), number(quantile(ms, 0.95))) for path, ms in timed]
    return Table((kind, "p50 ms", "p95 ms"), rows)


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
        gateway.server.wait_until(gateway.records, "start its recorder")
        proc.pin(gateway.recorder_pid(), REST_CORE)
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


def export(gateway: Callgate, kind: str) -> tuple[float, float]:
    """Rows a second, and by how much the gateway and its children grew meanwhile."""
    rows = exported_rows(gateway)
    before = memory_mb(gateway)
    began = time.perf_counter()
    with ThreadPoolExecutor(1) as client:
        answering = client.submit(seen, gateway, f"/api/requests/export?format={kind}&{EXPORTED}")
        most = before
        while not wait([answering], SAMPLED_S).done:
            most = max(most, memory_mb(gateway))
        answering.result()
    return rows / (time.perf_counter() - began), most - before


def exported_rows(gateway: Callgate) -> int:
    costs = msgspec.json.decode(seen(gateway, f"/api/costs?group_by=tenant&{EXPORTED}").body)
    rows = sum(group["requests"] for group in costs["items"])
    if not rows:
        raise BenchError("there is nothing to export: the calls of the store have grown old; fill it anew")
    return int(rows)


def memory_mb(gateway: Callgate) -> float:
    total = 0.0
    for pid in gateway.pids():
        with suppress(FileNotFoundError, ProcessLookupError):  # a writer of Parquet may just have ended
            total += proc.rss_mb(pid)
    return total


def alone(gateway: Callgate, seconds: float) -> openloop.Quantiles:
    return generators.calls(gateway.target(), CALLS_PER_S, seconds).latency_us


def clicking(gateway: Callgate, seconds: float) -> tuple[int, openloop.Quantiles]:
    """How many pages were seen meanwhile, and the latency of the calls."""
    pages = 0
    with generators.calls_under_way(gateway.target(), CALLS_PER_S, seconds) as load:
        for path in cycle(CLICKED):
            if not load.running():
                break
            seen(gateway, path)
            pages += 1
        result = load.result(openloop.Result)
    if result.answered != result.due:
        raise BenchError(f"{result.answered} of {result.due} calls were answered well while somebody clicked: {result}")
    return pages, result.latency_us
