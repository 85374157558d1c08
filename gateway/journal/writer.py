"""The side of the journal that runs in the gateway's event loop: one positioned write a frame, nothing else.

A frame costs an encode, a checksum and a `pwritev` into a segment whose disk space was allocated before: see
docs/decisions/0020. Room is kept so that a call that was let in can always be closed: while a spare segment lies
ready, anything may be written; without one (the disk is full) the rest of the segment belongs to the closes of the
calls in flight, new calls are refused, and bodies are dropped first.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import msgspec

from gateway.core.health import JournalHealth
from gateway.core.span import CallClosed, CallOpened
from gateway.errors import JournalError
from gateway.journal.folder import backlog_bytes, claim_folder, restore_folder
from gateway.journal.frame import CLOSE, FRAME_HEADER_BYTES, OPEN, SEGMENT_HEADER_BYTES, frame_header, whole_frame
from gateway.journal.segment import SPARE, Segment

SEGMENT_BYTES = 32 * 1024 * 1024
SMALLEST_SEGMENT_BYTES = 64 * 1024
CLOSE_RESERVE_BYTES = 4096
"""What a close without bodies, headers and timing fits into."""
CHECK_EVERY_S = 0.25
"""How often the writer looks whether its file is still there and how large the journal has grown."""
OLDEST_S = 60.0
"""After so long the next segment is begun, full or not: what is recorded can be deleted, and no prompt lies on the disk
for longer than it has to."""
SMALL_FRAME_BYTES = 64 * 1024
"""Up to here a frame is put together in memory; the bodies of larger ones go to the kernel as they are."""
MANY_PIECES = 8
"""From here on joining the pieces of a body is cheaper than passing each to the kernel."""


class JournalWriter:
    """One worker's journal. Not thread-safe: it belongs to the event loop.

    `folder` is where it lies but for a random ending of the name (see `claim_folder`): `self.folder` says all of it.
    Raises JournalError where it cannot be made.
    """

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES, max_bytes: int) -> None:
        self._segment_bytes = max(min(segment_bytes, max_bytes // 4), SMALLEST_SEGMENT_BYTES)
        self._max_bytes = max_bytes
        self._encode = msgspec.msgpack.Encoder().encode
        self._in_flight = 0
        self._opened = self._closed = self._bodies_dropped = 0
        self._backlog = 0
        self._dropping = False
        self._refusing = False
        self._gone = False
        """The folder was deleted and cannot be made again: what is written goes to a file that nobody sees."""
        self._trouble: str | None = None
        self._spare: Segment | None = None
        self._checked_at = self._began_at = monotonic()
        try:
            self.folder, self._lock = claim_folder(folder)
            self._segment = self._allocate(1, self._segment_bytes)
            self._segment.commit(self.folder)
        except OSError as exc:
            raise JournalError(f"the journal cannot be made in {folder}: {_reason(exc)}") from exc
        self._prepare_spare()

    # ------------------------------------------------------------------------------------------ the hot path

    def open(self, opened: CallOpened) -> None:
        """Raises JournalError when the call must not be dispatched: its close might not fit."""
        meta = self._encode(opened)
        size = FRAME_HEADER_BYTES + len(meta)
        self._refusing = not (self._may_write(size, self._in_flight + 1) and self._may_close(self._in_flight + 1))
        if self._refusing:
            raise JournalError(f"the journal takes no new calls: {self._trouble}")
        self._write(whole_frame(self._segment.mark, OPEN, meta, (), ()))
        self._in_flight += 1
        self._opened += 1

    def close(self, closed: CallClosed, request: Sequence[bytes], response: Sequence[bytes]) -> None:
        """Writes the end of a call that was opened, with its bodies where there is room for them."""
        if self._in_flight:
            self._in_flight -= 1
        self._closed += 1
        meta = self._encode(closed)
        if len(request) > MANY_PIECES:
            request = (b"".join(request),)
        if len(response) > MANY_PIECES:
            response = (b"".join(response),)
        size = FRAME_HEADER_BYTES + len(meta)
        for piece in request:
            size += len(piece)
        for piece in response:
            size += len(piece)
        if self._dropping or not self._may_write(size, self._in_flight):
            self._close_without_bodies(closed, bool(request or response))
        elif size <= SMALL_FRAME_BYTES:
            self._write(whole_frame(self._segment.mark, CLOSE, meta, request, response))
        else:
            header = frame_header(self._segment.mark, CLOSE, meta, request, response)
            self._write_pieces([header, meta, *request, *response], size)

    def opened_and_closed(
        self, opened: CallOpened, closed: CallClosed, request: Sequence[bytes], response: Sequence[bytes]
    ) -> None:
        """For a call that was answered without being dispatched."""
        self.open(opened)
        self.close(closed, request, response)

    def _may_write(self, size: int, in_flight: int) -> bool:
        """Whether a frame may be written now and the closes of `in_flight` calls would still fit; moves to the next
        segment where that makes it so."""
        if monotonic() - self._checked_at > CHECK_EVERY_S:
            self._check()
        segment = self._segment
        if self._spare is not None:
            if segment.position + size <= segment.size:
                return True
            self._rotate(size)
            segment = self._segment
        reserve = 0 if self._spare is not None else in_flight * CLOSE_RESERVE_BYTES
        return segment.position + size + reserve <= segment.size

    def _may_close(self, in_flight: int) -> bool:
        """Whether the spare segment, where there is one, is large enough for the closes of `in_flight` calls."""
        spare = self._spare
        needed = SEGMENT_HEADER_BYTES + in_flight * CLOSE_RESERVE_BYTES
        if spare is not None and spare.size < needed:
            try:
                spare.grow(2 * needed)
                self._trouble = None
            except OSError as exc:
                self._trouble = _reason(exc)
                return False
        return not self._gone

    def _write(self, frame: bytes) -> None:
        segment = self._segment
        size = len(frame)
        try:
            written = os.pwrite(segment.fd, frame, segment.position)
            if written != size:
                self._write_rest(segment, frame, written)
        except OSError as exc:
            self._trouble = _reason(exc)
            raise JournalError(f"the journal cannot be written: {self._trouble}") from exc
        segment.position += size

    def _write_pieces(self, parts: list[bytes], size: int) -> None:
        """A large frame, without copying its bodies together."""
        segment = self._segment
        try:
            written = os.pwritev(segment.fd, parts, segment.position)
            if written != size:
                self._write_rest(segment, b"".join(parts), written)
        except OSError as exc:
            self._trouble = _reason(exc)
            raise JournalError(f"the journal cannot be written: {self._trouble}") from exc
        segment.position += size

    @staticmethod
    def _write_rest(segment: Segment, frame: bytes, written: int) -> None:
        rest = memoryview(frame)
        while written < len(frame):
            written += os.pwrite(segment.fd, rest[written:], segment.position + written)

    def _close_without_bodies(self, closed: CallClosed, had_bodies: bool) -> None:
        self._bodies_dropped += had_bodies
        meta = self._encode(closed)
        if self._spare is None and len(meta) + FRAME_HEADER_BYTES > CLOSE_RESERVE_BYTES:
            meta = self._encode(_the_bill(closed))
        size = FRAME_HEADER_BYTES + len(meta)
        self._may_write(size, 0)  # for the move to the next segment, where there is one
        if self._segment.position + size > self._segment.size:
            raise JournalError(f"the journal has no room for the end of call {closed.request_id}: {self._trouble}")
        self._write(whole_frame(self._segment.mark, CLOSE, meta, (), ()))

    # ------------------------------------------------------------------------------------------ segments

    def _allocate(self, number: int, size: int) -> Segment:
        return Segment(self.folder / SPARE, number, size)

    def _prepare_spare(self, size: int = 0) -> None:
        """Has a spare segment of at least `size` bytes ready, or says in `_trouble` why not."""
        if self._spare is not None:
            self._spare.discard()
            self._spare = None
        wanted = max(self._segment_bytes, size, 2 * (self._in_flight + 1) * CLOSE_RESERVE_BYTES)
        try:
            self._spare = self._allocate(self._segment.number + 1, wanted)
            self._trouble = None
        except OSError as exc:
            self._trouble = _reason(exc)

    def _rotate(self, size: int) -> None:
        """Goes on in the spare segment, and has the next one allocated."""
        needed = size + SEGMENT_HEADER_BYTES
        if self._spare is not None and self._spare.size < needed:
            self._prepare_spare(needed)
        if not self._commit_spare():
            self._prepare_spare(needed)  # it was deleted by hand; with the whole folder gone, the next check mends it
            if not self._commit_spare():
                return
        assert self._spare is not None
        full, self._segment, self._spare = self._segment, self._spare, None
        self._began_at = monotonic()
        full.seal()
        self._prepare_spare()

    def _commit_spare(self) -> bool:
        """Whether the spare has its name now; without one, or where it cannot be had, there is none any more."""
        if self._spare is None:
            return False
        try:
            self._spare.commit(self.folder)
        except OSError as exc:
            self._trouble = _reason(exc)
            self._spare.discard()
            self._spare = None
            return False
        return True

    # ------------------------------------------------------------------------------------------ looking after it

    def _check(self) -> None:
        self._checked_at = monotonic()
        self._gone = not self._segment.is_linked() and not self._restore()
        if self._gone:
            return
        if self._spare is None:
            self._prepare_spare()
        elif self._segment.position > SEGMENT_HEADER_BYTES and self._checked_at - self._began_at > OLDEST_S:
            self._rotate(0)
        self._backlog = backlog_bytes(self.folder, self._segment.number, self._segment.position)
        self._dropping = self._backlog > self._max_bytes

    def _restore(self) -> bool:
        """The folder or the file was deleted: puts both back under the same names, with every byte of the segment."""
        try:
            self._lock = restore_folder(self.folder, self._lock)
            if self._spare is not None:
                self._spare.discard()
                self._spare = None
            copy = self._allocate(self._segment.number, self._segment.size)
        except OSError as exc:
            self._trouble = f"its folder is gone and cannot be made again ({_reason(exc)})"
            return False
        lost = self._segment
        try:
            for at in range(0, lost.position, SEGMENT_BYTES):
                os.pwrite(copy.fd, os.pread(lost.fd, min(SEGMENT_BYTES, lost.position - at), at), at)
            copy.commit(self.folder)
        except OSError as exc:
            self._trouble = _reason(exc)
            copy.discard()
            return False
        copy.mark, copy.position = lost.mark, lost.position
        self._segment = copy
        os.close(lost.fd)
        self._prepare_spare()
        return True

    def look_after(self) -> None:
        """To be called now and then, also when nothing is written."""
        if monotonic() - self._checked_at > CHECK_EVERY_S:
            self._check()

    def health(self) -> JournalHealth:
        self._check()
        if self._refusing:
            self._refusing = not (self._may_write(0, self._in_flight + 1) and self._may_close(self._in_flight + 1))
        return JournalHealth(
            state="refusing" if self._refusing else "dropping_bodies" if self._dropping else "ok",
            detail=self._trouble
            or (f"over {self._max_bytes >> 20} MB, bodies are dropped" if self._dropping else None),
            backlog_bytes=self._backlog,
            opened=self._opened,
            closed=self._closed,
            bodies_dropped=self._bodies_dropped,
        )

    def finish(self) -> None:
        """The end of the writer's life: gives the lock back, so that the recorder may book and remove the folder."""
        if self._spare is not None:
            self._spare.discard()
            self._spare = None
        self._segment.seal()
        os.close(self._lock)


def _the_bill(closed: CallClosed) -> CallClosed:
    """What must be kept of a call when there is hardly any room: less than CLOSE_RESERVE_BYTES."""
    cut = {name: value[:200] for name in closed.__struct_fields__ if isinstance(value := getattr(closed, name), str)}
    return msgspec.structs.replace(
        closed,
        **cut,
        attempts=[],
        request_headers=[],
        response_headers=[],
        timing=None,
        usage_raw=closed.usage_raw if closed.usage_raw is not None and len(closed.usage_raw) <= 1024 else None,
    )


def _reason(exc: OSError) -> str:
    return exc.strerror or type(exc).__name__
