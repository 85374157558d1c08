"""Telling a client that only finished sending from one that is gone: TCP shows both as the same FIN.

A client that closed its socket answers the next segment it gets with a reset; one that half-closed it reads on. So
something without meaning is sent as a probe, and the kernel's state of the connection is looked at shortly after:
before the answer an interim `100 Continue`, which every HTTP/1.1 client must skip (RFC 9110 15.2); within a chunked
answer a leading zero of the next chunk's size (RFC 9112 7.1 allows any number of them), which changes no byte of it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

PROBE = b"HTTP/1.1 100 Continue\r\n\r\n"
PROBE_IN_CHUNKS = b"0"
LOOKS_S = (0.005, 0.03, 0.2, 1.0, 3.0)
"""When to look, after the FIN: a reset takes one round trip."""

_TCP_CLOSE = 7  # linux/tcp_states.h


def is_closed(transport: asyncio.Transport) -> bool:
    """Whether the peer has reset the connection."""
    sock = transport.get_extra_info("socket")
    if sock is None or transport.is_closing():
        return True
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    except OSError:
        return True
    return bool(info[0] == _TCP_CLOSE)


def watch(transport: asyncio.Transport, still_wanted: Callable[[], bool], gone: Callable[[], None]) -> None:
    """Looks at the connection at `LOOKS_S` and calls `gone` when the peer has closed it, while that still matters."""
    loop = asyncio.get_running_loop()

    def look() -> None:
        if still_wanted() and is_closed(transport):
            gone()

    for seconds in LOOKS_S:
        loop.call_later(seconds, look)
