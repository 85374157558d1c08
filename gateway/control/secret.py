"""The secret of an installation: 32 bytes in `DATA/secret`, made on first start, readable by its owner only.

Gateway keys are hashed with it and sessions are signed with keys derived from it. Whoever copies the store without it
cannot test guesses against the hashes; losing it makes every key made at run time and every session invalid.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from gateway.errors import CallgateError

FILE = "secret"
SIZE = 32


def load_secret(data: Path) -> bytes:
    """The secret of the data folder; made if there is none. Workers that start together agree on one.

    Raises CallgateError if the file is there and is not a secret.
    """
    path = data / FILE
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        secret = _make(path)
    if len(secret) != SIZE:
        raise CallgateError(
            f"{path} has {len(secret)} bytes and should have {SIZE}. Restore it from a backup, or move it away: "
            "a new one is then made, and keys made with the old one no longer work."
        )
    return secret


def derive(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose, so that what is signed for one cannot be used for another."""
    return hashlib.blake2b(purpose.encode(), key=secret, digest_size=32).digest()


def _make(path: Path) -> bytes:
    """Written beside and linked into place: nobody ever sees half a secret, and the first of several wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SIZE))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    return path.read_bytes()
