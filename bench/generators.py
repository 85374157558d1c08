"""Runs the generators of the bench that are programs of their own, on the core of the load."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from bench import openloop
from bench.lab import REST_CORE
from bench.servers import BenchError
from bench.target import CHAT, Target

PROJECT = Path(__file__).parent.parent
OPEN_LOOP_CONNECTIONS = 128
GRACE_S = 60
T = TypeVar("T")


def request_bytes(target: Target, body: bytes, path: str = CHAT) -> bytes:
    """The call as it goes over the wire."""
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{target.port}"]
    lines += [f"{name}: {value}" for name, value in target.head().items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


class Load:
    """A generator at work."""

    def __init__(self, process: subprocess.Popen[bytes], timeout_s: float) -> None:
        self._process = process
        self._timeout_s = timeout_s

    def running(self) -> bool:
        return self._process.poll() is None

    def result(self, kind: type[T]) -> T:
        """What it measured, once it has. Raises BenchError where it failed."""
        try:
            printed, complaints = self._process.communicate(timeout=self._timeout_s)
        except subprocess.TimeoutExpired as exc:
            raise BenchError(f"a load generator did not end within {self._timeout_s:g} s") from exc
        if self._process.returncode:
            raise BenchError(f"a load generator failed: {complaints.decode(errors='replace')}")
        return msgspec.json.decode(printed, type=kind)


@contextmanager
def under_way(module: str, plan: msgspec.Struct, *, seconds: float) -> Iterator[Load]:
    """Runs until it has printed its result, or is killed at the end of the context."""
    command = ["taskset", "-c", str(REST_CORE), sys.executable, "-m", module, msgspec.json.encode(plan).decode()]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield Load(process, seconds + GRACE_S)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def calls_under_way(target: Target, rate: int, seconds: float) -> Iterator[Load]:
    """`rate × seconds` calls by a fixed schedule; see openloop.py."""
    plan = openloop.Plan(
        port=target.port,
        request=request_bytes(target, target.body()),
        rate=rate,
        seconds=seconds,
        connections=OPEN_LOOP_CONNECTIONS,
    )
    with under_way("bench.openloop", plan, seconds=seconds) as load:
        yield load


def calls(target: Target, rate: int, seconds: float) -> openloop.Result:
    """Raises BenchError when a call was not answered well."""
    with calls_under_way(target, rate, seconds) as load:
        result = load.result(openloop.Result)
    if result.answered != result.due:
        raise BenchError(f"{target.name} answered {result.answered} of {result.due} calls well: {result}")
    return result
