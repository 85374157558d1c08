"""Many streams at once: what a chunk costs in processor time, how long it takes, and that every one arrives."""

from __future__ import annotations

from dataclasses import dataclass

from bench import generators, spoken, streamload
from bench.effort import Effort
from bench.lab import NAMES, Lab
from bench.report import Claim, Section, Table
from bench.servers import BenchError
from bench.target import Target

MOST_CPU_TO_NGINX = 1.7
LATE_BEYOND_DIRECT_US = 50_000
STREAMS_STARTED_PER_S = 1000
WARM_UP_S = 0.2


@dataclass(frozen=True)
class Measured:
    result: streamload.Result
    cpu_s: float
    """Of what is in between; 0 for the upstream itself."""

    @property
    def cpu_us_per_chunk(self) -> float:
        return self.cpu_s / self.result.arrived * 1e6

    @property
    def lost(self) -> int:
        return self.result.expected - self.result.arrived


def measure(target: Target, streams: int, seconds: float, late_us: float | None) -> Measured:
    body = target.body(stream=True, max_tokens=round(seconds * streamload.CHUNKS_PER_S))
    plan = streamload.Plan(
        port=target.port,
        request=generators.request_bytes(target, body),
        streams=streams,
        chunks=round(seconds * streamload.CHUNKS_PER_S),
        ramp_s=max(0.5, streams / STREAMS_STARTED_PER_S),
        late_us=late_us,
    )
    before_s = target.cpu_s()
    with generators.under_way("bench.streamload", plan, seconds=plan.ramp_s + seconds + streamload.GRACE_S) as load:
        result = load.result(streamload.Result)
    return Measured(result, target.cpu_s() - before_s)


def measure_all(lab: Lab, streams: int, seconds: float) -> dict[str, Measured]:
    """A chunk is late when it took 50 ms longer than the median chunk took without anything in between."""
    measured: dict[str, Measured] = {}
    for name in NAMES:
        late_us = measured["direct"].result.delay_us.p50 + LATE_BEYOND_DIRECT_US if measured else None
        with lab.running(name, "stream") as target:
            measure(target, streams // 10, WARM_UP_S, None)
            measured[name] = measure(target, streams, seconds, late_us)
    return measured


def table(streams: int, measured: dict[str, Measured]) -> Table:
    rows = [
        (
            name,
            f"{each.cpu_us_per_chunk:.1f}" if each.cpu_s else "–",
            *(
                f"{delay / 1000:.2f}"
                for delay in (each.result.delay_us.p50, each.result.delay_us.p99, each.result.delay_us.max)
            ),
            f"{each.result.first_us.p50 / 1000:.2f}",
            f"{each.lost:,} of {each.result.expected:,}",
            "–" if name == "direct" else f"{each.result.late:,}",
            f"{each.result.whole:,}",
        )
        for name, each in measured.items()
    ]
    columns = ("CPU µs a chunk", "delay ms p50", "p99", "max", "first chunk ms p50", "lost", "late", "whole streams")
    return Table((f"{streams:,} streams", *columns), rows)


def claims(streams: int, measured: dict[str, Measured]) -> list[Claim]:
    ours = measured["callgate"]
    ratio = ours.cpu_us_per_chunk / measured["nginx"].cpu_us_per_chunk
    return [
        Claim(f"processor time a chunk at {streams:,} streams, to nginx", ratio, MOST_CPU_TO_NGINX, "×"),
        Claim(f"chunks lost of {streams:,} streams", ours.lost, 0),
        Claim(f"streams not whole, of {streams:,}", streams - ours.result.whole, 0),
        Claim(f"chunks late of {streams:,} streams", ours.result.late, 0),
    ]


def run(lab: Lab, effort: Effort) -> Section:
    if not lab.has_lua:
        raise BenchError("streams need nginx's Lua module as upstream (Debian: libnginx-mod-http-lua)")
    by_count = {streams: measure_all(lab, streams, effort.stream_s) for streams in effort.streams}
    by_dialect = spoken.measure(lab, effort)
    return Section(
        "Streams",
        f"Streams of {streamload.CHUNKS_PER_S} chunks a second for {effort.stream_s:g} s, all at once. The upstream "
        "writes the time into each chunk, the client compares it with its own clock (the same one). Processor time is "
        "that of everything in between from the first request to the last answer, over the chunks that arrived. The "
        "client does not ask for usage: Callgate does, and takes it out again. Late is 50 ms more than the median of "
        "the direct chunks.\n\n"
        f"In the last table the dialects, each in its own events, with chunks of one size; {effort.dialect_rounds} "
        "rounds in turn, a fresh Callgate each. Streams of two lengths tell a chunk's cost from a stream's.",
        tables=[
            *(table(streams, measured) for streams, measured in by_count.items()),
            spoken.table(by_dialect, effort),
        ],
        claims=[
            *(claim for streams, measured in by_count.items() for claim in claims(streams, measured)),
            *spoken.claims(by_dialect, effort),
        ],
    )
