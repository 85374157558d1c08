"""How long each part measures: whole for figures that may be quoted, quick to see that everything works."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Effort:
    """Seconds are whole where wrk, which knows no others, does the work."""

    name: str
    warm_up_s: int = 1

    throughput_rounds: int = 5
    throughput_s: int = 3

    latency_rounds: int = 3
    latency_s: int = 2
    open_loop_rate: int = 2000
    open_loop_rounds: int = 2
    open_loop_s: float = 4

    streams: tuple[int, ...] = (500, 2000)
    stream_s: float = 8
    dialect_streams: int = 500
    dialect_chunks: tuple[int, int] = (80, 8)
    """Of the long streams and of the short ones."""
    dialect_rounds: int = 2

    backlog_calls: int = 20_000
    backlog_rate: int = 5000
    sustained_rate: int = 3000
    sustained_s: float = 60
    drain_s: float = 60

    startups: int = 5

    memory_calls: int = 100_000
    memory_steps: int = 4
    memory_backlog_mb: int = 512

    peer_rounds: int = 2
    peer_s: int = 4
    peer_warm_up_s: int = 3
    """Longer: they compile or import on first use."""

    def with_a_million_calls(self) -> Effort:
        return replace(self, memory_calls=1_000_000, memory_steps=10)


FULL = Effort("full")
QUICK = Effort(
    "quick",
    throughput_rounds=2,
    throughput_s=1,
    latency_rounds=1,
    latency_s=1,
    open_loop_rounds=1,
    open_loop_s=1,
    streams=(100, 400),
    stream_s=2,
    dialect_streams=100,
    dialect_chunks=(40, 4),
    dialect_rounds=1,
    backlog_calls=2000,
    sustained_s=4,
    startups=2,
    memory_calls=10_000,
    memory_steps=1,
    peer_rounds=1,
    peer_s=1,
    peer_warm_up_s=1,
)
