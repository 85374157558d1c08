"""Sockets of one machine, in `run/` of the data folder: only the owner of the folder can open them."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

FOLDER = "run"
LONGEST_PATH = 100
"""The kernel takes 108 bytes (Linux) or 104 (macOS) for the path of a socket."""


@contextlib.contextmanager
def address(folder: Path, name: str) -> Iterator[str]:
    """The path of a socket; one that is too long for the kernel by way of its folder's descriptor (Linux). Raises
    OSError."""
    path = folder / name
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield str(path)
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


def listener(folder: Path, name: str) -> socket.socket:
    """Listens, in place of what a process that was killed left there. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with address(folder, name) as path:
        Path(path).unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(path)
            Path(path).chmod(0o600)
            listening.listen()
        except OSError:
            listening.close()
            raise
    return listening
