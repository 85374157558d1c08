"""Processes as the kernel accounts for them (`/proc`, see proc(5)): processor time, memory, descendants, pinning."""

from __future__ import annotations

import os
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third (`state`) on; the second may hold spaces and brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_s(pid: int) -> float:
    """Processor time of all its threads since its start, user and system, to 10 ms."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Resident memory in MiB, what is shared with other processes included."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(f"process {pid} has no memory: it has ended")


def alive(pid: int) -> bool:
    try:
        return _stat(pid)[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def family(pid: int) -> list[int]:
    """The process and all its descendants, it first."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                children.setdefault(int(_stat(int(folder.name))[1]), []).append(int(folder.name))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
    found = [pid]
    for member in found:
        found.extend(children.get(member, []))
    return found


def pin(pid: int, core: int) -> None:
    """Moves a running process to one core, with every thread it has."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def mapped(pid: int) -> set[str]:
    """Files mapped into the process: the compiled modules it has imported are among them."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {fields[5] for fields in (line.split(maxsplit=5) for line in lines) if len(fields) == 6}


def core_times_s() -> dict[int, tuple[float, float, float]]:
    """(busy, stolen by the hypervisor, all) seconds of each core since boot."""
    times = {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu":
            user, nice, system, idle, iowait, irq, softirq, steal = (int(field) / TICKS_PER_S for field in fields[:8])
            busy = user + nice + system + irq + softirq
            times[int(name[3:])] = (busy, steal, busy + idle + iowait + steal)
    return times
