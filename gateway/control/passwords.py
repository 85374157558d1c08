"""Passwords: argon2id, with the parameters OWASP gives for a server that must stay small (19 MiB, 2 passes, 1 lane).

The library is loaded with the first password, and works in a thread: a hash takes some 30 ms, in which calls go on.
One at a time: many at once would be memory and processor that calls need.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from gateway.errors import ControlError

LEAST = 12
MOST = 256
PARAMETERS = {"time_cost": 2, "memory_cost": 19_456, "parallelism": 1}
_WEAK = frozenset({"password", "passwort", "callgate", "administrator", "letmein", "qwertyuiop"})


def check(password: str, email: str) -> None:
    """Raises ControlError for what would be guessed, or is too long to be one."""
    if not LEAST <= len(password) <= MOST:
        raise ControlError(f"A password has {LEAST} to {MOST} characters; a few words are easy to remember.")
    plain = password.lower()
    if len(set(plain)) < 5 or plain == email.lower() or any(plain.strip("0123456789!.-_ ") == word for word in _WEAK):
        raise ControlError("This password is among the first to be guessed. Choose another.")


class Passwords:
    def __init__(self) -> None:
        self._one = asyncio.Semaphore(1)
        self._dummy: str | None = None

    async def hash(self, password: str) -> str:
        async with self._one:
            return await asyncio.to_thread(_hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Takes as long for nobody's password (`stored` None) as for somebody's, so that time tells no addresses."""
        if len(password) > MOST:
            return False
        async with self._one:
            if stored is None:
                if self._dummy is None:
                    self._dummy = await asyncio.to_thread(_hash, "nobody's password")
                await asyncio.to_thread(_verify, self._dummy, password)
                return False
            return await asyncio.to_thread(_verify, stored, password)


def _argon2() -> Any:
    return importlib.import_module("argon2")


def _hash(password: str) -> str:
    return str(_argon2().PasswordHasher(**PARAMETERS).hash(password))


def _verify(stored: str, password: str) -> bool:
    argon2 = _argon2()
    try:
        return bool(argon2.PasswordHasher(**PARAMETERS).verify(stored, password))
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
