"""How a call can fail on its way, in the words that the client and the log get. One function each, nothing else."""

from __future__ import annotations

import ssl

from gateway.errors import CallError
from gateway.proxy.signing import CredentialsError
from gateway.settings import Server, Timeout

FOREVER = float("inf")
"""A time limit that is not running."""


def shutting_down() -> CallError:
    message = "The gateway is shutting down; send this again."
    return CallError(503, "shutting_down", message, headers=((b"retry-after", b"1"),))


def not_in_cache() -> CallError:
    """RFC 9111 5.2.1.7 has the status."""
    message = "The answer is not in the cache, and the call asks for nothing else (x-callgate-cache: only-if-cached)."
    return CallError(504, "cache_miss", message, headers=((b"x-callgate-cache", b"miss"),))


def no_such_method(method: bytes) -> CallError:
    """CONNECT and TRACE speak to the gateway and not to a provider; what nobody knows is not passed on either."""
    message = f"The method {method[:20].decode('latin-1')!r} is not passed on. Use GET, POST, PUT, PATCH or DELETE."
    return CallError(405, "method_not_allowed", message, error_type="invalid_request")


def stopped() -> CallError:
    """Of a call that outlived the drain."""
    message = "The gateway was stopped before the answer was complete."
    return CallError(503, "shutting_down", message, error_type="interrupted")


def journal_refuses(exc: Exception) -> CallError:
    """Before dispatch: nothing that could not be accounted for is sent."""
    message = f"The gateway takes no call that it could not account for: {exc}. See /readyz."
    return CallError(503, "journal_unavailable", message, headers=((b"retry-after", b"5"),))


def not_written_down(error: CallError | None, exc: Exception) -> CallError:
    """After dispatch: whatever became of the call, the client must not be told that it succeeded."""
    so_far = error.message if error is not None else "The call was answered."
    return CallError(503, "journal_unavailable", f"{so_far} But it cannot be written to the journal: {exc}.")


def unreachable(provider: str, exc: Exception) -> CallError:
    if isinstance(exc, ssl.SSLError):
        reason = getattr(exc, "verify_message", "") or exc.reason or str(exc)
        message = f"There is no secure connection to {provider}: {reason}."
        return CallError(502, "upstream_tls", message, error_type="network")
    if isinstance(exc, CredentialsError):
        message = f"{provider} cannot be called: {exc}."
        return CallError(502, "upstream_authentication", message, error_type="authentication")
    message = f"{provider} cannot be reached: {exc or type(exc).__name__}."
    return CallError(502, "upstream_unreachable", message, error_type="network")


def lost(provider: str, reason: str) -> CallError:
    message = f"The connection to {provider} broke before the answer was complete: {reason}."
    return CallError(502, "upstream_reset", message, error_type="network")


def malformed(provider: str, reason: str) -> CallError:
    message = f"The answer of {provider} cannot be read: {reason}."
    return CallError(502, "upstream_malformed", message, error_type="parse_error")


def credentials_refused(provider: str) -> CallError:
    """A 401 of the provider is about the gateway's key for it, which the client can do nothing about."""
    message = f"{provider} refused the gateway's own key with status 401. Check providers.{provider}.api_key."
    return CallError(502, "upstream_authentication", message, error_type="authentication")


def too_slow(limit: str, timeout: Timeout, provider: str) -> CallError:
    """`limit` is `connect`, `first byte`, `idle` or `total`."""
    seconds = {
        "connect": timeout.connect_s,
        "first byte": timeout.first_byte_s,
        "idle": timeout.idle_s,
        "total": timeout.total_s,
    }[limit]
    message = f"{provider} did not answer in time: the {limit} limit of {seconds:g} s has passed."
    return CallError(504, "upstream_timeout", message, error_type="timeout")


def no_token(seconds: float, provider: str) -> CallError:
    message = f"{provider} did not answer in time: no token within {seconds:g} s."
    return CallError(504, "upstream_timeout", message, error_type="timeout")


def body_stalled(server: Server) -> CallError:
    """The client stopped sending."""
    message = f"The request body stopped coming: nothing for {server.body_timeout_s:g} s (server.body_timeout_s)."
    return CallError(408, "request_timeout", message, error_type="timeout")


def client_gone() -> CallError:
    """In the log only."""
    return CallError(499, "client_closed", "the client closed the connection", error_type="cancelled")


def crashed() -> CallError:
    """A bug of the gateway's."""
    message = "The gateway failed on this call; its log says why."
    return CallError(500, "internal_error", message, error_type="interrupted")
