"""Tailing the journal folders, from the recorder's process.

A folder is read in order. At the end of what is written the reader waits while the writer lives; when the writer is
dead, what is torn there is skipped. Damage before the end (a flipped bit, a hole after a power cut) is reported, and
reading goes on at the next frame that carries the segment's mark and a right checksum.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from gateway.journal.folder import note_recorded, size_of
from gateway.journal.frame import (
    FRAME_HEADER_BYTES,
    MARK_OFFSET,
    SEGMENT_HEADER_BYTES,
    Frame,
    FrameError,
    read_frame,
    segment_mark,
)
from gateway.journal.segment import LOCK, is_locked, segment_name, segment_numbers

READ_BYTES = 4 * 1024 * 1024
ZEROS = bytes(FRAME_HEADER_BYTES)


class Damage(msgspec.Struct, frozen=True):
    """Bytes of a segment that are no frames, and whose calls are lost: disk damage, or a power cut."""

    journal: str
    segment: int
    start: int
    end: int
    reason: str


class FolderReader:
    """One folder. `segment` and `offset` say where the next frame is looked for."""

    def __init__(self, path: Path, segment: int = 0, offset: int = 0) -> None:
        self.path = path
        self.name = path.name
        self.segment = segment
        self.offset = offset
        self.writer_lives = True
        """As of the last `read`."""
        self.finished = False
        """The writer is dead and everything it wrote was read."""
        self.has_more = False
        """The last `read` ended because it had enough, not because there was nothing more."""
        self._fd: int | None = None
        self._mark: int | None = None
        self._lock: int | None = None
        self._suspect: tuple[int, int] | None = None

    def read(self, max_bytes: int = READ_BYTES) -> tuple[list[Frame], list[Damage]]:
        """The next frames, about `max_bytes` of them; both lists empty when there is nothing new."""
        frames: list[Frame] = []
        damage: list[Damage] = []
        while not frames and not damage and not self.finished:
            # Looked up before the file is read: what a dead writer wrote is all there then.
            alive = self.writer_lives = self._is_locked()
            numbers = [number for number in segment_numbers(self.path) if number >= self.segment]
            if not numbers:
                self.finished = not alive
                break
            if numbers[0] != self.segment:
                self._go_to(numbers[0])
            is_last = len(numbers) == 1
            if self._read_segment(max_bytes, frames, damage, last=is_last, alive=alive):
                if is_last:
                    self.finished = not alive
                    break
                if not frames and not damage:
                    self._go_to(numbers[1])
        return frames, damage

    def _read_segment(
        self, max_bytes: int, frames: list[Frame], damage: list[Damage], *, last: bool, alive: bool
    ) -> bool:
        """Reads on in the current segment; True when nothing is left in it for now."""
        self.has_more = False
        fd = self._open_segment(damage, last=last, alive=alive)
        if fd is None:
            return True
        data = os.pread(fd, max_bytes, self.offset)
        base = self.offset
        at = 0
        while True:
            try:
                frame = self._frame(data, at, base)
            except FrameError as exc:
                break_reason = str(exc)
                break
            if frame is None:
                break_reason = ""
                break
            frames.append(frame)
            at = frame.end - base
        self.offset = base + at
        self.has_more = not last or (not break_reason and len(data) == max_bytes)
        if frames:
            self._suspect = None
            return False
        if not break_reason and len(data) == max_bytes:  # a frame larger than what was read
            return self._read_segment(max_bytes * 4, frames, damage, last=last, alive=alive)
        return self._at_the_end(fd, data, break_reason or "cut off", damage, last=last, alive=alive)

    def _frame(self, data: bytes, at: int, base: int) -> Frame | None:
        assert self._mark is not None
        return read_frame(data, at, self._mark, self.name, self.segment, base)

    def _at_the_end(self, fd: int, data: bytes, reason: str, damage: list[Damage], *, last: bool, alive: bool) -> bool:
        """No frame at the current offset: nothing written yet, a frame half written, or damage.

        A writer that lives may be in the middle of a write, so its last frame is only called damaged when another
        one follows, and when it still looked the same the second time.
        """
        if last and alive and data.startswith(ZEROS):
            return True
        here = (self.segment, self.offset)
        if last and alive and self._suspect != here:
            self._suspect = here
            return True
        rest = os.pread(fd, max(0, os.fstat(fd).st_size - self.offset), self.offset)
        following = self._next_frame(rest)
        if following is not None:
            damage.append(Damage(self.name, *here, self.offset + following, reason))
            self.offset += following
            self._suspect = None
            return False
        if not last and rest.strip(b"\0"):
            damage.append(Damage(self.name, *here, self.offset + len(rest), f"{reason}: the rest of it is skipped"))
            self.offset += len(rest)
        return True

    def _next_frame(self, data: bytes) -> int | None:
        """Where in `data` the next whole frame begins, found by the segment's mark."""
        assert self._mark is not None
        mark = self._mark.to_bytes(4, "little")
        found = data.find(mark, MARK_OFFSET + 1)
        while found >= 0:
            try:
                if self._frame(data, found - MARK_OFFSET, 0) is not None:
                    return found - MARK_OFFSET
            except FrameError:
                pass
            found = data.find(mark, found + 1)
        return None

    def _open_segment(self, damage: list[Damage], *, last: bool, alive: bool) -> int | None:
        path = self.path / segment_name(self.segment)
        if self._fd is not None and not _was_replaced(path, self._fd):
            return self._fd
        self._close_segment()
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            self._mark = segment_mark(os.pread(fd, SEGMENT_HEADER_BYTES, 0))
        except FrameError as exc:
            os.close(fd)
            if not (last and alive) and self.offset < SEGMENT_HEADER_BYTES:
                size = size_of(path)
                damage.append(Damage(self.name, self.segment, 0, size, f"{exc}: the whole segment is skipped"))
                self.offset = max(size, SEGMENT_HEADER_BYTES)
            return None
        self._fd = fd
        self.offset = max(self.offset, SEGMENT_HEADER_BYTES)
        return fd

    def _go_to(self, segment: int) -> None:
        self._close_segment()
        self.segment = segment
        self.offset = 0

    def _close_segment(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _is_locked(self) -> bool:
        """By the lock seen first, or the one there now: the writer of a deleted folder may still hold the former."""
        if self._lock is not None and is_locked(self._lock):
            return True
        try:
            fd = os.open(self.path / LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        if self._lock is not None:
            os.close(self._lock)
        self._lock = fd
        return is_locked(fd)

    def delete_before(self, segment: int) -> None:
        """Deletes the segments that are done, oldest first. A failure leaves them for the next time."""
        for number in segment_numbers(self.path):
            if number >= segment:
                return
            try:
                (self.path / segment_name(number)).unlink()
            except FileNotFoundError:
                continue
            except OSError:
                return

    def note(self, segment: int, offset: int) -> None:
        note_recorded(self.path, segment, offset)

    def backlog(self, segment: int, offset: int) -> int:
        """Bytes of frames after a position. A live segment's unused rest counts only where it was read, and its header
        never: a worker that was started and has had no call yet leaves nothing to wait for."""
        waiting = 0
        for number in segment_numbers(self.path):
            if number < segment:
                continue
            end = self.offset if number == self.segment else size_of(self.path / segment_name(number))
            waiting += max(0, end - max(offset if number == segment else 0, SEGMENT_HEADER_BYTES))
        return waiting

    def close(self) -> None:
        self._close_segment()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self) -> None:
        """The folder of a dead writer, once everything in it is in the store."""
        self.close()
        shutil.rmtree(self.path, ignore_errors=True)


def _was_replaced(path: Path, fd: int) -> bool:
    """Whether another file has the name now: a writer whose file was deleted made it again, byte by byte."""
    try:
        return path.stat().st_ino != os.fstat(fd).st_ino
    except OSError:
        return False


class JournalReader:
    """All folders under `DATA/journal`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders: dict[str, FolderReader] = {}

    def find(self) -> list[FolderReader]:
        """Folders that were not there the last time; they are in `folders` from now on."""
        try:
            names = sorted(entry.name for entry in os.scandir(self.root) if entry.is_dir())
        except FileNotFoundError:
            return []
        new = [FolderReader(self.root / name) for name in names if name not in self.folders and name[0] != "."]
        self.folders.update((folder.name, folder) for folder in new)
        return new

    def remove(self, folder: FolderReader) -> None:
        del self.folders[folder.name]
        folder.remove()

    def close(self) -> None:
        for folder in self.folders.values():
            folder.close()
