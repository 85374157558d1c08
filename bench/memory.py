"""Resident memory: idle, and after many calls."""

from __future__ import annotations

from bench import proc, wrk
from bench.effort import Effort
from bench.lab import Lab
from bench.report import Claim, Section, Table
from bench.servers import wait_for
from bench.target import Callgate

CONNECTIONS = 64
MOST_IDLE_MB = 90
BURST_S = 1
BACKLOG_TIMEOUT_S = 300


def gateway_mb(gateway: Callgate) -> float:
    return sum(proc.rss_mb(pid) for pid in gateway.pids())


def calls_until(gateway: Callgate, lab: Lab, due: int, made: int, backlog_mb: int) -> int:
    """Bursts of calls until `due` are made; how many that are. A long backlog is waited for: bodies are not dropped."""

    def backlog_is_short() -> bool:
        health = gateway.recorder()
        return health is not None and health.backlog_bytes < backlog_mb * 1_000_000

    while made < due:
        made += wrk.run(gateway.target(), lab.folder, connections=CONNECTIONS, seconds=BURST_S).requests
        wait_for(backlog_is_short, "the recorder to catch up", BACKLOG_TIMEOUT_S)
    return made


def run(lab: Lab, effort: Effort) -> Section:
    with lab.callgate() as gateway:
        gateway.prove_logging()
        idle_mb = gateway_mb(gateway)
        rows = [("idle, one call made", f"{idle_mb:.0f}", f"{proc.rss_mb(gateway.recorder_pid()):.0f}")]
        made = 0
        for step in range(1, effort.memory_steps + 1):
            due = effort.memory_calls * step // effort.memory_steps
            made = calls_until(gateway, lab, due, made, effort.memory_backlog_mb)
            rows.append((f"{made:,} calls", f"{gateway_mb(gateway):.0f}", f"{proc.rss_mb(gateway.recorder_pid()):.0f}"))
    return Section(
        "Memory",
        "Resident set of the gateway process and of its recorder (MiB), shared pages included in both; calls by wrk "
        f"at {CONNECTIONS} connections as fast as they go.",
        tables=[Table(("", "gateway MiB", "recorder MiB"), rows)],
        claims=[Claim("gateway idle", idle_mb, MOST_IDLE_MB, "MiB")],
    )
