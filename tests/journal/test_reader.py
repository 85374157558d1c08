"""Whatever is done to the bytes of a journal: never a crash, never a wrong frame, and all that are whole."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.journal import Damage, Frame, JournalReader, JournalWriter
from gateway.journal.frame import SEGMENT_HEADER_BYTES
from gateway.journal.reader import FolderReader
from gateway.journal.segment import segment_name, segment_numbers

MB = 1 << 20
BODIES = [b"", b"x", b'{"model": "fast"}', bytes(300), b"\xff" * 5000]


def read_all(one: FolderReader, max_bytes: int = MB) -> tuple[list[Frame], list[Damage]]:
    """Until the reader has nothing more: twice nothing, because a frame that looks half written is looked at twice."""
    frames: list[Frame] = []
    damage: list[Damage] = []
    quiet = 0
    while quiet < 2:
        more, worse = one.read(max_bytes)
        frames += more
        damage += worse
        quiet = 0 if more or worse else quiet + 1
    return frames, damage


def contents(frames: list[Frame]) -> list[tuple[int, bytes, bytes, bytes]]:
    return [(frame.kind, frame.meta, frame.request, frame.response) for frame in frames]


@pytest.fixture(scope="module")
def journal(tmp_path_factory, opened, closed) -> tuple[bytes, list[tuple[int, bytes, bytes, bytes]], list[int]]:
    """The bytes of one segment, what is in it, and where its frames end."""
    root = tmp_path_factory.mktemp("journal")
    writer = JournalWriter(root / "w", max_bytes=MB)
    for number in range(12):
        writer.open(opened(f"call {number}"))
        writer.close(closed(f"call {number}"), [BODIES[number % 5]], [BODIES[number * 3 % 5]])
    writer.finish()
    data = (writer.folder / segment_name(1)).read_bytes()
    frames, damage = read_all(JournalReader(root).find()[0])
    assert damage == []
    assert len(frames) == 24
    return data, contents(frames), [frame.end for frame in frames]


def folder_of(root: Path, data: bytes) -> FolderReader:
    folder = root / f"w{len(list(root.iterdir()))}"
    folder.mkdir()
    (folder / "lock").touch()
    (folder / segment_name(1)).write_bytes(data)
    return FolderReader(folder)


def is_in_order(part: list[object], whole: list[object]) -> bool:
    rest = iter(whole)
    return all(each in rest for each in part)


on_one_folder = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@on_one_folder
@given(st.data())
def test_any_truncation_gives_the_whole_frames_before_it(tmp_path, journal, data):
    segment, frames, ends = journal
    size = data.draw(st.integers(0, len(segment)))
    one = folder_of(tmp_path, segment[:size])
    got, _ = read_all(one)
    assert contents(got) == [frame for frame, end in zip(frames, ends, strict=True) if end <= size]
    assert one.finished


@on_one_folder
@given(st.data())
def test_any_flipped_byte_costs_at_most_its_own_frame(tmp_path, journal, data):
    segment, frames, ends = journal
    at = data.draw(st.integers(SEGMENT_HEADER_BYTES, len(segment) - 1))
    changed = bytearray(segment)
    changed[at] ^= data.draw(st.integers(1, 255))
    hit = next(index for index, end in enumerate(ends) if at < end)
    one = folder_of(tmp_path, bytes(changed))
    got, damage = read_all(one)
    assert contents(got) == frames[:hit] + frames[hit + 1 :]
    assert len(damage) == (hit + 1 < len(frames))  # the last one looks like a torn tail
    assert one.finished


@on_one_folder
@given(st.data())
def test_any_garbage_in_any_place_never_gives_a_wrong_frame(tmp_path, journal, data):
    segment, frames, _ = journal
    start = data.draw(st.integers(0, len(segment)))
    end = data.draw(st.integers(start, min(len(segment), start + 4000)))
    filling = data.draw(st.one_of(st.just(b""), st.just(bytes(end - start)), st.binary(max_size=4000)))
    one = folder_of(tmp_path, segment[:start] + filling + segment[end:])
    got, _ = read_all(one)
    assert is_in_order(contents(got), frames)
    assert one.finished


@on_one_folder
@given(st.lists(st.integers(0, 40_000), max_size=8), st.integers(1, 5000))
def test_any_split_of_the_writes_gives_the_same_frames(tmp_path, journal, cuts, max_bytes):
    """The file grows under the reader, in any pieces, while its writer lives."""
    segment, frames, _ = journal
    one = folder_of(tmp_path, b"")
    lock = os.open(one.path / "lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    path = one.path / segment_name(1)
    got: list[Frame] = []
    for size in [*sorted(cuts), len(segment)]:
        path.write_bytes(segment[:size])
        more, damage = read_all(one, max_bytes)
        got += more
        assert damage == []
        assert not one.finished
    os.close(lock)
    assert contents(got) == frames


def test_a_torn_tail_is_waited_for_while_the_writer_lives_and_skipped_when_it_is_dead(tmp_path, opened):
    writer = JournalWriter(tmp_path / "w", max_bytes=MB)
    writer.open(opened("whole"))
    whole = writer._segment.position
    writer.open(opened("torn"))
    os.pwrite(writer._segment.fd, bytes(4000), whole + 60)
    one = JournalReader(tmp_path).find()[0]
    frames, damage = read_all(one)
    assert (len(frames), damage, one.finished) == (1, [], False)
    writer.finish()
    assert (read_all(one), one.finished) == (([], []), True)


def test_a_frame_larger_than_what_is_read_at_once(tmp_path, opened, closed):
    writer = JournalWriter(tmp_path / "w", max_bytes=64 * MB)
    writer.opened_and_closed(opened("a"), closed("a"), [bytes(MB)], [bytes(3 * MB)])
    frames, _ = read_all(JournalReader(tmp_path).find()[0], 1000)
    assert [len(frame.response) for frame in frames] == [0, 3 * MB]
    writer.finish()


def test_a_segment_without_its_header_is_reported_and_skipped(tmp_path, opened):
    writer = JournalWriter(tmp_path / "w", segment_bytes=64 << 10, max_bytes=64 * MB)
    for number in range(1000):
        writer.open(opened(f"call {number}"))
    writer.finish()
    numbers = segment_numbers(writer.folder)
    with (writer.folder / segment_name(numbers[1])).open("r+b") as file:
        file.write(b"garbage")
    one = JournalReader(tmp_path).find()[0]
    frames, damage = read_all(one)
    assert [(each.segment, each.start) for each in damage] == [(numbers[1], 0)]
    assert {frame.segment for frame in frames} == {*numbers} - {numbers[1]}
    assert one.finished


def test_a_frame_forged_in_a_body_is_never_taken_for_one(tmp_path, journal, opened, closed):
    """Found again after damage is only what carries the segment's own random mark."""
    segment, _, ends = journal
    forged = segment[SEGMENT_HEADER_BYTES : ends[1]]
    writer = JournalWriter(tmp_path / "w", max_bytes=MB)
    writer.opened_and_closed(opened("real"), closed("real"), [forged], [])
    writer.open(opened("after"))
    writer.finish()
    path = writer.folder / segment_name(1)
    data = bytearray(path.read_bytes())
    data[data.index(b"real", data.index(b"real") + 1)] ^= 1  # the close frame that holds the forged one
    path.write_bytes(bytes(data))
    frames, damage = read_all(JournalReader(tmp_path).find()[0])
    assert [b"real" in frame.meta or b"after" in frame.meta for frame in frames] == [True, True]
    assert [each.reason for each in damage] == ["wrong checksum"]


def test_a_folder_deleted_under_a_living_writer_is_waited_for(tmp_path, opened):
    writer = JournalWriter(tmp_path / "w", max_bytes=MB)
    writer.open(opened("a"))
    one = JournalReader(tmp_path).find()[0]
    assert len(read_all(one)[0]) == 1
    shutil.rmtree(writer.folder)
    assert (read_all(one), one.finished) == (([], []), False)
    writer.health()
    writer.open(opened("b"))
    assert len(read_all(one)[0]) == 1
    writer.finish()
    read_all(one)
    assert one.finished


def test_folders_in_the_making_are_not_seen(tmp_path):
    (tmp_path / ".w1").mkdir()
    (tmp_path / "file").touch()
    assert JournalReader(tmp_path).find() == []
    assert JournalReader(tmp_path / "absent").find() == []
