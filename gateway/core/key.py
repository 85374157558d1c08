"""A gateway key: who is calling, and what it may do."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec

ROLES = ("app", "viewer", "admin")
"""`app` calls models and reads its own requests; `viewer` reads; `admin` does everything."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """The key itself is never kept: only its keyed hash, as the name under which `Keyring` finds this."""

    key_id: str
    name: str
    role: str = "app"
    tenant: str | None = None
    environment: str | None = None
    models: tuple[str, ...] = ("*",)
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

    def allows_model(self, *names: str) -> bool:
        return self.models == ("*",) or any(fnmatchcase(name, pattern) for pattern in self.models for name in names)
