"""The journal: what the gateway knows about its calls, on local disk before the client hears the end of them.

Nouns: every worker process writes one *folder* under `DATA/journal`; a folder holds *segments*, files of a fixed size
that are allocated before they are needed; a segment holds *frames*, `open` when a call is dispatched and `close` when
it is over. `JournalWriter` appends them on the event loop, `JournalReader` tails all folders in the recorder's process.
What survives what is in docs/durability.md.
"""

from gateway.journal.frame import CLOSE, OPEN, Frame
from gateway.journal.reader import Damage, JournalReader
from gateway.journal.writer import JournalWriter

__all__ = ["CLOSE", "OPEN", "Damage", "Frame", "JournalReader", "JournalWriter"]
