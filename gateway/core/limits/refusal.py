"""How a call is refused, in the words that the client and the log get."""

from __future__ import annotations

from gateway.core.limits.period import spelled
from gateway.errors import CallError


def _refused(code: str, message: str, retry_s: int, headers: tuple[tuple[bytes, bytes], ...]) -> CallError:
    retry = (b"retry-after", str(max(1, retry_s)).encode())
    return CallError(429, code, message, error_type="limit", headers=(retry, *headers))


def over_rate(
    who: str, what: str, limit: int, retry_s: int, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> CallError:
    """`who` is `tenant acme`, `what` `requests` or `tokens`."""
    message = f"The limit of {limit:,} {what} per minute for {who} is reached. Try again in {max(1, retry_s)} s."
    return _refused("rate_limit_exceeded", message, retry_s, headers)


def too_large(who: str, tokens: int, limit: int) -> CallError:
    message = (
        f"This request may take {tokens:,} tokens, more than the {limit:,} per minute for {who} altogether. Send a "
        "shorter prompt or a smaller max_tokens."
    )
    return _refused("rate_limit_exceeded", message, 60, ())


def too_many_at_once(who: str, limit: int, headers: tuple[tuple[bytes, bytes], ...] = ()) -> CallError:
    message = f"{limit:,} calls of {who} are under way, which is as many as may be. Try again when one has ended."
    return _refused("rate_limit_exceeded", message, 1, headers)


def over_budget(name: str, who: str, left_nanousd: int, limit_nanousd: int, ends_us: int, now_us: int) -> CallError:
    resets = spelled(ends_us)
    when = f"It begins anew at {resets}" if resets else "It does not begin anew by itself"
    message = (
        f"The budget {name!r} of {_dollars(limit_nanousd)} for {who} is spent: ${max(0, left_nanousd) / 1e9:.6g} is "
        f"neither spent nor reserved by calls under way, and this call may take more. {when}; an admin can raise it."
    )
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if resets:
        headers = ((b"retry-after", str((ends_us - now_us) // 1_000_000 + 1).encode()),)
    return CallError(402, "budget_exceeded", message, error_type="budget", headers=headers)


def _dollars(nano: int) -> str:
    """To the cent, and what is less than ten of them to the last digit that says something."""
    return f"${nano / 1e9:,.2f}" if nano >= 100_000_000 else f"${nano / 1e9:.6g}"


def running_away(tenant: str, what: str, bound: int, retry_s: int) -> CallError:
    message = (
        f"The tenant {tenant!r} is held to {bound:,} {what} per minute, for it does far more than is usual at this "
        f"hour. Try again in {max(1, retry_s)} s; an admin can lift this (/api/runaway)."
    )
    return _refused("rate_limit_exceeded", message, retry_s, ())


def same_again(tenant: str, bound: int) -> CallError:
    message = (
        f"The tenant {tenant!r} has sent this very request more than {bound:,} times within a minute, which looks like "
        "a loop. Try again in 60 s, or with another prompt; an admin can lift this (/api/runaway)."
    )
    return _refused("rate_limit_exceeded", message, 60, ())


def unknown(why: str) -> CallError:
    message = f"What is left of the limits cannot be known now: {why}. Try again shortly (shared.on_failure: refuse)."
    return CallError(503, "limits_unavailable", message, error_type="limit", headers=((b"retry-after", b"1"),))
