"""Secrets planted in calls, and every place of a gateway where one could have stayed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import zstandard

from tests.e2e.harness import Gateway, wait_for
from tests.e2e.wire import Message
from tests.recorder import redaction_corpus as corpus


def secrets(seed: int) -> list[tuple[str, list[str]]]:
    random = Random(seed)
    return [corpus.made(template, random) for template in corpus.SECRETS.values()]


def content(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() else b""
    except FileNotFoundError:  # it was being replaced
        return b""


def bodies(gateway: Gateway) -> bytes:
    """What the store keeps compressed, written out."""
    with closing(sqlite3.connect(f"file:{gateway.data / 'callgate.db'}?mode=ro", uri=True)) as db:
        return b"".join(zstandard.decompress(body) for (body,) in db.execute("SELECT body FROM payloads"))


def everywhere(gateway: Gateway) -> bytes:
    """All files of the data folder but the journal's segment being written, what the processes said, metrics, pages."""
    files = b"".join(content(path) for path in sorted(gateway.data.rglob("*")) if "journal" not in path.parts)
    pages = [gateway.get(path)[1] for path in ("/metrics", "/", "/requests", "/costs", "/api/requests?limit=1000")]
    said = "".join(gateway.output).encode() + json.dumps(pages, ensure_ascii=False).encode()
    return files + bodies(gateway) + said


def recorded(gateway: Gateway, *answers: Message) -> None:
    for each in answers:
        gateway.row_of(each)
    wait_for(lambda: json.loads((gateway.data / "recorder.json").read_bytes())["backlog_bytes"] == 0, "all is recorded")
