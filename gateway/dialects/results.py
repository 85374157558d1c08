"""Results that are fetched as a file, an answer on each line: read while they pass, for they may be too long to keep.

What is fetched was paid when it was made, by a batch that no gateway saw. The file's or the batch's id is the bill, so
fetching it again costs nothing.
"""

from __future__ import annotations

import re

from gateway.dialects.base import NOTHING, Answer, Context, Dialect, error_message
from gateway.dialects.tally import Tally

MOST_LINE = 32 * 1024 * 1024
"""A file with a longer line is not metered: nobody would know what is missing."""
_BEGINNING = 4096
"""Where a file shows that it holds results."""


class LineResults(Dialect):
    """A GET of such a file. Any other file has no such lines, and no usage."""

    kind = "file"
    is_long = True
    mark = b'"custom_id"'
    """What a file of results has on its first line."""
    bill_in = re.compile(rb"/([^/]+)$")
    """The bill's id in the path."""

    def read_line(self, line: bytes, tally: Tally) -> None:
        """Adds what the answer on a line used. Raises nothing, whatever the line."""
        raise NotImplementedError

    def meter(self) -> LineMeter:
        return LineMeter(self)

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        if b"\n\n" in data.rstrip():
            return Answer()  # a file that was not kept whole: no other has empty lines
        meter = self.meter()
        meter.feed(data)
        return meter.settle(context)

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        answer = self.settle(data, streaming, context)
        if answer.usage is not None:
            answer.kind = "batch"
        return answer


class LineMeter:
    """See `base.Meter`."""

    def __init__(self, dialect: LineResults) -> None:
        self._dialect = dialect
        self._tally: Tally | None = Tally()
        """None once it is clear that this is no file of results, or none that can be read."""
        self._is_known = False
        self._pieces: list[bytes] = []
        """Of the line that is under way."""
        self._length = 0

    def feed(self, data: bytes) -> None:
        if self._tally is None:
            return
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = b"".join([*self._pieces, lines[0]])
            self._pieces, self._length = [], 0
            for line in lines:
                self._line(line)
        self._pieces.append(rest)
        self._length += len(rest)
        if self._length > _BEGINNING and not self._is_known:
            self._recognise(b"".join(self._pieces))
        if self._length > MOST_LINE:
            self._give_up()

    def settle(self, context: Context) -> Answer:
        if self._tally is not None:
            self._line(b"".join(self._pieces))
        self._pieces = []
        bill = self._dialect.bill_in.search(context.path)
        return self._tally.answer(bill[1].decode("latin-1") if bill else None) if self._tally is not None else Answer()

    def _line(self, line: bytes) -> None:
        if not self._is_known:
            self._recognise(line)
        if self._tally is not None:
            self._dialect.read_line(line, self._tally)

    def _recognise(self, beginning: bytes) -> None:
        self._is_known = True
        if self._dialect.mark not in beginning[:_BEGINNING]:
            self._give_up()

    def _give_up(self) -> None:
        self._tally = None
        self._pieces = []
