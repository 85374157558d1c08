"""The dated past of the price file: what a model cost until when.

`prices-history.jsonl` in the data folder is only ever appended to. A `source` line says which file was taken over
when; a `was` line keeps an entry that was replaced, with the time until which it held.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

HISTORY_FILE = "prices-history.jsonl"
PRICES_FILE = "prices.json"
"""The price file in force, in the data folder, exactly as it was published."""

_NOT_LISTED = msgspec.Raw(b"null")


class Source(msgspec.Struct, tag="source", tag_field="kind", frozen=True):
    at_us: int
    source: str
    """An address, a file's name, or `litellm 1.106.2` for the file that came with the package."""
    sha256: str
    models: int
    litellm: str | None = None
    """The version that was installed then; a later one brings a newer file."""


class Was(msgspec.Struct, tag="was", tag_field="kind", frozen=True):
    """Until `until_us`, `key` had this entry; `null`: it was not listed."""

    key: str
    until_us: int
    entry: msgspec.Raw = _NOT_LISTED

    @property
    def listed(self) -> bool:
        return self.entry != _NOT_LISTED


class History(msgspec.Struct, frozen=True):
    sources: tuple[Source, ...] = ()
    """Oldest first."""
    past: dict[str, tuple[Was, ...]] = {}
    """By key, oldest first."""


Record = Source | Was

_record = msgspec.json.Decoder(Record)


def read_history(folder: Path) -> History:
    """A last line that a crash cut short is left out; any other damage raises ValueError with the line's number."""
    path = folder / HISTORY_FILE
    if not path.exists():
        return History()
    sources: list[Source] = []
    past: dict[str, list[Was]] = {}
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            record = _record.decode(line)
        except msgspec.DecodeError as exc:
            if number == len(lines):
                break
            raise ValueError(f"{path}:{number}: {exc}; restore the line or remove it") from exc
        if isinstance(record, Source):
            sources.append(record)
        else:
            past.setdefault(record.key, []).append(record)
    return History(tuple(sources), {key: tuple(was) for key, was in past.items()})


def append_history(folder: Path, records: Sequence[Record]) -> None:
    """Adds the records and waits until they are on disk."""
    path = folder / HISTORY_FILE
    _end_last_line(path)
    with path.open("ab") as file:
        file.write(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
        file.flush()
        os.fsync(file.fileno())


def _end_last_line(path: Path) -> None:
    """Drops what a crash left of a line, so that the next one starts on its own."""
    if not path.exists():
        return
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)


def iso_date(at_us: int) -> str:
    return _moment(at_us).date().isoformat()


def iso_time(at_us: int) -> str:
    return _moment(at_us).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _moment(at_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
