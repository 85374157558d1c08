"""Many streams at once: every chunk's delay from being written upstream to arriving here, and whether any is missing.

The upstream (conf/upstream.lua) puts a number and the time of writing into each chunk, by the same clock that is read
here. While the streams run, what arrives is only noted down with its time; it is taken apart afterwards.

Run as a process of its own: `python -m bench.streamload '<Plan as JSON>'` prints a `Result` as JSON.
"""

from __future__ import annotations

import gc
import re
import select
import socket
import sys
import time

import msgspec

from bench.openloop import Quantiles

STAMP = re.compile(rb'"(?:content|text|delta)": ?"(\d+) (\d+) ')
"""A chunk's number and when it was written, µs of CLOCK_MONOTONIC."""
EVENT_END = re.compile(rb"\r?\n\r?\n")
RECEIVE_BYTES = 65536
CHUNKS_PER_S = 20
GRACE_S = 20

Pieces = list[tuple[int, bytes]]
"""Bytes in the order they came, each with its arrival in µs."""


class Plan(msgspec.Struct):
    port: int
    request: bytes
    streams: int
    chunks: int
    """Of each stream, the one with the finish reason not counted."""
    ramp_s: float
    """Over which the streams start, so that their chunks are spread over time."""
    late_us: float | None
    """Chunks later than this are counted; None counts none."""
    others: int = 2
    """Events of a whole stream beside its chunks."""
    ends: tuple[str, ...] = ('"finish_reason":"stop"', "data: [DONE]")
    """What its last events hold, one each."""


class Result(msgspec.Struct, frozen=True):
    expected: int
    """Chunks that were asked for."""
    arrived: int
    """Different chunks that came, in their order."""
    whole: int
    """Streams that came whole: every chunk once, the end, and no usage nobody asked for."""
    late: int
    delay_us: Quantiles
    first_us: Quantiles
    """From sending the request to the first chunk."""


class Stream:
    """One connection, and what came over it."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.started_us = time.monotonic_ns() // 1000
        self.pieces: Pieces = []
        self.socket.sendall(request)

    def ended(self) -> bool:
        """Whether the last piece ends a chunked body."""
        return bool(self.pieces) and self.pieces[-1][1].endswith(b"0\r\n\r\n")


def collect(plan: Plan) -> list[Stream]:
    """Starts the streams one after the other over `ramp_s` and reads until all have ended, or the time is up."""
    poll = select.epoll()
    streams: list[Stream] = []
    by_descriptor: dict[int, Stream] = {}
    begin = time.monotonic()
    deadline = begin + plan.ramp_s + plan.chunks / CHUNKS_PER_S + GRACE_S
    open_streams = plan.streams
    while open_streams and (now := time.monotonic()) < deadline:
        while len(streams) < plan.streams and now >= begin + plan.ramp_s * len(streams) / plan.streams:
            stream = Stream(plan.port, plan.request)
            streams.append(stream)
            by_descriptor[stream.socket.fileno()] = stream
            poll.register(stream.socket, select.EPOLLIN)
        for descriptor, _ in poll.poll(0.001 if len(streams) < plan.streams else 1):
            stream = by_descriptor[descriptor]
            data = receive(stream.socket)
            if data:
                stream.pieces.append((time.monotonic_ns() // 1000, data))
            if not data or stream.ended():
                poll.unregister(stream.socket)
                stream.socket.close()
                open_streams -= 1
    return streams


def receive(connection: socket.socket) -> bytes:
    """b"" where it has ended or broken."""
    try:
        return connection.recv(RECEIVE_BYTES)
    except OSError:
        return b""


def body(pieces: Pieces) -> Pieces:
    """The pieces without the answer's head and without the framing of chunked transfer coding (RFC 9112, 7.1)."""
    result: Pieces = []
    buffered = b""
    in_head, left = True, 0
    for at_us, data in pieces:
        buffered += data
        if in_head:
            _, found, rest = buffered.partition(b"\r\n\r\n")
            if not found:
                continue
            in_head, buffered = False, rest
        while buffered:
            if left > 2:
                part = buffered[: left - 2]
                result.append((at_us, part))
                buffered, left = buffered[len(part) :], left - len(part)
            elif left:
                dropped = min(left, len(buffered))
                buffered, left = buffered[dropped:], left - dropped
            else:
                size, found, rest = buffered.partition(b"\r\n")
                if not found:
                    break
                buffered, left = rest, int(size, 16) + 2
    return result


def events(pieces: Pieces) -> Pieces:
    """Whole events, each with the arrival of its last byte."""
    result: Pieces = []
    buffered = b""
    for at_us, data in body(pieces):
        *whole, buffered = EVENT_END.split(buffered + data)
        result += [(at_us, event) for event in whole]
    return result


def analyse(plan: Plan, streams: list[Stream]) -> Result:
    arrived = whole = late = 0
    delays_ns: list[int] = []
    firsts_ns: list[int] = []
    for stream in streams:
        came = events(stream.pieces)
        numbers = []
        for at_us, event in came:
            if stamp := STAMP.search(event):
                numbers.append(int(stamp[1]))
                delays_ns.append((at_us - int(stamp[2])) * 1000)
                late += plan.late_us is not None and at_us - int(stamp[2]) > plan.late_us
        in_order = numbers == sorted(set(numbers))
        arrived += len(numbers) if in_order else 0
        if numbers:
            firsts_ns.append((came[0][0] - stream.started_us) * 1000)
        last = [event for _, event in came[-len(plan.ends) :]]
        finished = len(came) == plan.chunks + plan.others and all(
            mark.encode() in event for mark, event in zip(plan.ends, last, strict=True)
        )
        whole += in_order and len(numbers) == plan.chunks and finished
    return Result(
        expected=plan.streams * plan.chunks,
        arrived=arrived,
        whole=whole,
        late=late,
        delay_us=Quantiles.of(delays_ns),
        first_us=Quantiles.of(firsts_ns),
    )


def main() -> None:
    plan = msgspec.json.decode(sys.argv[1], type=Plan)
    gc.disable()
    print(msgspec.json.encode(analyse(plan, collect(plan))).decode())


if __name__ == "__main__":
    main()
