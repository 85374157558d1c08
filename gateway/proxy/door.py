"""The client's side of an exchange, whatever carries it: `protocol` over a transport, `asgi` under any other server."""

from __future__ import annotations

from typing import Protocol


class Door(Protocol):
    """An exchange answers either with `reply`, or with `start`, `relay`… and `finish` or `abort`. A `head` is header
    lines, each with its line end, without the framing, which is the door's."""

    @property
    def address(self) -> str:
        """Where the client is, an IP address as text; empty where that is not known."""
        ...

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        """A whole answer."""
        ...

    def start(self, status: int, head: bytes, length: int | None) -> None:
        """The head of an answer whose body comes piece by piece; `length` None where it is not known."""
        ...

    def relay(self, data: bytes) -> None: ...

    def finish(self, data: bytes) -> None:
        """The last bytes of a started answer."""
        ...

    def abort(self) -> None:
        """Cuts the connection: a started answer cannot be completed, and must not look as if it were."""
        ...

    def pause_body(self) -> None:
        """The exchange takes no more of the request's body for now."""
        ...

    def resume_body(self) -> None: ...


class ClosedDoor:
    """Stands in for a client that went away while the answer is drained for its bill."""

    address = ""

    def reply(self, status: int, head: bytes, body: bytes) -> None: ...

    def start(self, status: int, head: bytes, length: int | None) -> None: ...

    def relay(self, data: bytes) -> None: ...

    def finish(self, data: bytes) -> None: ...

    def abort(self) -> None: ...

    def pause_body(self) -> None: ...

    def resume_body(self) -> None: ...


CLOSED = ClosedDoor()
