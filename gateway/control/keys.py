"""Gateway keys: found by their keyed hash in memory, made, revoked and rotated in the store.

The data plane asks `lookup` or `authenticate` for every call: a hash and a dictionary, no waiting. Changes by any
process reach every worker through `follow`, which asks the store for its keys' version every second.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime

import msgspec

from gateway.control.audit import SYSTEM, entry
from gateway.control.following import follow
from gateway.control.key_bounds import Bounds, check_key, earlier
from gateway.core.ids import uuid7
from gateway.core.key import ALL, Key
from gateway.errors import ControlError, Missing
from gateway.settings import ApiKey, Settings
from gateway.store.base import Store

PREFIX = "cg-"
FIRST_KEY = "first"
DECLARED_PREFIX = "config:"
"""Of the ids of declared keys: made from the name, so that they are the same in every worker and after a restart."""

log = logging.getLogger(__name__)


def now_us() -> int:
    return time.time_ns() // 1000


def moment_us(text: str) -> int:
    """ISO 8601 to µs; a date alone is its midnight, and without an offset it is UTC. Raises ValueError."""
    at = datetime.fromisoformat(text)
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def usable(key: Key, at_us: int) -> bool:
    return key.revoked_at is None and (key.expires_at is None or at_us < key.expires_at)


def key_state(key: Key, at_us: int) -> str:
    """`active`, `revoked` or `expired`."""
    if key.revoked_at is not None:
        return "revoked"
    return "active" if usable(key, at_us) else "expired"


class Keyring:
    """Every key of the installation, those of the configuration and those of the store, by keyed hash."""

    def __init__(self, secret: bytes, store: Store, declared: Iterable[ApiKey] = ()) -> None:
        self._hasher = hashlib.blake2b(key=secret, digest_size=32)
        self._store = store
        self._stored: dict[bytes, Key] = {}
        self._declared: dict[bytes, Key] = {}
        self._by_hash: dict[bytes, Key] = {}
        self._by_id: dict[str, Key] = {}
        self._lent: dict[bytes, Key] = {}
        self._version: int | None = None
        self.suspended: Set[str] = frozenset()
        """Tenants whose keys are refused for now; see `Directory.suspended`."""
        self.used: dict[str, int] = {}
        """When each key was last used in this process, µs UTC, by id; see `gateway.control.last_used`."""
        self.declare(declared)

    # -------------------------------------------------------------------------------------------- asking

    def lookup(self, token: bytes | str) -> Key | None:
        """The key this is the secret of, revoked and expired ones included; None if there never was one.

        The dictionary is searched by a keyed hash, whose bytes a caller cannot steer, so timing tells nothing.
        """
        return self._by_hash.get(self._digest(token))

    def authenticate(self, token: bytes | str) -> Key | None:
        """The key this is the secret of, if it may be used now."""
        digest = self._digest(token)
        key = self._by_hash.get(digest) or self._lent.get(digest)
        at = now_us()
        if key is None or not usable(key, at) or (self.suspended and key.tenant in self.suspended):
            return None
        self.used[key.key_id] = at
        return key

    def by_id(self, key_id: str) -> Key | None:
        """The key with this id, if it may be used now; of a rotated key the newer secret's."""
        key = self._by_id.get(key_id)
        return key if key is not None and usable(key, now_us()) else None

    def keys(self) -> list[Key]:
        """All of them, newest first, declared ones before; a rotated key is there once for each of its secrets."""
        return sorted(self._by_hash.values(), key=lambda key: (not key.declared, -key.created_at, key.name))

    def digest(self, token: bytes | str) -> str:
        """The keyed hash under which something secret is kept, hex."""
        return self._digest(token).hex()

    @contextlib.contextmanager
    def lend(self, key: Key) -> Iterator[str]:
        """A secret for `key` that works in this process while the block runs, for calls made in somebody's name."""
        token = PREFIX + secrets.token_urlsafe(32)
        digest = self._digest(token)
        self._lent[digest] = key
        try:
            yield token
        finally:
            del self._lent[digest]

    def _digest(self, token: bytes | str) -> bytes:
        hasher = self._hasher.copy()
        hasher.update(token if isinstance(token, bytes) else token.encode("utf-8", "surrogatepass"))
        return hasher.digest()

    # -------------------------------------------------------------------------------------------- following

    def declare(self, keys: Iterable[ApiKey]) -> None:
        """Takes the keys of a (re)loaded configuration in place of those before."""
        self._declared = {self._digest(entry.key): _declared(entry) for entry in keys}
        self._index()

    async def refresh(self) -> bool:
        """Reads the store's keys if any was written since; whether one was. Raises StoreError."""
        version = await self._store.keys_version()
        if version == self._version:
            return False
        self._take(await self._store.keys())
        # The version from before the read: a key written between the two is read again a second later.
        self._version = version
        return True

    async def follow(self, interval_s: float = 1.0) -> None:
        """Keeps them up to date until cancelled."""
        await follow(self.refresh, "keys", log, interval_s)

    def _take(self, stored: Mapping[str, Key]) -> None:
        self._stored = {bytes.fromhex(key_hash): key for key_hash, key in stored.items()}
        self._index()

    def _index(self) -> None:
        by_hash = {**self._stored, **self._declared}
        at = now_us()
        by_id: dict[str, Key] = {}
        for key in sorted(by_hash.values(), key=lambda key: (usable(key, at), key.created_at)):
            by_id[key.key_id] = key
        self._by_hash, self._by_id = by_hash, by_id

    # -------------------------------------------------------------------------------------------- changing

    async def create(
        self,
        name: str,
        *,
        role: str = "app",
        tenant: str | None = None,
        environment: str | None = None,
        models: Sequence[str] = ("*",),
        tags: Mapping[str, str] | None = None,
        expires_at: int | None = None,
        endpoints: Sequence[str] = ALL,
        configs: Sequence[str] = ALL,
        networks: Sequence[str] = (),
        owner: str | None = None,
        actor: str = SYSTEM,
    ) -> tuple[str, Key]:
        """A new key: its secret, kept nowhere, and what is kept of it. With an `owner` it is that person's API token.

        Raises ControlError and StoreError.
        """
        await self.refresh()
        at = now_us()
        new = Key(
            key_id=uuid7(),
            name=name.strip(),
            role=role,
            tenant=tenant,
            environment=environment,
            models=tuple(models),
            tags=dict(tags or {}),
            created_at=at,
            expires_at=expires_at,
            endpoints=tuple(endpoints),
            configs=tuple(configs),
            networks=tuple(networks),
            owner=owner,
        )
        self._check(new, at)
        token, key = _new_secret(new)
        await self._put(self._digest(token), key, actor, "created")
        return token, key

    async def change(self, which: str, bounds: Bounds, *, actor: str = SYSTEM) -> Key:
        """What the key with this name or id may do from now on, with whichever of its secrets. One that a rotation
        lets run out does so no later. Raises ControlError and StoreError."""
        secrets_of = await self._find(which)
        newest = secrets_of[-1][1]
        changed = bounds.on(newest)
        self._check(changed, now_us())
        for digest, key in secrets_of:
            until = changed.expires_at if key is newest else earlier(key.expires_at, changed.expires_at)
            own = {"created_at": key.created_at, "hint": key.hint, "expires_at": until}
            after = msgspec.structs.replace(changed, **own)
            if after != key:
                await self._put(digest, after, actor, "changed", before=key)
        return changed

    async def revoke(self, which: str, *, actor: str = SYSTEM) -> Key:
        """Ends every secret of the key with this name or id. Raises ControlError and StoreError."""
        secrets_of = await self._find(which)
        at = now_us()
        for digest, key in secrets_of:
            await self._put(digest, msgspec.structs.replace(key, revoked_at=at), actor, "revoked", before=key)
        return self._by_hash[secrets_of[-1][0]]

    async def rotate(self, which: str, *, overlap_s: float = 86_400, actor: str = SYSTEM) -> tuple[str, Key]:
        """A new secret for the key with this name or id. The old one works for the overlap, then no more.

        The id stays, so limits and the log go on under it. Raises ControlError and StoreError.
        """
        if overlap_s < 0:
            raise ControlError("The overlap of the old and the new secret cannot be negative.")
        secrets_of = await self._find(which)
        at = now_us()
        token, key = _new_secret(msgspec.structs.replace(secrets_of[-1][1], created_at=at))
        await self._put(self._digest(token), key, actor, "rotated", before=secrets_of[-1][1])
        until = at + round(overlap_s * 1_000_000)
        for digest, old in secrets_of:
            if old.expires_at is None or old.expires_at > until:
                ending = msgspec.structs.replace(old, expires_at=until)
                await self._put(digest, ending, actor, "expires", before=old)
        return token, key

    async def ensure_first_key(self) -> str | None:
        """The secret of a new admin key if there is no key at all, to be shown once; else None."""
        await self.refresh()
        if self._by_hash:
            return None
        token, _ = await self.create(FIRST_KEY, role="admin")
        return token

    async def _put(self, digest: bytes, key: Key, actor: str, action: str, *, before: Key | None = None) -> None:
        await self._store.put_key(digest.hex(), key, audit=entry(actor, action, "key", key.key_id, before, key))
        self._stored[digest] = key
        self._index()

    def _check(self, key: Key, at: int) -> None:
        """Raises ControlError."""
        check_key(key, at)
        others = (each for each in self._by_hash.values() if each.key_id != key.key_id)
        if any(each.name == key.name and usable(each, at) for each in others):
            raise ControlError(
                f"There is a key named {key.name!r} already. Choose another name, or rotate or revoke it."
            )

    async def _find(self, which: str) -> list[tuple[bytes, Key]]:
        """The usable secrets of one key, oldest first."""
        await self.refresh()
        at = now_us()
        named = [(digest, key) for digest, key in self._by_hash.items() if which in (key.key_id, key.name)]
        found = sorted((pair for pair in named if usable(pair[1], at)), key=lambda pair: pair[1].created_at)
        if any(key.declared for _, key in found):
            raise ControlError(
                f"The key {which!r} is declared in the configuration: change it there; a running gateway reloads it."
            )
        if not found and named:
            raise ControlError(f"The key {which!r} is {key_state(named[-1][1], at)} already.")
        if not found:
            raise Missing(f"There is no key named {which!r}. `callgate keys list` shows them.")
        if len({key.key_id for _, key in found}) > 1:
            raise ControlError(f"There are several keys named {which!r}. Say which by its id.")
        return found


def declared_keys(settings: Settings) -> list[ApiKey]:
    """Those with names, and the secrets of environments."""
    of_environments = [
        ApiKey(name=each.label, key=each.key, tenant=each.tenant, environment=each.name)
        for each in settings.environments
    ]
    return [*settings.keys, *of_environments]


def _new_secret(key: Key) -> tuple[str, Key]:
    token = PREFIX + secrets.token_urlsafe(32)
    return token, msgspec.structs.replace(key, hint=token[-4:])


def _declared(given: ApiKey) -> Key:
    return Key(
        key_id=DECLARED_PREFIX + given.name,
        name=given.name,
        role=given.role,
        tenant=given.tenant,
        environment=given.environment,
        models=tuple(given.models),
        tags=given.tags,
        expires_at=None if given.expires_at is None else moment_us(given.expires_at),
        declared=True,
        hint=given.key[-4:],
        endpoints=tuple(given.endpoints),
        configs=tuple(given.configs),
        networks=tuple(given.networks),
    )
