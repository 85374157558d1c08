"""Segment files: names, allocation, and the lock that tells whether a folder's writer lives."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from gateway.journal.frame import SEGMENT_HEADER_BYTES, segment_header

LOCK = "lock"
SPARE = "spare"
RECORDED = "recorded"
"""16 bytes, segment and offset (u64, little-endian): how far the recorder has come. Only a hint for the backlog."""
SUFFIX = ".seg"


class Segment:
    """A segment file open for writing, its whole size allocated, so that a frame within it cannot meet a full disk."""

    def __init__(self, path: Path, number: int, size: int) -> None:
        """Raises OSError (ENOSPC, EFBIG, EACCES, …), and leaves no file behind then."""
        self.path = path
        self.number = number
        self.size = size
        self.mark = int.from_bytes(os.urandom(4), "little") | 1
        self.position = SEGMENT_HEADER_BYTES
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            allocate(self.fd, size)
            os.pwrite(self.fd, segment_header(number, self.mark), 0)
        except OSError:
            self.discard()
            raise

    def grow(self, size: int) -> None:
        """Raises OSError, and is as large as before then."""
        allocate(self.fd, size)
        self.size = size

    def commit(self, folder: Path) -> None:
        """Gives a spare its name: from now on the reader sees it."""
        target = folder / segment_name(self.number)
        self.path.rename(target)
        self.path = target

    def seal(self) -> None:
        """Nothing more will be written: gives back what was allocated and not used."""
        os.ftruncate(self.fd, self.position)
        os.close(self.fd)

    def discard(self) -> None:
        os.close(self.fd)
        self.path.unlink(missing_ok=True)

    def is_linked(self) -> bool:
        """Whether the file is still where the reader looks for it."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return found.st_ino == os.fstat(self.fd).st_ino


def allocate(fd: int, size: int) -> None:
    """Reserves `size` bytes of disk for a file. Raises OSError where they are not there."""
    if sys.platform == "darwin":
        os.pwrite(fd, bytes(size), 0)
    else:
        os.posix_fallocate(fd, 0, size)


def segment_name(number: int) -> str:
    return f"{number:010d}{SUFFIX}"


def segment_numbers(folder: Path) -> list[int]:
    """The numbers of the segments in a folder, in order; empty where it is gone."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return []
    return sorted(int(name[: -len(SUFFIX)]) for name in names if name.endswith(SUFFIX) and name[0].isdigit())


def lock_exclusively(path: Path) -> int:
    """The descriptor of a lock file, held until it is closed or the process ends. Raises OSError where it is taken."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def is_locked(fd: int) -> bool:
    """Whether another process (or descriptor) holds the lock of this open lock file."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False
