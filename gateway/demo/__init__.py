"""The built-in provider `demo`: models that need no network and no key, and fail when told to.

A request travels the same way as to any other provider: the gateway's own connection pool speaks HTTP/1.1 to it, over
a socket pair instead of a network. `controls` are the words a request can say to it (docs/demo.md), `service` turns a
request into a reply, `answer` makes up what is said, one module an API writes it down, `protocol` sends it in its time.
"""

from __future__ import annotations

import asyncio
import socket

from gateway.demo.answer import MODELS
from gateway.demo.protocol import DemoProtocol
from gateway.demo.service import Demo

__all__ = ["MODELS", "PRICES", "Demo", "connect"]

PRICES = {
    f"demo/{model}": {"input_per_mtok": 0.15, "output_per_mtok": 0.60, "cached_input_per_mtok": 0.075}
    for model in MODELS
}
"""Dollars, as `prices.overrides` has them."""

_SHARED = Demo()
_ACCEPTING: set[asyncio.Task[object]] = set()
"""The loop keeps only weak references to its tasks."""


def connect(demo: Demo = _SHARED) -> socket.socket:
    """A new connection to the provider: the client's end of a socket pair, non-blocking. Needs a running loop."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    accepting = loop.create_task(loop.connect_accepted_socket(lambda: DemoProtocol(demo), theirs))
    _ACCEPTING.add(accepting)
    accepting.add_done_callback(_ACCEPTING.discard)
    return ours
