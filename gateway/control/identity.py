"""Who there is, put together: keys, people, tenants, environments and sessions over one store."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.control.directory import Directory
from gateway.control.environments import Environments
from gateway.control.keys import Keyring, declared_keys
from gateway.control.last_used import LastUsed
from gateway.control.oidc import SingleSignOnFlow
from gateway.control.people import People
from gateway.control.sessions import Sessions
from gateway.control.tenants import Tenants
from gateway.settings import Settings
from gateway.store.base import Store


class Identity:
    def __init__(self, settings: Settings, secret: bytes, store: Store, folder: Path) -> None:
        """`folder` is the data folder."""
        self.keyring = Keyring(secret, store, declared_keys(settings))
        self.directory = Directory(store, settings.tenants, settings.users, settings.environments)
        self.keyring.suspended = self.directory.suspended
        self.people = People(self.directory, self.keyring)
        self.tenants = Tenants(self.directory, self.keyring)
        self.environments = Environments(self.directory, self.keyring)
        self.last_used = LastUsed(store, self.keyring)
        self.sessions = Sessions(
            self.keyring,
            self.people,
            secret,
            folder,
            settings=settings.sign_in,
            proxies=settings.server.trusted_proxies,
        )
        self.single_sign_on = SingleSignOnFlow(self.sessions, self.people, secret)

    def declare(self, settings: Settings) -> None:
        """Takes over what a reloaded configuration says."""
        self.keyring.declare(declared_keys(settings))
        self.directory.declare(settings.tenants, settings.users, settings.environments)
        self.sessions.settings = settings.sign_in
        self.sessions.proxies = tuple(settings.server.trusted_proxies)

    async def refresh(self) -> None:
        """Raises StoreError."""
        await self.keyring.refresh()
        await self.directory.refresh()

    async def follow(self) -> None:
        """Keeps all of it up to date until cancelled."""
        await asyncio.gather(self.keyring.follow(), self.directory.follow(), self.last_used.follow())
