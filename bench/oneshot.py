"""One HTTP call on a connection of its own, for checks beside the load."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

PIECE = 256 * 1024


class NoAnswerError(Exception):
    """Nobody answers there (yet)."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


def call(
    port: int, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Raises NoAnswerError where no whole answer comes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())
    except (OSError, http.client.HTTPException) as exc:
        raise NoAnswerError(f"127.0.0.1:{port}: {exc!r}") from exc
    finally:
        connection.close()


def pieces(port: int, path: str, *, headers: Mapping[str, str] | None = None) -> Iterator[bytes]:
    """The body of an answer as it comes. Raises NoAnswerError where it is no good one, or not whole."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        response = connection.getresponse()
        if response.status != 200:
            raise NoAnswerError(f"{path} answered {response.status}")
        while piece := response.read1(PIECE):
            yield piece
    except (OSError, http.client.HTTPException) as exc:
        raise NoAnswerError(f"127.0.0.1:{port}: {exc!r}") from exc
    finally:
        connection.close()
