"""Who is calling: the key behind a token."""

from __future__ import annotations

from gateway.core.key import Key
from gateway.errors import CallError
from gateway.proxy.gateway import Keys


def authenticated(keys: Keys, token: bytes | None) -> Key:
    """The caller's key; CallError 401 that says what is wrong with it."""
    if token is None:
        raise CallError(
            401,
            "missing_api_key",
            "No gateway key was sent. Send one as `Authorization: Bearer cg-…`; `callgate keys create` makes one.",
        )
    key = keys.authenticate(token)
    if key is not None:
        return key
    former = keys.lookup(token)
    if former is None:
        message = "This gateway key is not known; `callgate keys list` shows those that are."
        raise CallError(401, "invalid_api_key", message)
    what = "was revoked" if former.revoked_at is not None else "has expired"
    raise CallError(401, "invalid_api_key", f"The gateway key {former.name!r} {what}. Ask for a new one.")
