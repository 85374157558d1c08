"""A running gateway takes a new configuration when it holds together, and only then."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config import Loaded, load
from gateway.watch import Watcher


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "callgate.yaml"
    path.write_text("log: {max_batch_size: 1}")
    return path


def watcher() -> tuple[Watcher, list[int]]:
    taken: list[int] = []

    def changed(loaded: Loaded) -> None:
        taken.append(loaded.settings.log.max_batch_size)

    return Watcher(load(), changed, interval_s=0.01), taken


def test_a_changed_file_is_taken_once_it_holds_still(file):
    watch, taken = watcher()
    watch.look()
    assert taken == []
    file.write_text("log: {max_batch_size: 2}")
    watch.look()
    assert taken == []  # it may still be written
    watch.look()
    watch.look()
    assert taken == [2]
    assert watch.loaded.settings.log.max_batch_size == 2


def test_a_bad_file_is_refused_and_the_old_one_stays(file, caplog):
    watch, taken = watcher()
    file.write_text("log: {max_batch_size: many}")
    watch.look()
    watch.look()
    watch.look()
    assert taken == []
    assert watch.loaded.settings.log.max_batch_size == 1
    assert watch.refused is not None
    assert watch.refused.problems == ["log.max_batch_size: 'many' is not a whole number of at least 1 (line 1)"]
    refusals = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert refusals == [f"configuration refused, the old one stays in force:\n{watch.refused}"]
    file.write_text("log: {max_batch_size: 3}")
    watch.look()
    watch.look()
    assert taken == [3]
    assert watch.refused is None


def test_a_file_that_is_gone_changes_nothing(file):
    watch, taken = watcher()
    file.unlink()
    watch.look()
    watch.look()
    assert (taken, watch.refused) == ([], None)
    file.write_text("log: {max_batch_size: 4}")
    watch.look()
    watch.look()
    assert taken == [4]


def test_a_file_put_in_place_by_rename(file):
    watch, taken = watcher()
    (file.parent / "new").write_text("log: {max_batch_size: 5}")
    (file.parent / "new").replace(file)
    watch.look()
    watch.look()
    assert taken == [5]


def test_a_file_that_appears(file):
    file.unlink()
    watch, taken = watcher()
    file.write_text("log: {max_batch_size: 6}")
    watch.look()
    watch.look()
    assert taken == [6]


def test_what_takes_a_restart_is_said(file, caplog):
    watch, taken = watcher()
    file.write_text("server: {port: 1}")
    watch.reload()
    assert "callgate.yaml: server.port changed and takes effect at the next start" in caplog.text
    assert taken == [100]


def test_a_configuration_that_cannot_be_put_into_force_ends_nothing(file, caplog):
    def changed(loaded: Loaded) -> None:
        raise RuntimeError("no")

    watch = Watcher(load(), changed)
    file.write_text("log: {max_batch_size: 2}")
    watch.reload()
    assert watch.loaded.settings.log.max_batch_size == 1
    assert "the configuration of callgate.yaml could not be put into force" in caplog.text


def test_the_command_line_still_wins_after_a_reload(file):
    watch = Watcher(load(None, {"server": {"port": 7}}), lambda loaded: None)
    file.write_text("server: {port: 1}")
    watch.reload()
    assert watch.loaded.settings.server.port == 7


def test_polling_and_sighup(file):
    async def run() -> list[int]:
        watch, taken = watcher()
        watch.start()
        try:
            file.write_text("log: {max_batch_size: 2}")
            await until(lambda: taken == [2])
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: taken == [2, 2])
        finally:
            await watch.stop()
        return taken

    assert asyncio.run(run()) == [2, 2]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


SEALED = """
log: {max_batch_size: 1}
privacy: {encryption: {sealing_keys: [{id: a, file: KEY}]}}
"""


def looked(watch: Watcher) -> None:
    """Until whatever changed has held still."""
    for _ in range(3):
        watch.look()


def test_a_changed_key_file_is_a_change(file, tmp_path):
    key = tmp_path / "key"
    key.write_text(base64.b64encode(b"1" * 32).decode())
    file.write_text(SEALED.replace("KEY", str(key)))
    watch, taken = watcher()
    looked(watch)
    assert taken == []
    key.write_text(base64.b64encode(b"2" * 32).decode() + "\n")
    looked(watch)
    assert taken == [1]
    key.write_text("half a k")
    looked(watch)
    assert taken == [1]
    assert watch.refused is not None
    assert "privacy.encryption.sealing_keys.0: the key 'a' cannot be used" in str(watch.refused)
    key.unlink()
    file.write_text("log: {max_batch_size: 2}")
    looked(watch)
    assert (taken, watch.refused) == ([1, 2], None), "the key that is missing is not asked for any more"


def test_a_file_that_a_new_configuration_names_is_watched(file, tmp_path):
    key = tmp_path / "key"
    key.write_text(base64.b64encode(b"1" * 32).decode())
    watch, taken = watcher()
    file.write_text(SEALED.replace("KEY", str(key)))
    looked(watch)
    looked(watch)
    assert taken == [1], "once"
    key.write_text(base64.b64encode(b"2" * 32).decode() + "\n")
    looked(watch)
    assert taken == [1, 1]
