"""The time limits of a call. There is no timer for each: the gateway's sweep compares deadlines."""

from __future__ import annotations

from gateway.errors import CallError
from gateway.settings import Server, Timeout

FOREVER = float("inf")


def passed(name: str, timeout: Timeout, provider: str) -> CallError:
    """The error of an upstream limit: `connect`, `first byte`, `idle` or `total`."""
    seconds = {
        "connect": timeout.connect_s,
        "first byte": timeout.first_byte_s,
        "idle": timeout.idle_s,
        "total": timeout.total_s,
    }[name]
    message = f"{provider} did not answer in time: the {name} limit of {seconds:g} s has passed."
    return CallError(504, "upstream_timeout", message, error_type="timeout")


def body_stalled(server: Server) -> CallError:
    """The client stopped sending."""
    message = f"The request body stopped coming: nothing for {server.body_timeout_s:g} s (server.body_timeout_s)."
    return CallError(408, "request_timeout", message, error_type="timeout")
