"""Taking over a newer price file: checked before it replaces anything, and nothing it replaces is forgotten.

The order on disk makes a crash harmless: first the old entries are appended to the history, then the new file takes
the old one's place in one step. A crash between the two leaves history lines that say what still holds.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import msgspec

from pricing.edition import Entries, installed_litellm, packaged_file, packaged_is_newer, parse, prices_path
from pricing.entry import Entry, card_of, decode
from pricing.history import Record, Source, Was, append_history, read_history
from pricing.offpeak import off_peak

FEWEST_MODELS = 1000
"""A file with fewer models is not the price list, whatever it is."""
MOST_USD_PER_TOKEN = 1
"""A rate above this is per thousand or per million tokens, written in the wrong field."""
_PROBLEMS_SHOWN = 10


class Change(msgspec.Struct, frozen=True):
    """A field of an entry that is not what it was. None: not stated."""

    key: str
    field: str
    old: object
    new: object


class Changes(msgspec.Struct, frozen=True):
    added: list[str]
    changed: list[Change]
    removed: list[str]

    @property
    def any(self) -> bool:
        return bool(self.added or self.changed or self.removed)


class Refresh(msgspec.Struct, frozen=True):
    """A checked price file and what it would change. Nothing is written yet."""

    data: bytes
    source: str
    models: int
    changes: Changes
    records: list[Record]


def prepare(folder: Path, data: bytes, source: str, at_us: int) -> Refresh:
    """Checks a price file against the one in force in `folder` (the packaged one where there is none).

    Raises ValueError with what is wrong with it, a line each.
    """
    new = check(data)
    old = _in_force(folder)
    if len(new) * 2 < len(old):
        raise ValueError(f"it lists {len(new)} models, less than half of the {len(old)} known now; nothing was changed")
    changes, was = compare(old, new, at_us)
    return Refresh(data, source, len(new), changes, [*was, _taken(data, source, len(new), at_us)])


def commit(folder: Path, refresh: Refresh) -> None:
    """Writes the history, then puts the file in force."""
    folder.mkdir(parents=True, exist_ok=True)
    append_history(folder, refresh.records)
    path = prices_path(folder)
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(refresh.data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def adopt_packaged(folder: Path, at_us: int) -> Changes | None:
    """Takes over the packaged price file if it is newer than the one in force; None where it is not.

    Called at start, so that an upgrade of litellm that changes a price leaves the old one in the history too. The
    usual case costs a look at two version numbers. Raises ValueError where the history is damaged.
    """
    path = packaged_file()
    installed = installed_litellm()
    if path is None or (prices_path(folder).exists() and not packaged_is_newer(read_history(folder), installed)):
        return None
    source = f"litellm {installed}"
    if prices_path(folder).exists():
        refresh = prepare(folder, path.read_bytes(), source, at_us)
    else:
        refresh = _first(path.read_bytes(), source, at_us)
    commit(folder, refresh)
    return refresh.changes


def _first(data: bytes, source: str, at_us: int) -> Refresh:
    """The file that would be used anyway: nothing to check it against, and no time to lose at the first start."""
    models = len(parse(data))
    return Refresh(data, source, models, Changes([], [], []), [_taken(data, source, models, at_us)])


def _taken(data: bytes, source: str, models: int, at_us: int) -> Source:
    return Source(at_us, source, hashlib.sha256(data).hexdigest(), models, installed_litellm())


def check(data: bytes) -> Entries:
    """The entries of a price file that can be trusted. Raises ValueError, a line for each problem."""
    try:
        entries = parse(data)
    except msgspec.DecodeError as exc:
        raise ValueError(f"it is not a price file: {exc}") from exc
    if len(entries) < FEWEST_MODELS:
        raise ValueError(f"it lists {len(entries)} models; a price file lists at least {FEWEST_MODELS}")
    problems = [f"{key}: {problem}" for key, raw in entries.items() for problem in _problems(raw)]
    if problems:
        shown = problems[:_PROBLEMS_SHOWN]
        more = len(problems) - len(shown)
        raise ValueError("\n".join([*shown, f"… and {more} more"] if more else shown))
    return entries


def _problems(raw: msgspec.Raw) -> Iterator[str]:
    try:
        entry = decode(raw)
        card_of(entry)
        terms = entry.get("off_peak_pricing")
        if isinstance(terms, dict):
            off_peak(terms)
    except (msgspec.DecodeError, ValueError, KeyError, TypeError, ArithmeticError) as exc:
        yield f"cannot be read: {exc}"
        return
    for field, value in entry.items():
        if "cost" not in field or value is None or isinstance(value, dict | list | str):
            continue
        if isinstance(value, bool) or not isinstance(value, Decimal | int):
            yield f"{field} is {value!r}, not a number"
        elif value < 0:
            yield f"{field} is negative: {value}"
        elif "per_token" in field and value > MOST_USD_PER_TOKEN:
            yield f"{field} is ${value} for a single token"


def compare(old: Entries, new: Entries, at_us: int) -> tuple[Changes, list[Record]]:
    """What differs in terms of price, and the history lines that keep the old prices."""
    added = sorted(new.keys() - old.keys())
    removed = sorted(old.keys() - new.keys())
    changed: list[Change] = []
    records: list[Record] = [Was(key, at_us) for key in added] if old else []
    records += [Was(key, at_us, _kept(decode(old[key]))) for key in removed]
    for key in sorted(old.keys() & new.keys()):
        if old[key] == new[key]:
            continue
        before, after = decode(old[key]), decode(new[key])
        differences = list(_differences(key, _terms(before), _terms(after)))
        if differences:
            changed += differences
            records.append(Was(key, at_us, _kept(before)))
    return Changes(added, changed, removed), records


def _differences(key: str, before: Entry, after: Entry) -> Iterator[Change]:
    for field in sorted(before.keys() | after.keys()):
        if before.get(field) != after.get(field):
            yield Change(key, field, before.get(field), after.get(field))


def _terms(entry: Entry) -> Entry:
    """What decides the price."""
    return {
        field: value
        for field, value in entry.items()
        if "cost" in field or field in _OTHER_TERMS or field.endswith(("_pricing", "_billing_unit"))
    }


def _kept(entry: Mapping[str, object]) -> msgspec.Raw:
    """An old entry for the history: its price and its size, with the numbers exactly as they were."""
    kept = {**_terms(entry), **{field: entry[field] for field in _SIZES if field in entry}}
    return msgspec.Raw(msgspec.json.Encoder(decimal_format="number").encode(kept))


_OTHER_TERMS = ("mode", "litellm_provider", "provider_specific_entry")
_SIZES = ("max_input_tokens", "max_output_tokens", "max_tokens", "source")


def _in_force(folder: Path) -> Entries:
    """The entries that hold now; those of the package where the folder has none, or a file that cannot be read."""
    path = prices_path(folder)
    if path.exists():
        with suppress(msgspec.DecodeError):
            return parse(path.read_bytes())
    packaged = packaged_file()
    return parse(packaged.read_bytes()) if packaged else {}
