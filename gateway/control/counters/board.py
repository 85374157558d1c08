"""Counters that the workers of one machine share, in a mapped file of the data folder: no server, no lock on the way
of a call. What they count survives `kill -9` and restarts, for the kernel keeps the pages of a file.

    counters/board        a header, a directory of records, then an area for each worker (`core.limits.region`)
    counters/mutex        held while somebody opens the board or claims a record: rare, and the kernel releases it
    counters/area-N       held by the worker that owns the area, as long as it lives

A record is found by the hash of its name. The file has holes where nothing was written: it takes what is used.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gateway.core.limits import purse, repeats, window
from gateway.core.limits.region import Region

MAGIC = 0x43_41_4C_4C_47_41_54_45
VERSION = 2
RECORDS = 65_536
SPARE = 256
"""Records kept for those that many values share, should the board ever be full."""
REPEATS_AT = RECORDS * 64
"""Where an area's records end and its table of repeated bodies begins. Enough for all records where most keep one
series."""
AREA_WORDS = REPEATS_AT + repeats.WORDS
EARLY_US = 5_000_000
"""A call that began longer before its record was there (its body took that long) does not move the record's begin."""
STALE_US = 120_000_000
"""A window that nobody has written for so long is empty: not taken over when the board is made anew."""

_MAGIC, _VERSION, _AREAS, _COUNT, _NEXT, _HEADER_WORDS = 0, 1, 2, 3, 4, 8
_HASH, _AT, _KIND, _CREATED, _PERIOD, _LEVELS, _NAME, _ENTRY_WORDS = 0, 2, 3, 4, 5, 6, 8, 24
"""Words of a directory entry; the hash takes two. KIND is how many series a window has, 0 for a purse; NAME is there
for people and may be cut."""
NAME_BYTES = (_ENTRY_WORDS - _NAME) * 8
_AREAS_BEGIN = _HEADER_WORDS + RECORDS * _ENTRY_WORDS

log = logging.getLogger("callgate.limits")


class Record(NamedTuple):
    """`at` is its place within an area, `created_us` when it was first claimed, `entry` its place in the directory."""

    at: int
    created_us: int
    entry: int
    kind: int
    name: str


