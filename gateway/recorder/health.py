"""`DATA/recorder.json`: how the recorder is, for the processes of the gateway."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from gateway.core.health import RecorderHealth

FILE = "recorder.json"
STALE_US = 30_000_000
"""A living recorder reports every second, or every ten while its store is down; after this time it hangs or is gone."""

_decode = msgspec.json.Decoder(RecorderHealth).decode


def write_health(data: Path, health: RecorderHealth) -> None:
    """A full disk or a missing folder is no reason to stop: the report is only late."""
    draft = data / f".{FILE}"
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.encode(health))
        draft.replace(data / FILE)
    except OSError:
        return


def read_health(data: Path) -> RecorderHealth:
    """The last report; `starting` before the first. A recorder that has not reported for a while is `stopped`, and
    `last_error` says since when."""
    try:
        health = _decode((data / FILE).read_bytes())
    except (OSError, msgspec.DecodeError):
        return RecorderHealth()
    silent_us = time.time_ns() // 1000 - health.updated_at
    if health.state != "stopped" and silent_us > STALE_US:
        health.state = "stopped"
        health.last_error = f"no report for {silent_us // 1_000_000} s"
    return health
