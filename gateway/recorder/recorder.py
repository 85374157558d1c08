"""The loop of the recorder: frames → rows → batches, each written together with the journal positions it reaches.

Whatever happens between two lines of it, nothing is lost and nothing is counted twice: a batch is in the store whole or
not at all, a row that is there already changes nothing, and a segment is deleted after its batch was stored.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from gateway.core.health import RecorderHealth
from gateway.errors import StoreError
from gateway.journal import Frame, JournalReader
from gateway.journal.reader import FolderReader
from gateway.recorder.deadletter import DeadLetter, DeadLetters
from gateway.recorder.health import write_health
from gateway.recorder.joiner import Joiner
from gateway.recorder.priority import Priority
from gateway.recorder.retention import Clearable, Retention
from gateway.recorder.scribe import Scribe
from gateway.settings import Log
from gateway.settings.privacy import Privacy
from gateway.store.base import Batch, CarriedOpen, JournalPosition, Rejected, SpanWrite, SpanWriter, Written

BACKLOG_ROWS = 1000
"""A batch takes no more rows than about this, however much waits."""
BATCH_BYTES = 16 * 1024 * 1024
READ_BYTES = 512 * 1024
PLACED_ROWS = 1000
"""Rows of an older version that are summed up at a time, while there is nothing else to do."""
POLL_S = 0.05
RETRY_S = (0.1, 5.0)
"""First and longest pause between two tries to write a batch."""
GIVE_UP_S = 60.0
"""A recorder whose gateway is gone ends after this time without its store: the journal waits for the next one."""
LINGER_S = 2.0
"""And it waits this long for workers that are about to die with their gateway."""

Result = TypeVar("Result")

log = logging.getLogger("callgate.recorder")


def now_us() -> int:
    return time.time_ns() // 1000


class Recorder:
    """`draining` is set when the gateway is gone: then `run` returns once everything is in the store."""

    def __init__(
        self,
        data: Path,
        settings: Log,
        store: SpanWriter,
        priority: Priority | None = None,
        *,
        restarts: int = 0,
        pid: int | None = None,
        privacy: Privacy | None = None,
        tenants: Clearable | None = None,
    ) -> None:
        self._data = data
        self._settings = settings
        self._store = store
        self._priority = priority
        """None for a recorder within another process."""
        self._tenants = tenants
        """The same store, where tenants have policies of their own."""
        self._journal = JournalReader(data / "journal")
        self._joiners: dict[str, Joiner] = {}
        privacy = privacy or Privacy()
        sealed = bool(privacy.encryption.sealing_keys)
        self._keeps_bodies_aside = not sealed
        shows_previews = privacy.encryption.previews or not sealed
        self._scribe = Scribe(settings, privacy.presidio, shows_previews=shows_previews)
        self._retention = Retention(settings, privacy.policies)
        self._has_to_place = True
        """Until the store says that all it has is summed up as this version does."""
        self._dead = DeadLetters(data)
        self._rows: list[SpanWrite] = []
        self._letters: list[DeadLetter] = []
        self._rows_bytes = 0
        self._oldest_us: int | None = None
        self._first_row_at = 0.0
        self._reported_at = (0.0, 0)
        self._draining_since: float | None = None
        self.draining = asyncio.Event()
        self.health = RecorderHealth(pid=pid, restarts=restarts)

    async def run(self) -> None:
        """Raises StoreError when the gateway is gone and the store stays away: the journal keeps everything."""
        positions = await self.patiently(self._store.positions)
        await self._book_vanished(positions)
        self.health.state = "running"
        while True:
            await self._follow_new_folders(positions)
            taken = self._read()
            behind = any(joiner.reader.has_more for joiner in self._joiners.values())
            if self._is_due(behind=behind):
                await self._flush()
            await self._remove_finished()
            if self.draining.is_set() and self._may_end():
                break
            await self._look_after_itself(idle=not taken)
            if not behind:
                await asyncio.sleep(POLL_S)
        await self._flush()
        self._journal.close()
        self.health.state = "stopped"
        self._report(force=True)

    def _may_end(self) -> bool:
        """Asked while draining: everything of dead writers is in the store. Those that live (workers about to die with
        their gateway, or those of the next gateway) are followed for a moment and then left to the next recorder."""
        if self._draining_since is None:  # the folders are looked for once more
            self._draining_since = time.monotonic()
            return False
        if not all(joiner.reader.writer_lives for joiner in self._joiners.values()):
            return False
        return not self._joiners or time.monotonic() - self._draining_since > LINGER_S

    # ------------------------------------------------------------------------------------------ reading

    async def _follow_new_folders(self, positions: dict[str, JournalPosition]) -> None:
        for folder in self._journal.find():
            carried = await self._carried(folder.name)
            self._joiners[folder.name] = Joiner(folder, positions.get(folder.name), carried)

    def _read(self) -> int:
        """Takes what is new in every folder, some of it where much waits; how many bytes that were."""
        taken = 0
        for joiner in self._joiners.values():
            frames, damage = joiner.reader.read(READ_BYTES)
            for each in damage:
                taken += each.end - each.start
                self._say(
                    f"journal {each.journal}/{each.segment}: bytes {each.start} to {each.end} lost: {each.reason}"
                )
            for frame in frames:
                taken += len(frame.meta) + len(frame.request) + len(frame.response)
                self._take(joiner, frame)
                os.sched_yield()  # see `priority`
        return taken

    def _take(self, joiner: Joiner, frame: Frame) -> None:
        try:
            ended = joiner.take(frame)
        except msgspec.MsgspecError as exc:
            self._letters.append(DeadLetter(now_us(), f"a frame that cannot be read: {exc}", frame=frame.meta))
            return
        if ended is not None:
            row = self._scribe.closed(ended.opened, ended.closed, ended.request, ended.response)
            self._add(row, len(ended.request) + len(ended.response), ended.closed.ended_at)

    def _add(self, row: SpanWrite, size: int, ended_at: int) -> None:
        if not self._rows:
            self._first_row_at = time.monotonic()
        self._rows.append(row)
        self._rows_bytes += size
        self._oldest_us = ended_at if self._oldest_us is None else min(self._oldest_us, ended_at)

    async def _remove_finished(self) -> None:
        """Books the calls that dead writers left open, and removes their folders."""
        finished = [joiner for joiner in self._joiners.values() if joiner.reader.finished]
        for joiner in finished:
            for opened in joiner.abandon():
                self._add(self._scribe.interrupted(opened), 0, opened.started_at)
                self.health.interrupted += 1
            await self._flush()
            del self._joiners[joiner.reader.name]
            self._journal.remove(joiner.reader)

    async def _book_vanished(self, positions: dict[str, JournalPosition]) -> None:
        """Open calls that the store carries for folders that are no longer there, because somebody deleted them."""
        root = self._journal.root
        there = {path.name for path in root.iterdir()} if root.is_dir() else set()
        for name, position in positions.items():
            carried = [] if name in there else await self._carried(name)
            if carried:
                reader = FolderReader(root / name, position.segment, position.offset)
                self._journal.folders[name] = reader
                self._joiners[name] = Joiner(reader, position, carried)

    async def _carried(self, journal: str) -> list[CarriedOpen]:
        return await self.patiently(lambda: self._store.carried(journal))

    # ------------------------------------------------------------------------------------------ writing

    def _is_due(self, *, behind: bool) -> bool:
        """By number or age; while more waits than can be read at once, in large batches."""
        if len(self._rows) >= BACKLOG_ROWS or self._rows_bytes >= BATCH_BYTES:
            return True
        if not self._rows:  # segments with nothing but opens can go, too
            return any(joiner.reader.segment > joiner.stored[0] > 0 for joiner in self._joiners.values())
        if time.monotonic() - self._first_row_at >= self._settings.flush_interval_ms / 1000:
            return True
        return not behind and (len(self._rows) >= self._settings.max_batch_size or self.draining.is_set())

    async def _flush(self) -> None:
        """Writes the rows and the positions that were reached; returns when the store has them."""
        if letters := self._letters:  # frames that could not be read
            await self.patiently(lambda: self._bury(letters))
            self._letters = []
        moved = [joiner for joiner in self._joiners.values() if joiner.position != joiner.stored]
        if not self._rows and not moved:
            return
        positions = {joiner.reader.name: JournalPosition(joiner.reader.name, *joiner.position) for joiner in moved}
        carry = {joiner.reader.name: joiner.to_carry() for joiner in moved}
        batch = Batch(
            spans=self._rows,
            positions=list(positions.values()),
            carry=[each for opens in carry.values() for each in opens],
            carry_done=[done for joiner in self._joiners.values() for done in joiner.take_carry_done()],
        )
        written = await self.patiently(lambda: self._write(batch))
        self.health.written += written.new
        self.health.duplicates += len(batch.spans) - written.new - len(written.rejected)
        self._rows, self._rows_bytes, self._oldest_us = [], 0, None
        for joiner in moved:
            joiner.was_stored(positions[joiner.reader.name], carry[joiner.reader.name])

    async def _write(self, batch: Batch) -> Written:
        """One transaction. An error the store did not foresee must not stop the log: then the row at fault is found
        by writing them one by one, and set aside."""
        try:
            return await self._store.write(batch, self._set_aside)
        except StoreError:
            raise
        except Exception as exc:
            self._say(f"the store failed unexpectedly, rows are tried one by one: {type(exc).__name__}: {exc}")
        total = Written(new=0)
        for row in batch.spans:
            try:
                one = await self._store.write(Batch(spans=[row]), self._set_aside)
                total.new += one.new
                total.rejected += one.rejected
            except StoreError:
                raise
            except Exception as exc:
                total.rejected.append(Rejected(row, f"{type(exc).__name__}: {exc}"))
                await self._set_aside(total.rejected[-1:])
        await self._store.write(Batch(positions=batch.positions, carry=batch.carry, carry_done=batch.carry_done))
        return total

    async def _set_aside(self, rejected: list[Rejected]) -> None:
        """Rows that the store will never take are safe in the file before the journal lets go of them."""
        rows = [each.span for each in rejected]
        if not self._keeps_bodies_aside:  # the file is in the clear
            rows = [msgspec.structs.replace(row, payload=None) for row in rows]
        await self._bury([DeadLetter(now_us(), each.error, row=row) for each, row in zip(rejected, rows, strict=True)])

    async def _bury(self, letters: list[DeadLetter]) -> None:
        """Raises OSError."""
        await asyncio.to_thread(self._dead.add, letters)
        self.health.dead_letters += len(letters)
        self._say(f"{len(letters)} rows could not be stored, they are in {self._dead.path.name}: {letters[0].error}")

    async def patiently(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Tries until it works. Meanwhile the journal grows, and nothing is lost."""
        pause, longest = RETRY_S
        began = time.monotonic()
        while True:
            try:
                result = await attempt()
            except (StoreError, OSError) as exc:
                self.health.state = "store_down"
                self._say(str(exc))
                self._report(force=True)
                if self.draining.is_set() and time.monotonic() - began > GIVE_UP_S:
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)
            else:
                self.health.state = "draining" if self.draining.is_set() else "running"
                return result

    # ------------------------------------------------------------------------------------------ looking after itself

    async def _look_after_itself(self, *, idle: bool) -> None:
        idle = idle and not self._rows
        try:
            if self.draining.is_set():
                self.health.state = "draining"
            elif self._retention.is_due(idle=idle):
                await self._retention.step(self._store, self._tenants)
            elif idle and self._has_to_place:
                self._has_to_place = bool(await self._store.place(PLACED_ROWS))
        except StoreError as exc:
            self._say(str(exc))
        self._report()

    def _say(self, problem: str) -> None:
        if problem != self.health.last_error:
            log.error("%s", problem)
        self.health.last_error = problem

    def _report(self, *, force: bool = False) -> None:
        at, written = self._reported_at
        elapsed = time.monotonic() - at
        if elapsed < 1.0 and not force:
            return
        self._reported_at = (time.monotonic(), self.health.written)
        self.health.rows_per_s = round((self.health.written - written) / elapsed, 1) if at else 0.0
        self.health.updated_at = now_us()
        self.health.lag_us = max(0, now_us() - self._oldest_us) if self._oldest_us is not None else 0
        if self._priority is not None:
            self._priority.follow(self.health.lag_us)
        self.health.backlog_bytes = sum(joiner.reader.backlog(*joiner.stored) for joiner in self._joiners.values())
        write_health(self._data, self.health)