class Board:
    """Opened by each worker once. `close` keeps what was counted."""

    def __init__(self, folder: Path | None, areas: int, preferred: int, now_us: int) -> None:
        """`areas` is how many workers there are; `preferred` is this one's number. Without a folder it is of this
        process alone and gone with it. Raises OSError where the file cannot be had, or where all areas are taken."""
        self._records: dict[tuple[int, int], Record] = {}
        self._seen = 0
        self._held: list[int] = []
        self._mutex: int | None = None
        if folder is None:
            self._map = mmap.mmap(-1, (_AREAS_BEGIN + AREA_WORDS) * 8)
            self.region = Region(memoryview(self._map), (_AREAS_BEGIN,), _AREAS_BEGIN)
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._mutex = os.open(folder / "mutex", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._held.append(self._mutex)
        try:
            with self._locked():
                path = folder / "board"
                alone = _alone(folder)
                if alone:
                    _make_fit(path, areas, now_us)
                self._map = _mapped(path)
                words = memoryview(self._map).cast("q")
                number = self._take_area(folder, words[_AREAS], preferred)
                bases = tuple(_AREAS_BEGIN + each * AREA_WORDS for each in range(words[_AREAS]))
                words.release()
                self.region = Region(memoryview(self._map), bases, bases[number])
                self._adopt(now_us)
        except BaseException:
            for descriptor in self._held:
                os.close(descriptor)
            raise

    def claim(self, name: str, kind: int, now_us: int, *, spare: bool = False) -> Record | None:
        """The record of that name, the same for all workers, made where there is none. `kind` is how many series a
        window has, 0 for a purse. None where the board is full but for the SPARE records that `spare` may have."""
        digest = _digest(name, kind)
        found = self._records.get(digest)
        if found is not None:
            return found
        with self._locked():
            self._read_directory()
            return self._records.get(digest) or self._append(digest, name, kind, now_us, spare)

    def records(self) -> list[Record]:
        """All there are, of all workers."""
        with self._locked():
            self._read_directory()
        return list(self._records.values())

    def created_us(self, record: Record) -> int:
        """When it was first claimed, or the first call that it counts began."""
        return self.region.words[record.entry + _CREATED]

    def counts_from(self, record: Record, at_us: int) -> None:
        """It counts a call that began before it was claimed: in a crowd, the first to ask need not be the first to
        come. The log is asked for what was before both, so that no call counts twice."""
        words, at = self.region.words, record.entry + _CREATED
        with self._locked():
            if words[at] - EARLY_US <= at_us < words[at]:
                words[at] = at_us

    def first_to(self, record: Record, period: int, level: int) -> bool:
        """Whether nobody has been here before: true once for each level of a period, over all workers."""
        words, entry = self.region.words, record.entry
        with self._locked():
            if words[entry + _PERIOD] != period:
                words[entry + _PERIOD], words[entry + _LEVELS] = period, 0
            if words[entry + _LEVELS] >> level & 1:
                return False
            words[entry + _LEVELS] |= 1 << level
            return True

    def close(self) -> None:
        self.region.close()
        with contextlib.suppress(BufferError):
            self._map.close()
        for descriptor in self._held:
            os.close(descriptor)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if self._mutex is None:
            yield
            return
        fcntl.flock(self._mutex, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._mutex, fcntl.LOCK_UN)

    def _take_area(self, folder: Path, areas: int, preferred: int) -> int:
        """The preferred one where it is free: it holds what this worker's forerunner left behind."""
        for number in sorted(range(areas), key=lambda each: (each != preferred, each)):
            descriptor = _lock_file(folder / f"area-{number}")
            if descriptor is not None:
                self._held.append(descriptor)
                return number
        raise OSError(f"all {areas} areas of {folder} are taken: another gateway uses the same data folder")

    def _read_directory(self) -> None:
        words = self.region.words
        while self._seen < words[_COUNT]:
            entry = _HEADER_WORDS + self._seen * _ENTRY_WORDS
            digest = (words[entry + _HASH], words[entry + _HASH + 1])
            name = words[entry + _NAME : entry + _ENTRY_WORDS].tobytes().rstrip(b"\0").decode("utf-8", "ignore")
            self._records[digest] = Record(
                words[entry + _AT], words[entry + _CREATED], entry, words[entry + _KIND], name
            )
            self._seen += 1

    def _append(self, digest: tuple[int, int], name: str, kind: int, now_us: int, spare: bool) -> Record | None:
        words = self.region.words
        at, size = words[_NEXT], _size(kind)
        kept_free = 0 if spare else SPARE
        if self._seen + kept_free >= RECORDS or at + size + kept_free * window.words_of(3) > REPEATS_AT:
            return None
        entry = _HEADER_WORDS + self._seen * _ENTRY_WORDS
        words[entry + _HASH], words[entry + _HASH + 1] = digest
        words[entry + _AT], words[entry + _KIND], words[entry + _CREATED] = at, kind, now_us
        written = memoryview(name.encode()[:NAME_BYTES].ljust(NAME_BYTES, b"\0")).cast("q")
        words[entry + _NAME : entry + _ENTRY_WORDS] = written
        words[_NEXT] = at + size
        words[_COUNT] = self._seen + 1  # last: until now it was not there
        self._read_directory()
        return self._records[digest]

    def _adopt(self, now_us: int) -> None:
        """What a forerunner that was killed had under way is over."""
        self._read_directory()
        words, own = self.region.words, self.region.own
        for record in self._records.values():
            if words[record.entry + _KIND]:
                words[own + record.at + window.IN_FLIGHT] = 0
            else:
                purse.orphan(words, own + record.at, now_us)


def _digest(name: str, kind: int) -> tuple[int, int]:
    digest = hashlib.blake2b(f"{kind} {name}".encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little", signed=True), int.from_bytes(digest[8:], "little", signed=True)


def _size(kind: int) -> int:
    return window.words_of(kind) if kind else purse.WORDS


def _lock_file(path: Path) -> int | None:
    """Its descriptor, locked; None where another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _alone(folder: Path) -> bool:
    """Whether no worker lives that has an area. Asked with the mutex held."""
    for path in folder.glob("area-*"):
        descriptor = _lock_file(path)
        if descriptor is None:
            return False
        os.close(descriptor)
    return True


def _mapped(path: Path) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return mmap.mmap(descriptor, 0)
    finally:
        os.close(descriptor)


def _make_fit(path: Path, areas: int, now_us: int) -> None:
    """A board with so many areas: the one that is there, or a new one with what still counts of the old."""
    old = _readable(path)
    if old is not None and old[_AREAS] == areas and old[_COUNT] < RECORDS // 2 and old[_NEXT] < REPEATS_AT // 2:
        old.release()
        return
    fresh = path.with_name("board.new")
    with fresh.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.truncate((_AREAS_BEGIN + areas * AREA_WORDS) * 8)
    new = memoryview(_mapped(fresh)).cast("q")
    new[_VERSION], new[_AREAS] = VERSION, areas
    if old is not None:
        _carry_over(old, new, now_us)
        old.release()
    new[_MAGIC] = MAGIC
    new.release()
    fresh.replace(path)


def _readable(path: Path) -> memoryview | None:
    """The board as words; None where there is none of this version."""
    if not path.exists() or path.stat().st_size < (_AREAS_BEGIN + AREA_WORDS) * 8:
        return None
    words = memoryview(_mapped(path)).cast("q")
    whole = len(words) == _AREAS_BEGIN + words[_AREAS] * AREA_WORDS
    if words[_MAGIC] != MAGIC or words[_VERSION] != VERSION or not whole:
        log.warning("limits: %s is of another version or damaged, and is made anew from the log", path)
        return None
    return words


def _carry_over(old: memoryview, new: memoryview, now_us: int) -> None:
    """Every record that still counts, all areas' sums in the first one."""
    bases = [_AREAS_BEGIN + area * AREA_WORDS for area in range(old[_AREAS])]
    for number in range(old[_COUNT]):
        entry = _HEADER_WORDS + number * _ENTRY_WORDS
        at, kind = old[entry + _AT], old[entry + _KIND]
        records = [base + at for base in bases]
        newest = max(old[record] for record in records)  # the second of a window, the period of a purse
        if kind and newest * 1_000_000 < now_us - STALE_US:
            continue
        target, to = _AREAS_BEGIN + new[_NEXT], _HEADER_WORDS + new[_COUNT] * _ENTRY_WORDS
        for word in range(_ENTRY_WORDS):
            new[to + word] = old[entry + word]
        new[to + _AT] = new[_NEXT]
        if kind:
            window.merge(old, records, new, target, kind)
        else:
            purse.merge(old, records, new, target)
        new[_NEXT] += _size(kind)
        new[_COUNT] += 1
