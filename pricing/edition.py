"""Which price file is in force: the one in the data folder, or the one that comes with litellm."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import NamedTuple

import msgspec

from pricing.history import PRICES_FILE, History, iso_date, read_history

PACKAGED_FILE = "model_prices_and_context_window_backup.json"

Entries = dict[str, msgspec.Raw]
"""The price file: entries by key, each still the bytes it was published as."""

_decoder = msgspec.json.Decoder(Entries)


class Edition(NamedTuple):
    entries: Entries
    history: History
    stamp: str
    """What dates a price that has not changed since records began: `2026-11-20`, or `litellm-1.106.2`."""
    source: str
    """For people: where the file came from, and when."""
    problem: str | None = None
    """Why the file in the data folder is not used, and what to do; None where nothing is wrong."""


def installed_litellm() -> str | None:
    """The version of the litellm package, which is not imported to find out."""
    try:
        return importlib.metadata.version("litellm")
    except importlib.metadata.PackageNotFoundError:
        return None


def packaged_file() -> Path | None:
    """The price file inside the litellm package."""
    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name(PACKAGED_FILE)
    return path if path.exists() else None


def packaged_is_newer(history: History, installed: str | None) -> bool:
    """Whether litellm was upgraded since the file in the data folder was taken over.

    File times cannot tell: a container built today may hold an old package.
    """
    last = history.sources[-1].litellm if history.sources else None
    return installed is not None and (last is None or version_key(installed) > version_key(last))


def version_key(version: str) -> tuple[int, ...]:
    """`1.106.2` → (1, 106, 2); what is no number counts as 0."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def parse(data: bytes) -> Entries:
    """Raises msgspec.DecodeError or ValidationError where it is not a JSON object."""
    entries = _decoder.decode(data)
    for notes in ("sample_spec", "fallback_generalizations"):
        entries.pop(notes, None)
    return entries


def current_edition(refreshed: Path | None) -> Edition:
    """The newer of the file at `refreshed` and the packaged one. Without either, nothing has a price."""
    history = History()
    problem = None
    if refreshed is not None and refreshed.exists():
        try:
            history = read_history(refreshed.parent)
            if not packaged_is_newer(history, installed_litellm()):
                return _refreshed(refreshed, history)
        except ValueError as exc:
            problem = str(exc)
    path = packaged_file()
    if path is None:
        return Edition({}, history, "none", "no price file", problem or "litellm is not installed: no price file")
    version = installed_litellm()
    return Edition(parse(path.read_bytes()), history, f"litellm-{version}", f"the file of litellm {version}", problem)


def _refreshed(path: Path, history: History) -> Edition:
    """Raises ValueError where the file or the word about its origin is damaged."""
    try:
        entries = parse(path.read_bytes())
    except msgspec.DecodeError as exc:
        raise ValueError(f"{path} is not a price file ({exc}); run `callgate prices refresh`") from exc
    if not history.sources:
        raise ValueError(f"nothing says where {path} is from; run `callgate prices refresh`")
    first, last = history.sources[0], history.sources[-1]
    source = f"{last.source}, taken over on {iso_date(last.at_us)}"
    return Edition(entries, history, iso_date(first.at_us), source)


def prices_path(folder: Path) -> Path:
    return folder / PRICES_FILE
