"""The recorder: how many rows a second it gets into SQLite, and whether a minute of load is in the log to the token."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec

from bench import generators, openloop, proc
from bench.effort import Effort
from bench.lab import Lab
from bench.report import Claim, Section, Table, number
from bench.servers import BenchError, TimedOutError, wait_for
from bench.target import Callgate
from bench.templates import cost_nanousd

SUMS = """
    SELECT count(*), count(DISTINCT request_id), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
           coalesce(sum(cost_nanousd), 0), (SELECT count(*) FROM payloads)
    FROM spans
"""
"""Asked of the file itself: the bench does not take the gateway's word for what is in its log."""
BACKLOG_TIMEOUT_S = 120
SAMPLE_S = 0.25


@dataclass(frozen=True)
class Sums:
    rows: int
    input_tokens: int
    output_tokens: int
    cost_nanousd: int

    @classmethod
    def of_client(cls, result: openloop.Result) -> Sums:
        cost = cost_nanousd(result.input_tokens, result.output_tokens)
        return cls(result.answered, result.input_tokens, result.output_tokens, cost)


class Stats(msgspec.Struct):
    """What the bench reads of /api/stats."""

    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None

    def sums(self) -> Sums:
        cost = round((self.cost_usd or 0) * 10**9)
        return Sums(self.requests, self.input_tokens, self.output_tokens, cost)


@dataclass(frozen=True)
class Backlog:
    """Rows that lay ready, and what the recorder needed for them."""

    rows: int
    seconds: float
    cpu_s: float


@dataclass(frozen=True)
class Sustained:
    result: openloop.Result
    in_sqlite: Sums
    by_api: Sums
    distinct: int
    with_bodies: int
    peak_backlog_mb: float
    drained_s: float | None
    """From the last answer until every row was in SQLite and the journal empty; None if it took too long."""
    recorder_cores: float
    gateway_cores: float


def rows(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM spans").fetchone()
    return int(count)


def sums(database: Path) -> tuple[Sums, int, int]:
    """Also how many different request ids there are, and how many rows have their bodies."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        count, distinct, input_tokens, output_tokens, cost, payloads = connection.execute(SUMS).fetchone()
    return Sums(count, input_tokens, output_tokens, cost), distinct, payloads


def work_off_backlog(lab: Lab, effort: Effort) -> Backlog:
    """The recorder is frozen while the calls are made, and timed from when it is let go."""
    with lab.callgate() as gateway:
        gateway.prove_logging()
        before = rows(gateway.database)
        recorder = gateway.recorder_pid()
        os.kill(recorder, signal.SIGSTOP)
        generators.calls(gateway.target(), effort.backlog_rate, effort.backlog_calls / effort.backlog_rate)
        cpu_s, began = proc.cpu_s(recorder), time.monotonic()
        os.kill(recorder, signal.SIGCONT)
        due = before + effort.backlog_calls
        wait_for(lambda: rows(gateway.database) >= due, "the recorder to work off a backlog", BACKLOG_TIMEOUT_S)
        return Backlog(effort.backlog_calls, time.monotonic() - began, proc.cpu_s(recorder) - cpu_s)


def sustain(lab: Lab, effort: Effort) -> Sustained:
    with lab.callgate() as gateway:
        target, recorder = gateway.target("varied"), gateway.recorder_pid()
        gateway_s, recorder_s = target.cpu_s(), proc.cpu_s(recorder)
        with generators.calls_under_way(target, effort.sustained_rate, effort.sustained_s) as load:
            peak_bytes = 0
            while load.running():
                peak_bytes = max(peak_bytes, backlog_bytes(gateway))
                time.sleep(SAMPLE_S)
            result = load.result(openloop.Result)
        gateway_s = target.cpu_s() - gateway_s
        drained_s = drain(gateway, result.due, effort.drain_s)
        recorder_s = proc.cpu_s(recorder) - recorder_s
        in_sqlite, distinct, with_bodies = sums(gateway.database)
        by_api = msgspec.json.decode(gateway.get("/api/stats").body, type=Stats).sums()
    return Sustained(
        result=result,
        in_sqlite=in_sqlite,
        by_api=by_api,
        distinct=distinct,
        with_bodies=with_bodies,
        peak_backlog_mb=peak_bytes / 1e6,
        drained_s=drained_s,
        recorder_cores=recorder_s / (result.seconds + (drained_s or effort.drain_s)),
        gateway_cores=gateway_s / result.seconds,
    )


def backlog_bytes(gateway: Callgate) -> int:
    health = gateway.recorder()
    return health.backlog_bytes if health else 0


def drain(gateway: Callgate, due: int, within_s: float) -> float | None:
    began = time.monotonic()
    try:
        wait_for(lambda: rows(gateway.database) >= due and backlog_bytes(gateway) == 0, "the backlog", within_s)
    except TimedOutError:
        return None
    return time.monotonic() - began


def comparison(done: Sustained) -> Table:
    client = Sums.of_client(done.result)
    table_rows = [
        (name, f"{each.rows:,}", f"{each.input_tokens:,}", f"{each.output_tokens:,}", f"{each.cost_nanousd:,}")
        for name, each in (("client", client), ("SQLite", done.in_sqlite), ("/api/stats", done.by_api))
    ]
    return Table(("", "calls", "input tokens", "output tokens", "cost nano-$"), table_rows)


def differences(done: Sustained) -> int:
    """How many of the sums, in the file and by the API, are not the client's own."""
    client = Sums.of_client(done.result)
    exact = done.distinct == client.rows
    return (done.in_sqlite != client) + (done.by_api != client) + (not exact)


def run(lab: Lab, effort: Effort) -> Section:
    if not lab.has_lua:
        raise BenchError("answers that differ need nginx's Lua module as upstream (Debian: libnginx-mod-http-lua)")
    backlog = work_off_backlog(lab, effort)
    done = sustain(lab, effort)
    missing = abs(done.result.due - done.in_sqlite.rows)
    drained_s = done.drained_s if done.drained_s is not None else float("inf")
    return Section(
        "Recorder",
        f"A backlog of {backlog.rows:,} calls, made while the recorder was frozen, then worked off with the gateway "
        f"idle; and {effort.sustained_rate:,} calls/s for {effort.sustained_s:g} s with the recorder, the upstream and "
        "the load on one core, each answer with a usage of its own. The client adds up what it was told; the sums are "
        "compared with those of the rows in the file and of the API.",
        tables=[
            Table(
                ("backlog", "rows/s", "CPU µs a row"),
                [
                    (
                        f"{backlog.rows:,} rows",
                        number(backlog.rows / backlog.seconds),
                        number(backlog.cpu_s / backlog.rows * 1e6),
                    )
                ],
            ),
            comparison(done),
        ],
        claims=[
            Claim(f"rows missing or too many of {done.result.due:,}", missing, 0),
            Claim("sums that differ from the client's own", differences(done), 0),
            Claim("backlog back to zero after the load", drained_s, effort.drain_s, "s"),
        ],
        notes=[
            f"Under load: gateway {done.gateway_cores:.0%} of its core, recorder {done.recorder_cores:.0%} of the "
            f"other; largest backlog {done.peak_backlog_mb:,.0f} MB; rows with their bodies: {done.with_bodies:,}.",
            f"Latency of these calls, counted from when they were due: p50 {done.result.latency_us.p50:,.0f} µs, "
            f"p99 {done.result.latency_us.p99:,.0f} µs.",
        ],
    )
