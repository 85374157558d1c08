"""A journal folder: how a writer takes one, gets it back when it was deleted, and sees how much lies in it."""

from __future__ import annotations

import os
import secrets
import struct
from pathlib import Path

from gateway.journal.segment import LOCK, RECORDED, lock_exclusively, segment_name, segment_numbers

HINT = struct.Struct("<QQ")


def claim_folder(wanted: Path) -> tuple[Path, int]:
    """A new folder, and the descriptor of its lock. Raises OSError.

    A random part makes its name unique for ever: the store remembers by name how far a journal was read, and process
    ids come again (in a container after every restart). It gets the name when it is locked, so that a reader never
    sees a folder whose writer seems dead.
    """
    wanted.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = wanted.with_name(f"{wanted.name}-{secrets.token_hex(6)}")
    draft = folder.with_name(f".{folder.name}")
    draft.mkdir(mode=0o700)
    lock = lock_exclusively(draft / LOCK)
    try:
        draft.rename(folder)
    except OSError:
        os.close(lock)
        raise
    return folder, lock


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
