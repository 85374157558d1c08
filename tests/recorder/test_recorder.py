"""Every call once, whatever fails in between."""

from __future__ import annotations

import asyncio
import json
import shutil

import msgspec
import pytest

from gateway.errors import StoreError
from gateway.journal import JournalWriter
from gateway.journal.frame import CLOSE, whole_frame
from gateway.journal.segment import segment_name, segment_numbers
from gateway.recorder import recorder as recorder_module
from gateway.recorder.deadletter import DeadLetters
from gateway.recorder.health import read_health
from gateway.recorder.recorder import Recorder
from gateway.settings import Log

QUICK = Log(flush_interval_ms=1)
MB = 1 << 20


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(recorder_module, "POLL_S", 0.005)
    monkeypatch.setattr(recorder_module, "RETRY_S", (0.005, 0.02))
    monkeypatch.setattr(recorder_module, "LINGER_S", 0.05)


def record(recorder, condition, *, drain=False):
    """Runs the recorder until the condition holds; then it ends as if it were killed, or drains."""

    async def until() -> None:
        running = asyncio.create_task(recorder.run())
        while not condition():
            assert not running.done(), running.result()
            await asyncio.sleep(0.002)
        if not drain:
            running.cancel()
            await asyncio.wait([running])
            return
        recorder.draining.set()
        await asyncio.wait_for(running, 20)

    asyncio.run(until())


def drain(data, store, settings=QUICK):
    record(Recorder(data, settings, store), lambda: True, drain=True)


def test_calls_of_a_living_writer_are_stored_and_its_open_ones_stay_open(data, store, writer, call, opened):
    ids = [call(writer) for _ in range(250)]
    writer.open(opened("in flight"))
    record(Recorder(data, QUICK, store), lambda: len(store.rows) >= 250)
    assert sorted(store.rows) == sorted(ids)
    assert writer.health().backlog_bytes < 64 << 10
    writer.finish()


def test_what_a_dead_writer_left_open_is_booked_as_interrupted_and_its_folder_goes(data, store, writer, call, opened):
    done = call(writer)
    writer.open(opened("cut off"))
    writer.finish()
    drain(data, store)
    assert set(store.rows) == {done, "cut off"}
    span = store.rows["cut off"].span
    assert (span.error_type, span.status_code, span.usage_source, span.cost_nanousd) == (
        "interrupted",
        None,
        "estimated",
        None,
    )
    assert span.usage is not None
    assert span.usage.input_tokens == 12
    assert list((data / "journal").iterdir()) == []


def test_a_batch_has_as_many_rows_as_are_asked_for_or_many_more_when_many_wait(data, store, writer, call):
    for _ in range(2500):
        call(writer)
    writer.finish()
    drain(data, store, Log(max_batch_size=100, flush_interval_ms=60_000))
    sizes = [len(batch.spans) for batch in store.batches if batch.spans]
    assert sum(sizes) == 2500
    assert 1000 <= max(sizes) <= 2000


def test_few_rows_wait_for_the_interval(data, store, writer, call):
    call(writer)
    recorder = Recorder(data, Log(max_batch_size=100, flush_interval_ms=60_000), store)
    record(recorder, lambda: len(recorder._rows) == 1)
    assert store.rows == {}
    record(Recorder(data, Log(max_batch_size=1, flush_interval_ms=60_000), store), lambda: len(store.rows) == 1)
    writer.finish()


def test_segments_go_when_they_are_stored_and_open_calls_in_them_are_carried(data, store, writer, call, opened, closed):
    writer.open(opened("long"))
    ids = [call(writer, response=bytes(2000)) for _ in range(100)]
    record(Recorder(data, QUICK, store), lambda: len(store.rows) >= 100)
    assert segment_numbers(writer.folder)[0] > 1
    assert list(store.opens) == ["long"]

    writer.close(closed("long"), [], [])  # seen by the next recorder: this one is gone
    record(Recorder(data, QUICK, store), lambda: len(store.rows) >= 101)
    assert set(store.rows) == {*ids, "long"}
    assert store.rows["long"].span.tenant == "acme"
    assert store.opens == {}
    writer.finish()


def test_a_carried_call_whose_writer_died_is_interrupted_by_the_next_recorder(data, store, writer, call, opened):
    writer.open(opened("long"))
    for _ in range(100):
        call(writer, response=bytes(2000))
    record(Recorder(data, QUICK, store), lambda: len(store.rows) >= 100)
    writer.finish()
    drain(data, store)
    assert store.rows["long"].span.error_type == "interrupted"
    assert store.opens == {}


def test_a_carried_call_whose_folder_was_deleted_is_interrupted(data, store, writer, call, opened):
    writer.open(opened("long"))
    for _ in range(100):
        call(writer, response=bytes(2000))
    record(Recorder(data, QUICK, store), lambda: len(store.rows) >= 100)
    writer.finish()
    shutil.rmtree(data / "journal")
    drain(data, store)
    assert store.rows["long"].span.error_type == "interrupted"


def test_calls_that_are_in_the_store_are_not_written_again_after_a_restart(data, store, writer, call, opened):
    first = [call(writer) for _ in range(20)]
    writer.open(opened("open"))
    record(Recorder(data, QUICK, store), lambda: len(store.rows) >= 20)
    before = len(store.batches)
    second = [call(writer) for _ in range(20)]
    record(Recorder(data, QUICK, store), lambda: len(store.rows) >= 40)
    assert [row.span.request_id for batch in store.batches[before:] for row in batch.spans] == second
    assert set(store.rows) == {*first, *second}
    writer.finish()


