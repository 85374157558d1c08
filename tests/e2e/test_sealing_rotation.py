"""Sealing keys are rotated while the gateway serves: no process of a gateway is told to end but the recorder, which a
successor relieves, and not one body is unreadable or in the clear on the way."""

from __future__ import annotations

import base64
import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.core.sealing import is_sealed, key_of
from tests.e2e.harness import QUICK, Gateway, configuration, wait_for
from tests.e2e.wire import Message

OLD, NEW, NEWEST = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2, 3))


def settings(*keys: dict[str, str], workers: int = 1) -> dict[str, Any]:
    return configuration(
        server={"workers": workers},
        providers={"demo": QUICK},
        privacy={"encryption": {"sealing_keys": list(keys)}},
    )


def sealed_with(gateway: Gateway) -> list[str | None]:
    """The name of each body's key, from the file; None where it is in the clear."""
    with closing(sqlite3.connect(f"file:{gateway.data / 'callgate.db'}?mode=ro", uri=True)) as db:
        bodies = [body for (body,) in db.execute("SELECT body FROM payloads ORDER BY span")]
    return [key_of(body)[0] if is_sealed(body) else None for body in bodies]


def said(gateway: Gateway, what: str, times: int) -> None:
    wait_for(lambda: "".join(gateway.output).count(what) >= times, f"{what!r} {times} times")


def readable(gateway: Gateway, answers: list[Message]) -> bool:
    return all("Hello" in json.dumps(gateway.row_of(each).get("request_body")) for each in answers)


def ask(gateway: Gateway, answers: list[Message]) -> str | None:
    """What the last body is sealed with."""
    for _ in range(5):
        answers.append(gateway.chat("demo/echo", "Hello"))
    gateway.row_of(answers[-1])
    return sealed_with(gateway)[-1]


def rotated(gateway: Gateway) -> None:
    command = [str(Path(sys.executable).parent / "callgate"), "privacy", "rotate", "--config", str(gateway.config)]
    subprocess.run([*command, "--data", str(gateway.data)], check=True, capture_output=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_keys_are_rotated_under_a_running_gateway(tmp_path: Path, workers: int) -> None:
    file = tmp_path / "newest.key"
    file.write_text(NEWEST)
    old, new, newest = {"id": "old", "key": OLD}, {"id": "new", "key": NEW}, {"id": "newest", "file": str(file)}
    gateway = Gateway(tmp_path / "data", settings(workers=workers)).start()
    answers: list[Message] = []
    reloads = 0

    def take(*keys: dict[str, str]) -> None:
        nonlocal reloads
        gateway.config.write_text(yaml.safe_dump(settings(*keys, workers=workers)))
        reloads += workers + (workers > 1)  # the parent follows it too
        said(gateway, "configuration reloaded", reloads)

    try:
        ask(gateway, answers)
        assert set(sealed_with(gateway)) == {None}
        take(old)
        wait_for(lambda: ask(gateway, answers) == "old", "sealing began")
        take(new, old)
        wait_for(lambda: ask(gateway, answers) == "new", "the new key seals")
        assert readable(gateway, answers)
        rotated(gateway)
        assert set(sealed_with(gateway)) == {"new"}
        take(new)
        assert readable(gateway, answers), "the old key is gone, and nothing needs it"
        take(newest, new)
        wait_for(lambda: ask(gateway, answers) == "newest", "a key from a file seals")
        rotated(gateway)
        take(newest)
        assert readable(gateway, answers)
    finally:
        assert gateway.stop() == 0


def test_a_key_that_is_none_is_refused_and_those_there_were_stay(tmp_path: Path) -> None:
    file = tmp_path / "sealing.key"
    file.write_text(OLD)
    gateway = Gateway(tmp_path / "data", settings({"id": "old", "file": str(file)})).start()
    answers: list[Message] = []
    try:
        ask(gateway, answers)
        file.write_text("no key at all")
        said(gateway, "the key 'old' cannot be used", 1)
        ask(gateway, answers)
        assert set(sealed_with(gateway)) == {"old"}
        assert readable(gateway, answers)
        file.write_text(OLD)
        assert gateway.process is not None
        gateway.process.send_signal(signal.SIGHUP)
        said(gateway, "configuration reloaded", 1)
        ask(gateway, answers)
        assert readable(gateway, answers)
        assert "no key at all" not in "".join(gateway.output)
    finally:
        assert gateway.stop() == 0
