"""Exports over ten million calls: rows a second to the last byte, and the memory it takes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress

import msgspec

from bench import proc
from bench.effort import Effort
from bench.fill import CALLS
from bench.lab import Lab
from bench.oneshot import pieces
from bench.pages import prepare, seen, serving
from bench.report import Claim, Section, Table, number
from bench.servers import BenchError
from bench.target import Callgate

ROWS_S = 20_000
GROWN_MB = 120
"""The writer of Parquet is a process of its own, and pyarrow most of it."""
FORMATS = ("jsonl", "csv", "parquet")
WHOLE, PART = "tenant=hooli&period=2d", "tenant=hooli&period=24h"
SAMPLED_S = 0.05


def run(lab: Lab, effort: Effort) -> Section:
    prepare()
    filters = (PART, WHOLE) if effort.name == "full" else (PART,)
    rows, claims = [], []
    with serving(lab) as gateway:
        for which in filters:
            count = matching(gateway, which)
            for kind in FORMATS:
                rate, size_mb, grew_mb = export(gateway, kind, which, count)
                rows.append((kind, *map(number, (count, size_mb, rate, grew_mb))))
                if which == filters[-1]:
                    claims.append(Claim(f"export as {kind}", rate, ROWS_S, "rows/s", at_least=True))
                    claims.append(Claim(f"memory of an export as {kind}", grew_mb, GROWN_MB, "MiB"))
    return Section(
        "Exports",
        f"{CALLS:,} calls in SQLite, the gateway, its annex and its recorder on both cores, as the client that reads. "
        "Rows a second from the request to the last byte. Memory is the most that all processes of the gateway had, "
        "beyond what they had before: it is to be the same for a day and for three.",
        [Table(("export", "rows", "MB", "rows/s", "memory grew, MiB"), rows)],
        claims,
    )


def matching(gateway: Callgate, which: str) -> int:
    costs = msgspec.json.decode(seen(gateway, f"/api/costs?group_by=tenant&{which}").body)
    rows = sum(group["requests"] for group in costs["items"])
    if not rows:
        raise BenchError("there is nothing to export: the calls of the store have grown old; fill it anew")
    return int(rows)


def export(gateway: Callgate, kind: str, which: str, rows: int) -> tuple[float, float, float]:
    """Rows a second, MB, and by how many MiB the gateway and its children grew meanwhile."""
    most = before = memory_mb(gateway)
    began = time.perf_counter()
    with ThreadPoolExecutor(1) as client:
        reading = client.submit(size_of, gateway, f"/api/requests/export?format={kind}&{which}")
        while not wait([reading], SAMPLED_S).done:
            most = max(most, memory_mb(gateway))
        size = reading.result()
    return rows / (time.perf_counter() - began), size / 1e6, most - before


def size_of(gateway: Callgate, path: str) -> int:
    """Read and thrown away: what a client does with it is its own affair."""
    return sum(map(len, pieces(gateway.port, path, headers=gateway.admin)))


def memory_mb(gateway: Callgate) -> float:
    total = 0.0
    for pid in proc.family(gateway.server.pid):
        with suppress(FileNotFoundError, ProcessLookupError):  # a writer of Parquet may just have ended
            total += proc.rss_mb(pid)
    return total