def test_a_store_that_is_down_loses_nothing_and_says_so(data, store, writer, call):
    store.failures = [StoreError("locked") for _ in range(5)]
    ids = [call(writer) for _ in range(10)]
    recorder = Recorder(data, QUICK, store)
    states = set()

    def stored() -> bool:
        states.add(read_health(data).state)
        return len(store.rows) == 10

    record(recorder, stored)
    assert "store_down" in states
    assert set(store.rows) == set(ids)
    assert recorder.health.last_error == "locked"
    writer.finish()


def test_a_recorder_without_gateway_and_store_gives_up_and_the_journal_stays(data, store, writer, call, monkeypatch):
    monkeypatch.setattr(recorder_module, "GIVE_UP_S", 0.05)
    ids = [call(writer) for _ in range(10)]
    writer.finish()
    store.failures = [StoreError("gone")] * 100_000
    with pytest.raises(StoreError, match="gone"):
        drain(data, store)
    store.failures = []
    drain(data, store)
    assert set(store.rows) == set(ids)


def test_a_row_that_is_refused_goes_to_the_dead_letters_and_the_rest_is_stored(data, store, writer, call):
    ids = [call(writer) for _ in range(10)]
    store.refused[ids[3]] = "NOT NULL constraint failed"
    recorder = Recorder(data, QUICK, store)
    record(recorder, lambda: len(store.rows) == 9 and recorder.health.dead_letters == 1)
    [letter] = DeadLetters(data).read()
    assert (letter.error, letter.row.span.request_id) == ("NOT NULL constraint failed", ids[3])
    assert (data / "deadletter.jsonl").stat().st_mode & 0o777 == 0o600
    assert json.loads((data / "deadletter.jsonl").read_text())["row"]["span"]["cost_nanousd"] == 1300

    del store.refused[ids[3]]
    assert asyncio.run(DeadLetters(data).retry(store)) == (1, 0)
    assert ids[3] in store.rows
    assert DeadLetters(data).read() == []
    writer.finish()


def test_a_row_that_breaks_the_store_does_not_block_the_others(data, store, writer, call):
    ids = [call(writer) for _ in range(10)]
    store.poison = {ids[4]}
    record(Recorder(data, QUICK, store), lambda: len(store.rows) == 9)
    writer.finish()
    drain(data, store)
    assert set(store.rows) == {*ids} - {ids[4]}
    assert [letter.error for letter in DeadLetters(data).read()] == ["RuntimeError: cannot happen"]


def test_a_frame_of_another_version_is_kept_as_it_is(data, store, writer, call):
    before = call(writer)
    writer._write(whole_frame(writer._segment.mark, CLOSE, msgspec.msgpack.encode(["no", "call"]), (), ()))
    after = call(writer)
    writer.finish()
    drain(data, store)
    assert set(store.rows) == {before, after}
    [letter] = DeadLetters(data).read()
    assert letter.frame == msgspec.msgpack.encode(["no", "call"])


def test_damage_is_reported_and_the_rest_is_stored(data, store, writer, call):
    ids = [call(writer) for _ in range(10)]
    writer.finish()
    path = writer.folder / segment_name(1)
    content = bytearray(path.read_bytes())
    content[content.index(ids[4].encode()) + 40] ^= 1  # in its open frame
    path.write_bytes(bytes(content))
    recorder = Recorder(data, QUICK, store)
    record(recorder, lambda: True, drain=True)
    assert set(store.rows) == set(ids)
    assert store.rows[ids[4]].span.tenant is None
    assert "lost: wrong checksum" in recorder.health.last_error


def test_several_writers(data, store, call):
    writers = [JournalWriter(data / "journal" / f"w{number}", max_bytes=MB) for number in range(4)]
    ids = [call(writers[number % 4]) for number in range(200)]
    record(Recorder(data, QUICK, store), lambda: len(store.rows) == 200)
    assert set(store.rows) == set(ids)
    for one in writers:
        one.finish()


def test_a_draining_recorder_leaves_a_living_writer_to_the_next(data, store, writer, call, opened):
    writer.open(opened("in flight"))
    done = call(writer)
    drain(data, store)
    assert set(store.rows) == {done}
    assert writer.folder.exists()
    writer.finish()


def test_a_writer_that_never_pauses_keeps_nobody_waiting(data, store, writer, call, opened):
    """Neither the calls of a dead worker beside it, nor the end of a recorder whose gateway is gone."""
    dead = JournalWriter(data / "journal" / "dead", max_bytes=MB)
    dead.open(opened("cut off"))
    dead.finish()
    recorder = Recorder(data, QUICK, store)
    read = recorder._read

    def read_with_something_new() -> int:
        call(writer)
        return read()

    recorder._read = read_with_something_new
    record(recorder, lambda: "cut off" in store.rows, drain=True)
    assert [path.name for path in (data / "journal").iterdir()] == [writer.folder.name]
    writer.finish()


def test_health_tells_what_it_did(data, store, writer, call, opened):
    for _ in range(5):
        call(writer)
    writer.open(opened("x"))
    writer.finish()
    drain(data, store)
    health = read_health(data)
    assert (health.state, health.written, health.interrupted, health.backlog_bytes, health.lag_us) == (
        "stopped",
        6,
        1,
        0,
        0,
    )
    assert (data / "recorder.json").stat().st_mode & 0o777 == 0o600


def test_health_before_the_first_report_and_after_a_silence(data):
    assert read_health(data).state == "starting"
    (data / "recorder.json").write_bytes(b'{"state": "running", "updated_at": 1}')
    assert read_health(data).state == "stopped"
    assert "no report for" in read_health(data).last_error
