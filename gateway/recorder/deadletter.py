"""Rows the store refused for good, kept with the reason: `DATA/deadletter.jsonl`, one JSON object a line."""

from __future__ import annotations

import fcntl
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from gateway.errors import StoreError
from gateway.store.base import Batch, SpanWrite, SpanWriter

FILE = "deadletter.jsonl"
LOCK = "deadletter.lock"


class DeadLetter(msgspec.Struct):
    """A row as it should have been stored (redacted), or a journal frame that could not be read."""

    at: int
    """µs UTC."""
    error: str
    row: SpanWrite | None = None
    frame: bytes | None = None
    """msgpack, base64 in the file."""


_decode = msgspec.json.Decoder(DeadLetter).decode


class DeadLetters:
    def __init__(self, data: Path) -> None:
        self.path = data / FILE
        self._lock_path = data / LOCK

    def add(self, letters: Iterable[DeadLetter]) -> None:
        """Appends, on disk when it returns. Raises OSError."""
        lines = b"".join(_line(letter) for letter in letters)
        with self._locked():
            fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(lines)
                file.flush()
                os.fsync(fd)

    def read(self) -> list[DeadLetter]:
        """Everything in the file, oldest first. Raises StoreError for a line that is none of ours."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        letters = []
        for number, line in enumerate(lines, 1):
            try:
                letters.append(_decode(line))
            except msgspec.DecodeError as exc:
                raise StoreError(f"{self.path.name}:{number}: not a dead letter ({exc}); remove the line") from exc
        return letters

    def newest(self, limit: int) -> tuple[list[DeadLetter], int]:
        """The last ones, newest first, and how many there are; in little memory whatever there is. A line that is
        none of ours counts and is not listed."""
        last: deque[bytes] = deque(maxlen=limit)
        number = 0
        try:
            with self.path.open("rb") as file:
                for line in file:
                    last.append(line)
                    number += 1
        except FileNotFoundError:
            return [], 0
        letters = []
        for line in reversed(last):
            with suppress(msgspec.DecodeError):
                letters.append(_decode(line))
        return letters, number

    async def retry(self, store: SpanWriter) -> tuple[int, int]:
        """Writes every row again; (how many are in the store now, how many stay). Raises StoreError.

        The file is not locked while the store writes: the recorder takes the lock within a transaction of its own, so
        each would wait for the other. What it adds meanwhile stays.
        """
        rows = [letter.row for letter in self.read() if letter.row is not None]
        written = await store.write(Batch(spans=rows))
        refused = {rejected.span.span.request_id: rejected.error for rejected in written.rejected}
        stored = {row.span.request_id for row in rows} - set(refused)
        with self._locked():
            letters = self.read()
            stay = [letter for letter in letters if letter.row is None or letter.row.span.request_id not in stored]
            for letter in stay:
                if letter.row is not None:
                    letter.error = refused.get(letter.row.span.request_id, letter.error)
            self._replace(stay)
        return len(letters) - len(stay), len(stay)

    def discard(self, is_wanted_gone: Callable[[DeadLetter], bool]) -> int:
        """Takes letters out of the file; how many. Raises StoreError for a line that is none of ours."""
        with self._locked():
            letters = self.read()
            stay = [letter for letter in letters if not is_wanted_gone(letter)]
            if len(stay) < len(letters):
                self._replace(stay)
        return len(letters) - len(stay)

    def _replace(self, letters: list[DeadLetter]) -> None:
        if not letters:
            self.path.unlink(missing_ok=True)
            return
        draft = self.path.with_suffix(".tmp")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.writelines(_line(letter) for letter in letters)
            file.flush()
            os.fsync(fd)
        draft.replace(self.path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The recorder appends while a command retries: one at a time."""
        fd = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _line(letter: DeadLetter) -> bytes:
    return msgspec.json.encode(letter) + b"\n"
