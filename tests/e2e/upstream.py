"""A provider that does exactly what a test says: a function gets each request and the connection it came on."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import ssl
import threading
from collections.abc import Callable

from tests.e2e.wire import PATIENCE_S, CutError, Message, Wire, answer, stream_head

Script = Callable[[Wire, Message], None]
"""Gets the connection and the request that was read from it; when it returns the next request is read."""


class Upstream:
    """Listens on a port of its own; what `script` says is done for every request, each connection in its thread.

    With `reads_body` False the script gets the request as soon as its head is there.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.tls = tls
        self.script: Script = nothing
        self.reads_body = True
        self.seen: queue.Queue[Message] = queue.Queue()
        self.open: set[Wire] = set()
        self.failures: list[BaseException] = []
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                sock, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
        except OSError:
            sock.close()  # the client does not like our certificate
            return
        wire = Wire(sock)
        self.open.add(wire)
        try:
            while sock.fileno() >= 0:
                request = wire.head()
                if self.reads_body:
                    wire.read_body(request)
                self.seen.put(request)
                self.script(wire, request)
        except (CutError, OSError):
            pass  # the gateway went away, as it may
        except BaseException as exc:
            self.failures.append(exc)
        finally:
            self.open.discard(wire)
            wire.close()

    def request(self) -> Message:
        """The next request that came; waits for it."""
        return self.seen.get(timeout=PATIENCE_S)

    def forget(self) -> None:
        """Ends what the last test left behind: its connections, what was seen."""
        self.script, self.reads_body = nothing, True
        for wire in list(self.open):
            with contextlib.suppress(OSError):
                wire.sock.shutdown(socket.SHUT_RDWR)
        while not self.seen.empty():
            self.seen.get_nowait()
        failures, self.failures = self.failures, []
        assert failures == [], "a script failed"

    def close(self) -> None:
        self.listener.close()
        self.forget()


def nothing(wire: Wire, request: Message) -> None:
    wire.send(answer({"error": {"message": "no script"}}, status="500 Internal Server Error"))


DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


def completion(text: str = "Hello there", model: str = "m-1-2026") -> dict[str, object]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "c-1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": USAGE}


def completes(wire: Wire, request: Message) -> None:
    """The script of a provider that works."""
    if json.loads(request.body or b"{}").get("stream"):
        wire.send(stream_head())
        wire.chunk(*events("Hello", " there"), DONE)
        wire.send(b"0\r\n\r\n")
    else:
        wire.send(answer(completion()))


def event(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: " + json.dumps({"id": "c-1", "model": "m-1-2026", "choices": [choice]}).encode() + b"\n\n"


def events(*texts: str) -> list[bytes]:
    """The chunks of a stream with these deltas, its finish and its usage, up to [DONE]."""
    finish = {"id": "c-1", "model": "m-1-2026", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    used = {"id": "c-1", "model": "m-1-2026", "choices": [], "usage": USAGE}
    return [*map(event, texts), *(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in (finish, used))]
