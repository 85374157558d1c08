"""What the processes of this installation use, read from /proc: the workers and the recorder, whoever asks.

A worker is found by its journal folder, which has its number and process id in its name. Where there is no /proc
(anything but Linux), nothing is known and nothing is listed.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

PROC = Path("/proc")
ANNEX = "run/annex.pid"
_FOLDER = re.compile(r"worker-(\d+)-(\d+)-")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
SECOND = 1_000_000


class ProcessUse(msgspec.Struct, frozen=True):
    name: str
    """`worker 0`, `annex`, `recorder`."""
    pid: int
    cpu_s: float
    """Since its start."""
    memory_bytes: int
    """Resident, pages that it shares with others included."""
    started_at: int
    """µs UTC"""


def processes(data: Path, recorder_pid: int | None, proc: Path = PROC) -> list[ProcessUse]:
    """Those that live, workers by number, then the annex, the recorder last."""
    try:
        booted_at = _booted_at(proc)
    except (OSError, ValueError):
        return []
    others = [("annex", _annex(data)), ("recorder", recorder_pid)]
    named = [*sorted(_workers(data)), *((name, pid) for name, pid in others if pid is not None)]
    found = (_use(name, pid, booted_at, proc) for name, pid in named)
    return [use for use in found if use is not None]


def _workers(data: Path) -> Iterator[tuple[str, int]]:
    """A folder outlives its process until it is recorded: an older one with the same process id names the same."""
    try:
        folders = sorted(path.name for path in (data / "journal").iterdir())
    except OSError:
        return
    named = {int(match[2]): int(match[1]) for name in folders if (match := _FOLDER.match(name))}
    for pid, number in named.items():
        yield f"worker {number}", pid


def _annex(data: Path) -> int | None:
    """As it wrote when it began to listen."""
    try:
        return int((data / ANNEX).read_text())
    except (OSError, ValueError):
        return None


def _use(name: str, pid: int, booted_at: int, proc: Path) -> ProcessUse | None:
    try:
        stat = (proc / str(pid) / "stat").read_text()
        command = (proc / str(pid) / "cmdline").read_bytes()
    except OSError:
        return None
    if b"callgate" not in command and b"gateway" not in command:
        return None  # the id was given to somebody else
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    ticks, started, pages = int(fields[11]) + int(fields[12]), int(fields[19]), int(fields[21])
    return ProcessUse(name, pid, ticks / _TICKS, pages * _PAGE, booted_at + started * SECOND // _TICKS)


def _booted_at(proc: Path) -> int:
    """µs UTC. Reckoned from the uptime: `btime` would be in whole seconds."""
    uptime_s = float((proc / "uptime").read_text().split()[0])
    return time.time_ns() // 1000 - round(uptime_s * SECOND)
