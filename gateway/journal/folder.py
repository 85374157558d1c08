"""A journal folder: how a writer takes one, gets it back when it was deleted, and sees how much lies in it."""

from __future__ import annotations

import os
import struct
from itertools import count
from pathlib import Path

from gateway.journal.segment import LOCK, RECORDED, lock_exclusively, segment_name, segment_numbers

HINT = struct.Struct("<QQ")


def claim_folder(wanted: Path) -> tuple[Path, int]:
    """A new folder, and the descriptor of its lock. It gets its name when it is locked, so that a reader never sees
    one whose writer seems dead. Raises OSError."""
    wanted.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = wanted.parent / f".{wanted.name}.{os.getpid()}"
    draft.mkdir(mode=0o700, exist_ok=True)
    lock = lock_exclusively(draft / LOCK)
    for number in count(2):
        folder = wanted if number == 2 else wanted.with_name(f"{wanted.name}-{number - 1}")
        if folder.exists() and any(folder.iterdir()):
            continue
        try:
            draft.rename(folder)
        except FileExistsError:
            continue
        except OSError:
            os.close(lock)
            raise
        return folder, lock
    raise AssertionError("count() does not end")


def restore_folder(folder: Path, lock: int) -> int:
    """Makes a deleted folder (or its deleted lock) again; the descriptor that holds the lock now. Raises OSError.

    The old descriptor stays locked until the new one is: a reader that still has it open sees a living writer.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / LOCK
    if path.exists() and path.stat().st_ino == os.fstat(lock).st_ino:
        return lock
    draft = folder / f".{LOCK}"
    fresh = lock_exclusively(draft)
    draft.rename(path)
    os.close(lock)
    return fresh


def backlog_bytes(folder: Path, current: int, position: int) -> int:
    """What is in the folder and not yet in the store, by the recorder's last hint."""
    segment, offset = recorded_up_to(folder)
    waiting = 0
    for number in segment_numbers(folder):
        if number < segment:
            continue
        size = position if number == current else size_of(folder / segment_name(number))
        waiting += max(0, size - offset) if number == segment else size
    return waiting


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def recorded_up_to(folder: Path) -> tuple[int, int]:
    """(segment, offset) of the recorder's hint; (0, 0) without one."""
    try:
        hint = (folder / RECORDED).read_bytes()
    except OSError:
        return 0, 0
    if len(hint) != HINT.size:
        return 0, 0
    segment, offset = HINT.unpack(hint)
    return segment, offset


def note_recorded(folder: Path, segment: int, offset: int) -> None:
    """Leaves the hint. A folder that is gone, or a full disk, is no reason to stop: the store has the truth."""
    try:
        fd = os.open(folder / RECORDED, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(fd, HINT.pack(segment, offset), 0)
        finally:
            os.close(fd)
    except OSError:
        return
