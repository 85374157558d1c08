"""The link that is printed at start: a token that signs in whoever started the gateway, once, for fifteen minutes, in
whichever worker it reaches."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from gateway.control.keys import now_us

MAX_AGE_S = 15 * 60


class OneTimeTokens:
    """Each is a file named by its keyed hash, which the first to use it deletes. `folder` is shared by the workers."""

    def __init__(self, folder: Path, digest: Callable[[str], str]) -> None:
        self._folder = folder / "sign-in"
        self._digest = digest

    def make(self) -> str:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        at = now_us()
        for old in self._folder.iterdir():
            if old.stat().st_mtime_ns // 1000 + MAX_AGE_S * 1_000_000 < at:
                old.unlink(missing_ok=True)
        token = secrets.token_urlsafe(32)
        path = self._folder / self._digest(token)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(str(at + MAX_AGE_S * 1_000_000))
        return token

    def take(self, token: str) -> bool:
        """Whether it may still be used, which it then may no more."""
        path = self._folder / self._digest(token)
        try:
            valid_until = int(path.read_text())
            path.unlink()  # of two that come at once, one finds nothing to unlink
        except (FileNotFoundError, ValueError):
            return False
        return now_us() < valid_until
