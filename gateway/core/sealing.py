"""Bodies sealed with AES-256-GCM, so that who has the database alone cannot read or swap them.

A sealed text is `CGS1`, the length and name of its key, a nonce of 12 bytes, the ciphertext and its tag. What it is
bound to (the id of its call) is authenticated with it: moved to another row it does not open. Keys are rotated by
putting a new one first; the names say which one opens what.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
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
    """`keys` by name, the first one seals; without any nothing is sealed. Shows none of them."""

    def __init__(self, keys: Mapping[str, bytes] = MappingProxyType({})) -> None:
        self.use(keys)

    def use(self, keys: Mapping[str, bytes]) -> None:
        """Takes other keys, all at once; any thread may be sealing or opening."""
        ciphers: dict[str, Any] = {}
        if keys:
            aead: Any = import_module("cryptography.hazmat.primitives.ciphers.aead")
            ciphers = {key_id: aead.AESGCM(key) for key_id, key in keys.items()}
        self._ciphers = ciphers

    @property
    def key_id(self) -> str | None:
        """Of the key that seals."""
        return next(iter(self._ciphers), None)

    def __repr__(self) -> str:
        return f"Sealer({', '.join(self._ciphers)})"

    def seal(self, text: bytes, bound_to: str) -> bytes:
        """As it is where there is no key."""
        ciphers = self._ciphers
        if not ciphers:
            return text
        key_id, cipher = next(iter(ciphers.items()))
        name, nonce = key_id.encode(), secrets.token_bytes(NONCE_BYTES)
        sealed: bytes = cipher.encrypt(nonce, text, bound_to.encode())
        return b"".join((MAGIC, bytes((len(name),)), name, nonce, sealed))

    def open(self, sealed: bytes, bound_to: str) -> bytes:
        """What is not sealed as it is. Raises SealedError."""
        if not is_sealed(sealed):
            return sealed
        key_id, at = key_of(sealed)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealedError(key_id, "there is no such key here")
        try:
            text: bytes = cipher.decrypt(sealed[at : at + NONCE_BYTES], sealed[at + NONCE_BYTES :], bound_to.encode())
        except import_module("cryptography.exceptions").InvalidTag as exc:
            raise SealedError(key_id, "the key is another, or the text was changed") from exc
        return text


def is_sealed(text: bytes) -> bool:
    return text.startswith(MAGIC)


def key_of(sealed: bytes) -> tuple[str, int]:
    """(the name of the key, where the nonce begins)."""
    length = sealed[len(MAGIC)]
    at = len(MAGIC) + 1 + length
    return sealed[len(MAGIC) + 1 : at].decode("utf-8", "replace"), at
