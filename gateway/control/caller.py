"""In whose name a call is made that the gateway makes for somebody: a replay, a message of the playground."""

from __future__ import annotations

from gateway.control.keys import Keyring
from gateway.control.principal import Principal
from gateway.core.key import Key
from gateway.errors import CallError


def key_of(keyring: Keyring, principal: Principal) -> Key:
    """Their own key with all its bounds; of a person who signed in without one, a key that is bound as they are and is
    named as the audit log names them. Raises CallError 401 for a key that has ended meanwhile."""
    if principal.key_id is None:
        return Key(
            key_id=principal.actor,
            name=principal.name,
            role=principal.role,
            tenant=principal.tenant,
            environment=principal.environment,
        )
    key = keyring.by_id(principal.key_id)
    if key is None:
        raise CallError(401, "invalid_key", f"The key {principal.name!r} has ended. Sign in again.")
    return key
