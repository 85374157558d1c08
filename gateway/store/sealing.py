"""The keys that seal bodies, as the configuration or files have them."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from gateway.core.sealing import KEY_BYTES, Sealer
from gateway.errors import ConfigError
from gateway.settings.privacy import Encryption, SealingKey


def sealer_of(encryption: Encryption) -> Sealer:
    """Raises ConfigError for a key that is none."""
    return Sealer(sealing_keys(encryption))


def sealing_keys(encryption: Encryption) -> dict[str, bytes]:
    """By name, in their order. Raises ConfigError for one that is none."""
    keys: dict[str, bytes] = {}
    problems: list[str] = []
    for place, entry in enumerate(encryption.sealing_keys):
        try:
            keys[entry.id] = _key(entry)
        except (OSError, ValueError) as exc:
            problems.append(f"privacy.encryption.sealing_keys.{place}: the key {entry.id!r} cannot be used: {exc}")
    if problems:
        raise ConfigError("", problems)
    return keys


def _key(entry: SealingKey) -> bytes:
    if (entry.key is None) == (entry.file is None):
        raise ValueError("give either `key` or `file`")
    text = entry.key if entry.key is not None else Path(entry.file or "").read_text("ascii")
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"it must be {KEY_BYTES} bytes in base64; `callgate privacy key` makes one")
    return key
