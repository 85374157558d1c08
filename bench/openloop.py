"""Load at a fixed rate: every call has its time in a schedule, and its latency counts from then.

A closed loop (wrk) asks less often while the server stalls, and so leaves the stall out of its percentiles
("coordinated omission"). Here the schedule does not wait: arrivals are a Poisson process with a fixed seed, the same
for every target, and a call that finds no free connection waits, its clock running.

Run as a process of its own: `python -m bench.openloop '<Plan as JSON>'` prints a `Result` as JSON. Its limits: one
thread of Python, some 30 µs of processor a call, so it is good for about 10,000 calls a second; how late it was in
sending is measured (`late_…`) and is part of every latency it reports.
"""

from __future__ import annotations

import gc
import random
import re
import select
import socket
import sys
import time
from collections import Counter, deque
from pathlib import Path

import msgspec

from bench.report import quantile

PROMPT_TOKENS = re.compile(rb'"prompt_tokens":\s*(\d+)')
COMPLETION_TOKENS = re.compile(rb'"completion_tokens":\s*(\d+)')
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
ANSWER_TIMEOUT_S = 10
"""After the last call was due; calls unanswered by then have failed."""
RECEIVE_BYTES = 65536


class Plan(msgspec.Struct):
    port: int
    request: bytes
    """The whole request, as it goes over the wire."""
    rate: int
    seconds: float
    connections: int


class Quantiles(msgspec.Struct, frozen=True):
    """µs."""

    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: list[int]) -> Quantiles:
        ordered = sorted(values) or [0]
        return cls(*(quantile(ordered, share) / 1000 for share in (0.5, 0.95, 0.99, 1.0)))


class Result(msgspec.Struct, frozen=True):
    due: int
    """Calls in the schedule."""
    answered: int
    """Whole answers of status 200."""
    statuses: dict[int, int]
    broken: int
    """Calls whose connection broke, or that were not answered in time."""
    seconds: float
    """From the first call due to the last answer."""
    latency_us: Quantiles
    late_us: Quantiles
    """How much after its time a call was sent: by this program's own doing, or because no connection was free."""
    input_tokens: int
    output_tokens: int


class Connection:
    """A kept connection, with at most one call on it."""

    __slots__ = ("due_ns", "missing", "received", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.received = b""
        self.missing: int | None = None
        """Bytes of the answer still to come; None while its head is not whole."""
        self.due_ns = 0

    def read(self) -> bytes | None:
        """The answer once it is whole, else None. Raises ConnectionError where the server has closed."""
        data = self.socket.recv(RECEIVE_BYTES)
        if not data:
            raise ConnectionResetError("closed by the server")
        self.received += data
        if self.missing is None:
            head_end = self.received.find(b"\r\n\r\n")
            if head_end < 0:
                return None
            length = CONTENT_LENGTH.search(self.received, 0, head_end)
            if length is None:
                raise ConnectionAbortedError("an answer without content-length")
            self.missing = head_end + 4 + int(length[1]) - len(self.received)
        else:
            self.missing -= len(data)
        if self.missing > 0:
            return None
        answer, self.received, self.missing = self.received, b"", None
        return answer


class Load:
    """One run of a plan. `run` returns when every call is answered, or has failed."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._poll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._free: list[Connection] = []
        self._waiting: deque[int] = deque()
        self._latencies_ns: list[int] = []
        self._late_ns: list[int] = []
        self._statuses: Counter[int] = Counter()
        self._broken = 0
        self._finished = 0
        self._input_tokens = 0
        self._output_tokens = 0
        for _ in range(plan.connections):
            self._connect()

    def run(self) -> Result:
        offsets_ns = schedule(self._plan.rate, self._plan.seconds)
        start_ns = time.monotonic_ns() + 50_000_000
        end_ns = start_ns + int((self._plan.seconds + ANSWER_TIMEOUT_S) * 1e9)
        next_call = 0
        while self._finished < len(offsets_ns) and (now_ns := time.monotonic_ns()) < end_ns:
            while next_call < len(offsets_ns) and start_ns + offsets_ns[next_call] <= now_ns:
                self._waiting.append(start_ns + offsets_ns[next_call])
                next_call += 1
            while self._waiting and self._free:
                self._send(self._free.pop(), self._waiting.popleft())
            wake_ns = start_ns + offsets_ns[next_call] if next_call < len(offsets_ns) else end_ns
            self._receive(max(0, wake_ns - time.monotonic_ns()) / 1e9)
        seconds = (time.monotonic_ns() - start_ns) / 1e9
        return self._result(len(offsets_ns), seconds)

    def _connect(self) -> None:
        connection = Connection(self._plan.port)
        self._connections[connection.socket.fileno()] = connection
        self._poll.register(connection.socket, select.EPOLLIN)
        self._free.append(connection)

    def _send(self, connection: Connection, due_ns: int) -> None:
        connection.due_ns = due_ns
        self._late_ns.append(time.monotonic_ns() - due_ns)
        try:
            connection.socket.sendall(self._plan.request)
        except OSError:
            self._lose(connection)

    def _receive(self, wait_s: float) -> None:
        """`select` on the epoll itself: its timeout counts in microseconds, that of epoll in milliseconds."""
        if not select.select([self._poll], [], [], wait_s)[0]:
            return
        for descriptor, _ in self._poll.poll(0):
            connection = self._connections[descriptor]
            try:
                answer = connection.read()
            except OSError:
                self._lose(connection)
                continue
            if answer is not None:
                self._latencies_ns.append(time.monotonic_ns() - connection.due_ns)
                self._free.append(connection)
                self._count(answer)

    def _count(self, answer: bytes) -> None:
        self._finished += 1
        status = STATUS.match(answer)
        self._statuses[int(status[1]) if status else 0] += 1
        prompt, completion = PROMPT_TOKENS.search(answer), COMPLETION_TOKENS.search(answer)
        if prompt and completion:
            self._input_tokens += int(prompt[1])
            self._output_tokens += int(completion[1])

    def _lose(self, connection: Connection) -> None:
        """The call on it has failed; another connection takes its place."""
        self._broken += 1
        self._finished += 1
        self._poll.unregister(connection.socket)
        del self._connections[connection.socket.fileno()]
        connection.socket.close()
        self._connect()

    def _result(self, due: int, seconds: float) -> Result:
        return Result(
            due=due,
            answered=self._statuses[200],
            statuses=dict(self._statuses),
            broken=self._broken + due - self._finished,
            seconds=seconds,
            latency_us=Quantiles.of(self._latencies_ns),
            late_us=Quantiles.of(self._late_ns),
            input_tokens=self._input_tokens,
            output_tokens=self._output_tokens,
        )


def schedule(rate: int, seconds: float) -> list[int]:
    """When each call is due, in ns from the start: `rate × seconds` of them, exponential gaps, always the same."""
    random_gaps = random.Random(20260801)
    gaps = [random_gaps.expovariate(1) for _ in range(round(rate * seconds))]
    scale = seconds * 1e9 / sum(gaps)
    offsets, at = [], 0.0
    for gap in gaps:
        at += gap * scale
        offsets.append(int(at))
    return offsets


def main() -> None:
    plan = msgspec.json.decode(sys.argv[1], type=Plan)
    # The kernel may wake a sleeper 50 µs late to save power; this asks it not to (see proc_pid_timerslack_ns(5)).
    Path("/proc/self/timerslack_ns").write_text("1")
    load = Load(plan)
    gc.collect()
    gc.disable()
    print(msgspec.json.encode(load.run()).decode())


if __name__ == "__main__":
    main()
