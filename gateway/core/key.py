"""A gateway key: who is calling, and what it may do."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import msgspec

ROLES = ("app", "viewer", "admin")
"""`app` calls models and reads its own requests; `viewer` reads; `admin` does everything."""
ALL = ("*",)


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """The key itself is never kept: only its keyed hash, as the name under which `Keyring` finds this."""

    key_id: str
    name: str
    role: str = "app"
    """One of `ROLES`; of a person's token what the person was when it was made, what they are now counts."""
    tenant: str | None = None
    environment: str | None = None
    models: tuple[str, ...] = ALL
    """Patterns (`*` and `?`) over what the client asks for and over `provider/model`."""
    tags: dict[str, str] = {}
    """Default tags; a tag the client sends wins, but for the tenant and environment the key is bound to."""
    created_at: int = 0
    expires_at: int | None = None
    revoked_at: int | None = None
    declared: bool = False
    """Declared in the configuration file: read-only elsewhere."""
    hint: str = ""
    """The last four characters, to tell keys apart."""
    endpoints: tuple[str, ...] = ALL
    """Patterns over the path that is called (`/v1/embeddings`, `/v1beta/*`); empty: it calls no models at all."""
    configs: tuple[str, ...] = ALL
    """Patterns over the names of configs it may be served with."""
    networks: tuple[str, ...] = ()
    """Addresses and CIDR ranges it may be used from; empty: from anywhere."""
    owner: str | None = None
    """The person (`user_id`) whose API token this is."""

    def allows_model(self, *names: str) -> bool:
        return self.models == ALL or any(fnmatchcase(name, pattern) for pattern in self.models for name in names)

    def allows_config(self, name: str) -> bool:
        return self.configs == ALL or any(fnmatchcase(name, pattern) for pattern in self.configs)


def permits(key: Key, endpoint: str, address: str) -> bool:
    """Whether the key may be used on the path `endpoint` by a client at `address` (an IP address as text).

    Asked for every call: what was decided is remembered, and a key without bounds is not looked at further.
    """
    if key.endpoints != ALL and not _matches(key.endpoints, endpoint):
        return False
    return not key.networks or within(key.networks, address)


@lru_cache(maxsize=4096)
def _matches(patterns: tuple[str, ...], endpoint: str) -> bool:
    return any(fnmatchcase(endpoint, pattern) for pattern in patterns)


@lru_cache(maxsize=16_384)
def within(networks: tuple[str, ...], address: str) -> bool:
    """False for what is no address: a client that cannot be placed is not inside."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    plain = _unmapped(found)
    return any(plain in ip_network(network, strict=False) for network in networks)


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """A socket that listens on both families says `::ffff:10.0.0.1` for 10.0.0.1."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def wrong_networks(networks: tuple[str, ...]) -> str | None:
    """The first that is neither an address nor a range."""
    for network in networks:
        try:
            ip_network(network, strict=False)
        except ValueError:
            return network
    return None
