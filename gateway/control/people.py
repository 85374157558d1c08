"""People: made, changed, disabled; their passwords and API tokens."""

from __future__ import annotations

import msgspec

from gateway.control.belongings import discard
from gateway.control.directory import Directory, User
from gateway.control.keys import Keyring, now_us, usable
from gateway.control.passwords import Passwords, check
from gateway.control.records import Records
from gateway.core.ids import uuid7
from gateway.core.key import Key
from gateway.errors import ControlError, Missing

PERSON_ROLES = ("admin", "member", "viewer")
"""`admin` does everything, `member` reads and makes keys for applications, `viewer` reads; with a tenant each within
that tenant."""
UNSET = "\0"
"""For a tenant that is to stay as it is, where None takes it away."""


class People:
    def __init__(self, directory: Directory, keyring: Keyring, passwords: Passwords | None = None) -> None:
        self.directory = directory
        self.passwords = passwords or Passwords()
        self._keyring = keyring
        self._records = Records(directory.store, "user", User, listed_by="callgate users list")

    def get(self, which: str) -> User:
        """By id or address. Raises Missing."""
        user = self.directory.users.get(which) or self.directory.user_by_email(which)
        if user is None:
            raise self._records.missing(which)
        return user

    async def create(
        self,
        email: str,
        *,
        role: str = "viewer",
        name: str = "",
        tenant: str | None = None,
        password: str | None = None,
        subject: str | None = None,
        by_rule: bool = False,
        actor: str,
    ) -> User:
        await self.directory.refresh()
        email = email.strip().lower()
        local, at, domain = email.partition("@")
        if not (local and at and domain) or len(email) > 254 or not email.isprintable() or " " in email:
            raise ControlError(f"{email!r} is no e-mail address.")
        _check_role(role)
        if self.directory.user_by_email(email) is not None:
            raise ControlError(f"There is somebody with the address {email} already.")
        if password is not None:
            check(password, email)
        user = User(
            user_id=uuid7(),
            email=email,
            name=name.strip() or local,
            role=role,
            tenant=tenant or None,
            password=None if password is None else await self.passwords.hash(password),
            subject=subject,
            by_rule=by_rule,
            created_at=now_us(),
        )
        await self._records.make(user.user_id, user, actor)
        await self.directory.refresh()
        return user

    async def change(
        self,
        which: str,
        *,
        name: str | None = None,
        role: str | None = None,
        tenant: str | None = UNSET,
        disabled: bool | None = None,
        actor: str,
    ) -> User:
        """None (of `tenant`: `UNSET`) leaves it as it is. Raises Missing, and ControlError for the last admin."""
        user = await self._changeable(which)
        if role is not None:
            _check_role(role)
        demoted = (role not in (None, "admin")) or disabled is True or tenant not in (UNSET, None, "")
        if demoted:
            self._not_the_last_admin(user)

        def changed(was: User) -> User:
            disabled_at = was.disabled_at if disabled is None else (was.disabled_at or now_us()) if disabled else None
            return msgspec.structs.replace(
                was,
                name=was.name if name is None else name.strip() or was.name,
                role=role or was.role,
                tenant=was.tenant if tenant == UNSET else tenant or None,
                disabled_at=disabled_at,
            )

        after = await self._records.change(user.user_id, changed, actor)
        await self.directory.refresh()
        return after

    async def set_password(self, which: str, password: str, *, actor: str) -> User:
        """Ends the sessions there are: whoever knew the old one is out. Raises ControlError for a weak one."""
        await self.directory.refresh()
        user = self.get(which)
        check(password, user.email)
        hashed = await self.passwords.hash(password)
        return await self._own(user, {"password": hashed, "sessions_from": now_us()}, actor, "password_set")

    async def end_sessions(self, which: str, *, actor: str) -> User:
        return await self._own(self.get(which), {"sessions_from": now_us()}, actor, "signed_out_everywhere")

    async def link(self, user: User, subject: str, *, actor: str) -> User:
        """Remembers who they are at their provider."""
        return await self._own(user, {"subject": subject}, actor, "linked")

    async def delete(self, which: str, *, actor: str) -> User:
        """With what is theirs: tokens, sessions, conversations, views that nobody shares."""
        user = await self._changeable(which)
        self._not_the_last_admin(user)
        for token in self.tokens(user):
            await self._keyring.revoke(token.key_id, actor=actor)
        await discard(self.directory.store, user.user_id)
        await self._records.delete(user.user_id, actor)
        await self.directory.refresh()
        return user

    # -------------------------------------------------------------------------------------------- API tokens

    def tokens(self, user: User) -> list[Key]:
        at, everything = now_us(), self._keyring.keys()
        return [key for key in everything if key.owner == user.user_id and usable(key, at)]

    async def revoke_token(self, user: User, key_id: str, *, actor: str) -> Key:
        """Raises Missing for one that is not theirs, or has ended."""
        if not any(token.key_id == key_id for token in self.tokens(user)):
            raise Missing(f"There is no API token {key_id[:100]!r} of theirs (any more).")
        return await self._keyring.revoke(key_id, actor=actor)

    async def create_token(
        self, user: User, name: str, *, expires_at: int | None = None, actor: str
    ) -> tuple[str, Key]:
        """For the JSON API, in the person's name and with what they may do when it is used; it calls no models."""
        return await self._keyring.create(
            f"{user.email}: {name.strip()}" if name.strip() else "",
            role="viewer",
            tenant=user.tenant,
            models=(),
            endpoints=(),
            expires_at=expires_at,
            owner=user.user_id,
            actor=actor,
        )

    # -------------------------------------------------------------------------------------------- checks

    async def _own(self, user: User, fields: dict[str, object], actor: str, action: str) -> User:
        """A change that declared people can make too: theirs is kept under the id of their address."""
        if user.declared and await self.directory.store.document("user", user.user_id) is None:
            await self._records.make(user.user_id, user, actor)
        after = await self._records.change(
            user.user_id, lambda was: msgspec.structs.replace(was, **fields), actor, action
        )
        await self.directory.refresh()
        return after

    async def _changeable(self, which: str) -> User:
        await self.directory.refresh()
        user = self.get(which)
        if user.declared:
            raise ControlError(
                f"{user.email} is declared in the configuration: change it there; a running gateway reloads it."
            )
        return user

    def _not_the_last_admin(self, user: User) -> None:
        """With nobody left who may, only the terminal of the machine could let anybody in again."""
        if user.role != "admin" or user.disabled_at is not None or user.tenant is not None:
            return
        others = (each for each in self.directory.users.values() if each.user_id != user.user_id)
        if not any(each.role == "admin" and each.disabled_at is None and each.tenant is None for each in others):
            raise ControlError(f"{user.email} is the last admin. Make somebody else one first.")


def _check_role(role: str) -> None:
    if role not in PERSON_ROLES:
        raise ControlError(f"{role!r} is no role of people; it is one of {', '.join(PERSON_ROLES)}.")
