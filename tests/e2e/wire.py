"""HTTP/1.1 over a plain blocking socket, read exactly as it came: for clients and for scripted providers."""

from __future__ import annotations

import json
import select
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

PATIENCE_S = 15.0
"""How long anything may take before a test fails."""


class CutError(Exception):
    """The other end closed where more was due; what came until then is in `args[0]`."""


@dataclass
class Message:
    """A request or an answer. `body` is unframed, `chunks` are its pieces as they were framed."""

    first: str
    """The request line or the status line."""
    headers: list[tuple[str, str]]
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    head: bytes = b""
    """As it was on the wire."""

    @property
    def status(self) -> int:
        return int(self.first.split(" ")[1])

    @property
    def method(self) -> str:
        return self.first.split(" ")[0]

    @property
    def target(self) -> str:
        return self.first.split(" ")[1]

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known.lower() == name), None)

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One connection, seen from one of its ends."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(PATIENCE_S)
        self.buffer = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- sending

    def send(self, *data: bytes) -> None:
        for piece in data:
            self.sock.sendall(piece)

    def chunk(self, *data: bytes) -> None:
        self.send(*(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in data))

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Ends the connection with an RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # -- receiving

    def more(self) -> bool:
        """Receives something; False where the other end is done (or has reset)."""
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionError:
            return False
        self.buffer += data
        return bool(data)

    def readable(self) -> bool:
        """Whether something has come that was not received yet."""
        poll = select.poll()  # `select` takes no descriptor beyond 1023
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    def until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            if not self.more():
                raise CutError(self.buffer)
        found, _, self.buffer = self.buffer.partition(mark)
        return found + mark

    def exactly(self, size: int) -> bytes:
        parts, have = [self.buffer], len(self.buffer)
        while have < size:
            self.buffer = b""
            if not self.more():
                raise CutError(b"".join(parts))
            parts.append(self.buffer)
            have += len(self.buffer)
        whole = b"".join(parts)
        self.buffer = whole[size:]
        return whole[:size]

    def rest(self) -> bytes:
        """Everything up to the other end's close."""
        while self.more():
            pass
        found, self.buffer = self.buffer, b""
        return found

    def closed_by_peer(self) -> bool:
        """Waits for the other end's close; False when something else came."""
        return not self.buffer and not self.more()

    def head(self) -> Message:
        """The next head, an interim answer's (100 Continue) too."""
        raw = self.until(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        pairs = [line.partition(":") for line in lines]
        return Message(first, [(name, value.strip()) for name, _, value in pairs], head=raw)

    def message(self, *, bodiless: bool = False) -> Message:
        """The next message, whole, interim answers skipped. Raises CutError where it is cut."""
        message = self.head()
        while message.first.startswith("HTTP/") and message.status < 200:
            message = self.head()
        if bodiless or (message.first.startswith("HTTP/") and message.status in (204, 304)):
            return message
        self.read_body(message)
        return message

    def read_body(self, message: Message) -> None:
        if "chunked" in (message.header("transfer-encoding") or ""):
            while chunk := self.next_chunk():
                message.chunks.append(chunk)
            message.body = b"".join(message.chunks)
        elif (length := message.header("content-length")) is not None:
            message.body = self.exactly(int(length))
        elif message.first.startswith("HTTP/"):
            message.body = self.rest()

    def next_chunk(self) -> bytes:
        """The next chunk's data, b"" at the end."""
        size = int(self.until(b"\r\n").split(b";")[0], 16)
        if size == 0:
            while self.until(b"\r\n") != b"\r\n":
                pass  # a trailer
            return b""
        return self.exactly(size + 2)[:-2]


def post(path: str, body: object, *headers: str, host: str = "gateway") -> bytes:
    """A request with a JSON body; bytes are sent as they stand."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", f"host: {host}", "content-type: application/json", *headers]
    return "\r\n".join([*head, f"content-length: {len(data)}", "", ""]).encode("latin-1") + data


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "host: gateway", *headers, "", ""]).encode("latin-1")


def answer(body: object, *headers: str, status: str = "200 OK", content_type: str = "application/json") -> bytes:
    """A provider's whole answer; bytes are sent as they stand."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status}", f"content-type: {content_type}", *headers, f"content-length: {len(data)}", "", ""]
    return "\r\n".join(head).encode("latin-1") + data


def stream_head(*headers: str) -> bytes:
    """The head of a provider's event stream, chunked."""
    head = ["HTTP/1.1 200 OK", "content-type: text/event-stream", *headers, "transfer-encoding: chunked", "", ""]
    return "\r\n".join(head).encode("latin-1")
