"""One journal folder as the recorder follows it: frames in, ends of calls out, and which calls are still open."""

from __future__ import annotations

import msgspec

from gateway.core.span import CallClosed, CallOpened
from gateway.journal import CLOSE, OPEN, Frame
from gateway.journal.reader import FolderReader
from gateway.store.base import CarriedOpen, JournalPosition

_decode_opened = msgspec.msgpack.Decoder(CallOpened).decode
_decode_closed = msgspec.msgpack.Decoder(CallClosed).decode


class Pending(msgspec.Struct):
    """A call that was dispatched and is not over."""

    opened: CallOpened
    frame: bytes
    segment: int
    carried: bool = False
    """The store keeps its open frame: the segment it was read from may be gone."""


class Ended(msgspec.Struct, frozen=True):
    opened: CallOpened | None
    closed: CallClosed
    request: bytes
    response: bytes


class Joiner:
    """`stored` is the position the store has reached: closes before it are in the store, and are only read again (after
    a restart) to know which calls are still open."""

    def __init__(self, reader: FolderReader, stored: JournalPosition | None, carried: list[CarriedOpen]) -> None:
        self.reader = reader
        self.stored = (stored.segment, stored.offset) if stored is not None else (0, 0)
        self.pending: dict[str, Pending] = {}
        for each in carried:
            opened = _decode_opened(each.frame)
            self.pending[each.request_id] = Pending(opened, each.frame, 0, carried=True)
        self._no_longer_carried: list[str] = []

    def take(self, frame: Frame) -> Ended | None:
        """Raises msgspec.MsgspecError for a frame that another version of Callgate wrote in another shape."""
        if frame.kind == OPEN:
            opened = _decode_opened(frame.meta)
            if opened.request_id not in self.pending:
                self.pending[opened.request_id] = Pending(opened, frame.meta, frame.segment)
            return None
        assert frame.kind == CLOSE
        closed = _decode_closed(frame.meta)
        pending = self.pending.pop(closed.request_id, None)
        if pending is not None and pending.carried:
            self._no_longer_carried.append(closed.request_id)
        if (frame.segment, frame.end) <= self.stored:
            return None
        return Ended(pending.opened if pending is not None else None, closed, frame.request, frame.response)

    @property
    def position(self) -> tuple[int, int]:
        """Everything before it was read."""
        return self.reader.segment, self.reader.offset

    def to_carry(self) -> list[CarriedOpen]:
        """Open calls whose frames lie in segments that can be deleted once the position is stored."""
        return [
            CarriedOpen(self.reader.name, request_id, pending.frame)
            for request_id, pending in self.pending.items()
            if not pending.carried and pending.segment < self.reader.segment
        ]

    def take_carry_done(self) -> list[str]:
        done, self._no_longer_carried = self._no_longer_carried, []
        return done

    def abandon(self) -> list[CallOpened]:
        """The calls that will never be closed, because their writer is dead."""
        opened = [pending.opened for pending in self.pending.values()]
        self._no_longer_carried += [request_id for request_id, pending in self.pending.items() if pending.carried]
        self.pending.clear()
        return opened

    def was_stored(self, position: JournalPosition, carried: list[CarriedOpen]) -> None:
        """The batch that reached `position` is in the store: what lies before it can go."""
        self.stored = (position.segment, position.offset)
        for each in carried:
            if each.request_id in self.pending:
                self.pending[each.request_id].carried = True
        self.reader.note(position.segment, position.offset)
        self.reader.delete_before(position.segment)
