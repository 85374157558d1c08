"""wrk as load generator: closed loop, one thread, keep-alive connections (https://github.com/wg/wrk)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec

from bench.lab import REST_CORE
from bench.servers import BenchError
from bench.target import CHAT, Target
from bench.templates import template


class Result(msgspec.Struct, frozen=True):
    """Latencies are those of a closed loop: a server that stalls is asked less often and looks better than it is."""

    requests: int
    duration_us: int
    refused: int
    """Answers with a status of 400 or more."""
    broken: int
    """Connections that could not be made or broke."""
    timeouts: int
    p50_us: int
    p95_us: int
    p99_us: int
    max_us: int

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.requests / self.duration_us * 1e6


def run(target: Target, folder: Path, *, connections: int, seconds: int, warm_up_s: int = 0) -> Result:
    """Raises BenchError when anything but good answers came: a rate of failures is not a rate."""
    headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in target.head().items())
    script = folder / f"wrk-{target.name}.lua"
    script.write_text(template("wrk.lua", body=target.body().decode(), headers=headers))
    if warm_up_s:
        _run(target, script, connections, warm_up_s)
    result = _run(target, script, connections, seconds)
    if result.refused or result.broken or result.timeouts or not result.requests:
        raise BenchError(f"{target.name} did not answer every call of wrk: {result}")
    return result


def _run(target: Target, script: Path, connections: int, seconds: int) -> Result:
    command = ["taskset", "-c", str(REST_CORE), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
    command += ["--timeout", "10s", "-s", str(script), f"http://127.0.0.1:{target.port}{CHAT}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return msgspec.json.decode(line.removeprefix("RESULT "), type=Result)
    raise BenchError(f"wrk gave no result against {target.name}: {done.stdout}{done.stderr}")
