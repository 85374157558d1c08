"""Bodies sealed with AES-256-GCM, so that who has the database alone cannot read or swap them.

A sealed text is `CGS1`, the length and name of its key, a nonce of 12 bytes, the ciphertext and its tag. What it is
bound to (the id of its call) is authenticated with it: moved to another row it does not open. Keys are rotated by
putting a new one first; the names say which one opens what.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from importlib import import_module
from typing import Any

MAGIC = b"CGS1"
KEY_BYTES = 32
NONCE_BYTES = 12


class SealedError(Exception):
    """It cannot be opened: `key_id` is not among the keys there are, or it is not the key, or the text was changed."""

    def __init__(self, key_id: str, reason: str) -> None:
        super().__init__(f"sealed with the key {key_id!r}: {reason}")
        self.key_id = key_id


class Sealer:
    """`keys` by name, the first one seals. Shows none of them."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        ciphers: Any = import_module("cryptography.hazmat.primitives.ciphers.aead")
        self._invalid: type[Exception] = import_module("cryptography.exceptions").InvalidTag
        self._ciphers: dict[str, Any] = {key_id: ciphers.AESGCM(key) for key_id, key in keys.items()}
        self.key_id = next(iter(keys))
        """Of the key that seals."""

    def __repr__(self) -> str:
        return f"Sealer({', '.join(self._ciphers)})"

    def seal(self, text: bytes, bound_to: str) -> bytes:
        name, nonce = self.key_id.encode(), secrets.token_bytes(NONCE_BYTES)
        sealed: bytes = self._ciphers[self.key_id].encrypt(nonce, text, bound_to.encode())
        return b"".join((MAGIC, bytes((len(name),)), name, nonce, sealed))

    def open(self, sealed: bytes, bound_to: str) -> bytes:
        """Raises SealedError."""
        key_id, at = key_of(sealed)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealedError(key_id, "there is no such key here")
        try:
            text: bytes = cipher.decrypt(sealed[at : at + NONCE_BYTES], sealed[at + NONCE_BYTES :], bound_to.encode())
        except self._invalid as exc:
            raise SealedError(key_id, "the key is another, or the text was changed") from exc
        return text


def is_sealed(text: bytes) -> bool:
    return text.startswith(MAGIC)


def key_of(sealed: bytes) -> tuple[str, int]:
    """(the name of the key, where the nonce begins)."""
    length = sealed[len(MAGIC)]
    at = len(MAGIC) + 1 + length
    return sealed[len(MAGIC) + 1 : at].decode("utf-8", "replace"), at
