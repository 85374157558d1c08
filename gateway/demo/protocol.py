"""The demo provider's side of a connection: plain HTTP/1.1, answers paced by the clock, as fast as the reader reads."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from http import HTTPStatus
from typing import cast

import httptools

from gateway.demo.service import Demo, Reply

WRITE_AT_ONCE = 64 * 1024
"""Pieces that are due are put together up to this size."""


class DemoProtocol(asyncio.Protocol):
    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.parser = httptools.HttpRequestParser(self)
        self.waiting: deque[tuple[Reply, bool]] = deque()
        """Replies to pipelined requests, with whether the connection stays open after them."""
        self.sending: Sending | None = None
        self.paused = False
        self.stalled = False
        """Told to fall silent: nothing more is answered on this connection."""
        self.timer: asyncio.TimerHandle | None = None

    # -- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.sending = None
        self.waiting.clear()
        if self.timer:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self._send()

    # -- the request, as the parser finds it

    def on_message_begin(self) -> None:
        self.url = b""
        self.said: list[str] = []
        self.body: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        lowered = name.lower()
        if lowered == b"x-demo":
            self.said.append(value.decode("latin-1"))
        elif lowered == b"expect" and value.lower() == b"100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        path = self.url.partition(b"?")[0].decode("latin-1")
        method = self.parser.get_method().decode("latin-1")
        reply = self.demo.reply(method, path, ", ".join(self.said), b"".join(self.body))
        self.waiting.append((reply, self.parser.should_keep_alive()))
        self._begin()

    # -- the answer

    def _begin(self) -> None:
        if self.waiting and self.sending is None and not self.stalled:
            reply, keep_alive = self.waiting.popleft()
            self.sending = Sending(reply, keep_alive, self.loop.time())
            self._send()

    def _send(self) -> None:
        """Writes whatever is due, and comes back when more is."""
        if self.timer:
            self.timer.cancel()
            self.timer = None
        while self.sending and not self.paused and not self.transport.is_closing():
            now = self.loop.time()
            due, bytes_due = self.sending.due(now)
            if bytes_due:
                self.transport.write(bytes_due)
            if due > now:
                self.timer = self.loop.call_at(due, self._send)
                return
            if self.sending.done():
                self._end(self.sending)

    def _end(self, sent: Sending) -> None:
        self.sending = None
        if sent.reply.end == "stall":
            self.waiting.clear()
            self.stalled = True
        elif sent.reply.end == "reset":
            self._reset()
        elif sent.reply.end == "cut" or not sent.keep_alive:
            self.transport.close()
        else:
            self._begin()

    def _reset(self) -> None:
        """A true RST on TCP; a socket pair just closes."""
        sock = self.transport.get_extra_info("socket")
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Sending:
    """A reply on its way: what has gone out, and when the next piece may."""

    def __init__(self, reply: Reply, keep_alive: bool, now: float) -> None:
        self.reply = reply
        self.keep_alive = keep_alive
        self.starts = now + reply.delay_s
        self.at = 0
        self.head = _head(reply, keep_alive)

    def done(self) -> bool:
        return self.at >= len(self.reply.pieces) and not self.head

    def due(self, now: float) -> tuple[float, bytes]:
        """When the next piece is due (in the past where more is due now), and the bytes that are."""
        reply = self.reply
        out: list[bytes] = []
        size = 0
        when = self._when()
        while when <= now and size < WRITE_AT_ONCE and not self.done():
            if self.head:
                out.append(self.head)
                self.head = b""
            if self.at < len(reply.pieces):
                data = reply.pieces[self.at].data
                out.append(b"%x\r\n%b\r\n" % (len(data), data) if reply.stream else data)
                size += len(data)
                self.at += 1
            if self.done() and reply.stream and reply.end == "finish":
                out.append(b"0\r\n\r\n")
            when = self._when()
        return when, b"".join(out)

    def _when(self) -> float:
        reply = self.reply
        generated = reply.pieces[self.at].tokens if self.at < len(reply.pieces) else 0
        pace = generated / reply.tokens_per_s if reply.tokens_per_s else 0
        return self.starts + reply.ttft_s + pace


def _head(reply: Reply, keep_alive: bool) -> bytes:
    if reply.status is None:
        return b""
    lines = [f"HTTP/1.1 {reply.status} {_reason(reply.status)}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    lines.append("transfer-encoding: chunked" if reply.stream else f"content-length: {reply.length}")
    lines.append("server: callgate-demo")
    if not keep_alive:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
