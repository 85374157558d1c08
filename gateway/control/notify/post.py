"""One POST, to an address that was checked: HTTP/1.1 by hand, since that is all it takes.

A client library would look the name up again, follow redirects unless told not to, and cost the gateway megabytes
(docs/decisions/0095-notices-leave-through-a-book.md). The certificate is checked against the name, the connection goes
to the address.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from gateway import __version__
from gateway.control.notify.sink import Undelivered, one_line
from gateway.control.notify.target import RESOLVER, addresses
from gateway.settings.alerts import Notification

MOST_HEAD = 65_536
MOST_SAID = 200
LATER = frozenset((408, 421, 425, 429))
"""Refusals that are worth another try; the other 4xx are not."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    said: str
    """The beginning of what a refusal says."""


async def post(url: str, headers: dict[str, str], body: bytes, settings: Notification, resolve: RESOLVER) -> None:
    """Raises Undelivered for whatever is not a 2xx."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not settings.allow_private:
        raise Undelivered("it is not https, which only allow_private: true lets through", is_final=True)
    try:
        async with asyncio.timeout(settings.timeout_s):
            answer = await _exchange(parts, headers, body, settings, resolve)
    except TimeoutError as exc:
        raise Undelivered(f"{parts.hostname} did not answer within {settings.timeout_s:g} s") from exc
    except ssl.SSLCertVerificationError as exc:
        reason = one_line(exc.verify_message, MOST_SAID)
        raise Undelivered(f"the certificate of {parts.hostname} does not hold: {reason}") from exc
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as exc:
        raise Undelivered(f"{parts.hostname} does not answer ({type(exc).__name__})") from exc
    if not 200 <= answer.status < 300:
        is_final = answer.status < 500 and answer.status not in LATER
        said = f": {answer.said}" if answer.said else ""
        raise Undelivered(
            f"{parts.hostname} answered {answer.status}{said}",
            is_final=is_final,
            retry_after_s=_seconds(answer.headers.get("retry-after", "")),
        )


async def _exchange(
    parts: SplitResult, headers: dict[str, str], body: bytes, settings: Notification, resolve: RESOLVER
) -> Answer:
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    found = await addresses(host, port, resolve, allow_private=settings.allow_private)
    reader, writer = await _connected(found, port, host if is_tls else None)
    try:
        writer.write(_request(parts, headers, body))
        await writer.drain()
        return await _answer(reader)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _connected(
    found: list[str], port: int, tls_name: str | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context() if tls_name is not None else None
    for last, address in enumerate(found, 1 - len(found)):
        try:
            return await asyncio.open_connection(address, port, ssl=context, server_hostname=tls_name, limit=MOST_HEAD)
        except ssl.SSLError:
            raise
        except OSError:
            if last == 0:
                raise
    raise AssertionError("there is at least one address, and the last one raises")


def _request(parts: SplitResult, headers: dict[str, str], body: bytes) -> bytes:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    lines = [
        f"POST {target} HTTP/1.1",
        f"host: {host}",
        f"user-agent: callgate/{__version__}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if any(char in line for line in lines for char in "\r\n\0"):
        raise ValueError("a line break in a header")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


async def _answer(reader: asyncio.StreamReader) -> Answer:
    status = 100
    while status < 200:  # 100 Continue and 103 Early Hints come before the answer
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise ValueError("this is not HTTP")
        status = int(rest[:3])
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    said = b""
    if status >= 300:
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(1):
                said = await reader.read(MOST_SAID)
    return Answer(status, headers, one_line(said.decode("utf-8", "replace"), MOST_SAID))


def _seconds(text: str) -> float | None:
    """Of `retry-after`; its other form, a date, is not waited for."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None
