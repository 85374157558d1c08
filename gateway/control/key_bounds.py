"""What a key may do, said anew, and whether what a key says makes sense."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from gateway.core.key import ROLES, Key, wrong_networks
from gateway.errors import ControlError


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Of a key that exists: what is not given stays as it is. Role, tenant and environment never change, since the
    log has calls under them."""

    name: str | UnsetType = UNSET
    models: tuple[str, ...] | UnsetType = UNSET
    endpoints: tuple[str, ...] | UnsetType = UNSET
    configs: tuple[str, ...] | UnsetType = UNSET
    networks: tuple[str, ...] | UnsetType = UNSET
    tags: dict[str, str] | UnsetType = UNSET
    expires_at: int | UnsetType | None = UNSET
    """None: never."""

    def on(self, key: Key) -> Key:
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not UNSET}
        if isinstance(self.name, str):
            given["name"] = self.name.strip()
        return msgspec.structs.replace(key, **given)


def check_key(key: Key, at_us: int) -> None:
    """Raises ControlError for what no key may say."""
    if not key.name:
        raise ControlError("A key needs a name.")
    if key.role not in ROLES:
        raise ControlError(f"{key.role!r} is no role; a key is one of {', '.join(ROLES)}.")
    if not key.models and key.owner is None:
        raise ControlError("A key needs at least one pattern of models; '*' allows all.")
    wrong = wrong_networks(key.networks)
    if wrong is not None:
        raise ControlError(f"{wrong!r} is no address or range. Write it as 10.1.2.3, 10.0.0.0/8 or 2001:db8::/32.")
    if key.expires_at is not None and key.expires_at <= at_us:
        raise ControlError("A key cannot expire in the past.")


def earlier(one: int | None, other: int | None) -> int | None:
    """Of two expiries, where None is never."""
    return min((each for each in (one, other) if each is not None), default=None)
