"""Requests that arrive while the one before is still being answered (HTTP/1.1 pipelining, RFC 9112 9.3.2).

The parser cannot be stopped in the middle of what one read brought, so its events for the next request are written
down and played back when its turn comes. Reading pauses meanwhile: at most one read's worth is ever held.
"""

from __future__ import annotations

from gateway.proxy.headers import Headers


class Recorded:
    """One request in waiting, as far as it has come. Also answers what uvicorn asks the parser about it."""

    __slots__ = ("_keep_alive", "_method", "_version", "body", "complete", "head_complete", "headers", "length", "url")

    def __init__(self) -> None:
        self.url = b""
        self.headers: Headers = []
        self.length: int | None = None
        self.body: list[bytes] = []
        self.head_complete = False
        self.complete = False
        self._method = b""
        self._version = "1.1"
        self._keep_alive = True

    def end_head(self, method: bytes, version: str, keep_alive: bool) -> None:
        self.head_complete = True
        self._method = method
        self._version = version
        self._keep_alive = keep_alive

    def get_method(self) -> bytes:
        return self._method

    def get_http_version(self) -> str:
        return self._version

    def should_keep_alive(self) -> bool:
        return self._keep_alive

    def should_upgrade(self) -> bool:
        return False
