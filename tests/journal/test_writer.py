"""What the writer leaves on disk, and what it does when the disk, the size limit or the folder is against it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from gateway.core.span import CallClosed, CallOpened
from gateway.errors import JournalError
from gateway.journal import CLOSE, OPEN, Frame, JournalReader, JournalWriter, segment
from gateway.journal import writer as writing

MB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal" / "w1"


def frames_in(root: Path) -> list[Frame]:
    reader = JournalReader(root)
    found: list[Frame] = []
    for one in reader.find():
        while True:
            frames, damage = one.read()
            assert damage == []
            if not frames:
                break
            found += frames
    reader.close()
    return found


def ids_in(root: Path, kind: int) -> list[str]:
    shape = CallOpened if kind == OPEN else CallClosed
    return [
        msgspec.msgpack.decode(frame.meta, type=shape).request_id for frame in frames_in(root) if frame.kind == kind
    ]


def test_what_is_written_is_read_while_the_writer_lives(folder, opened, closed):
    writer = JournalWriter(folder, max_bytes=MB)
    writer.open(opened("a"))
    writer.close(closed("a"), [b'{"model":', b'"fast"}'], [b"answer"])
    first, second = frames_in(folder.parent)
    assert (first.kind, msgspec.msgpack.decode(first.meta, type=CallOpened)) == (OPEN, opened("a"))
    assert (second.kind, msgspec.msgpack.decode(second.meta, type=CallClosed)) == (CLOSE, closed("a"))
    assert (second.request, second.response) == (b'{"model":"fast"}', b"answer")
    writer.finish()


def test_a_body_in_thousands_of_pieces(folder, opened, closed):
    writer = JournalWriter(folder, max_bytes=MB)
    pieces = [b"%d," % number for number in range(5000)]
    writer.opened_and_closed(opened("a"), closed("a"), pieces, pieces)
    assert frames_in(folder.parent)[1].response == b"".join(pieces)
    writer.finish()


def test_only_the_owner_may_read(folder, opened):
    writer = JournalWriter(folder, max_bytes=MB)
    writer.open(opened())
    assert oct(writer.folder.stat().st_mode & 0o777) == "0o700"
    assert {oct(path.stat().st_mode & 0o777) for path in writer.folder.iterdir()} == {"0o600"}
    writer.finish()


def test_frames_go_on_in_the_next_segment_and_may_be_larger_than_one(folder, opened, closed):
    writer = JournalWriter(folder, segment_bytes=64 << 10, max_bytes=64 * MB)
    ids = [f"call {number}" for number in range(200)]
    for request_id in ids:
        writer.open(opened(request_id))
        writer.close(closed(request_id), [bytes(1000)], [bytes(200_000 if request_id == "call 7" else 1000)])
    assert ids_in(folder.parent, CLOSE) == ids_in(folder.parent, OPEN) == ids
    assert len(segment.segment_numbers(writer.folder)) > 5
    writer.finish()


def test_a_folder_that_is_not_recorded_yet_is_left_alone(folder, opened):
    first = JournalWriter(folder, max_bytes=MB)
    first.open(opened("a"))
    first.finish()
    second = JournalWriter(folder, max_bytes=MB)
    assert second.folder != first.folder
    second.finish()
    assert ids_in(folder.parent, OPEN) == ["a"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be made"):
        JournalWriter(tmp_path / "file" / "w1", max_bytes=MB)


class Disk:
    """`segment.allocate` on a disk that can be full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.really = segment.allocate
        monkeypatch.setattr(segment, "allocate", self.allocate)

    def allocate(self, fd: int, size: int) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.really(fd, size)


def test_a_full_disk_refuses_new_calls_closes_those_in_flight_and_recovers(folder, opened, closed, monkeypatch):
    disk = Disk(monkeypatch)
    writer = JournalWriter(folder, segment_bytes=64 << 10, max_bytes=64 * MB)
    disk.full = True
    let_in: list[str] = []
    with pytest.raises(JournalError, match="No space left on device"):  # noqa: PT012  as many as are let in
        while True:
            writer.open(opened(f"call {len(let_in)}"))
            let_in.append(f"call {len(let_in)}")
    assert writer.health().state == "refusing"

    headers = [(b"x-long", b"x" * 3000)]
    for request_id in let_in:
        writer.close(closed(request_id, response_headers=headers), [bytes(3000)], [bytes(3000)])
    assert ids_in(folder.parent, CLOSE) == let_in
    assert writer.health().bodies_dropped > 0

    disk.full = False
    assert writer.health().state == "ok"
    writer.open(opened("later"))
    writer.finish()
    assert ids_in(folder.parent, OPEN) == [*let_in, "later"]


def test_no_room_at_the_start_is_said_at_once(folder, monkeypatch):
    Disk(monkeypatch).full = True
    with pytest.raises(JournalError, match="No space left on device"):
        JournalWriter(folder, max_bytes=MB)


def test_over_its_size_limit_bodies_go_and_the_bill_stays(folder, opened, closed):
    writer = JournalWriter(folder, segment_bytes=64 << 10, max_bytes=300_000)
    ids = [f"call {number}" for number in range(40)]
    for request_id in ids:
        writer.open(opened(request_id))
        writer.close(closed(request_id), [], [bytes(20_000)])
        health = writer.health()
    assert (health.state, health.detail) == ("dropping_bodies", "over 0 MB, bodies are dropped")
    closes = [frame for frame in frames_in(folder.parent) if frame.kind == CLOSE]
    assert len(closes) == 40
    assert health.bodies_dropped == sum(frame.response == b"" for frame in closes) > 10
    assert all(msgspec.msgpack.decode(frame.meta, type=CallClosed).cost_nanousd == 1300 for frame in closes)

    one = JournalReader(folder.parent).find()[0]
    while one.read()[0]:
        pass
    one.delete_before(one.segment)
    one.note(one.segment, one.offset)
    one.close()
    assert (writer.health().state, writer.health().backlog_bytes) == ("ok", 0)
    writer.finish()


def test_a_deleted_folder_comes_back_with_every_frame_of_its_segment(folder, opened, closed):
    writer = JournalWriter(folder, max_bytes=MB)
    writer.open(opened("a"))
    shutil.rmtree(writer.folder)
    writer.close(closed("a"), [], [b"answer"])
    assert writer.health().state == "ok"
    writer.open(opened("b"))
    assert ids_in(folder.parent, OPEN) == ["a", "b"]
    assert ids_in(folder.parent, CLOSE) == ["a"]
    writer.finish()


def test_a_deleted_folder_that_cannot_come_back_refuses_calls(folder, opened, closed):
    writer = JournalWriter(folder, max_bytes=MB)
    writer.open(opened("a"))
    shutil.rmtree(folder.parent)
    folder.parent.write_text("in the way")
    assert "cannot be made again" in (writer.health().detail or "")
    with pytest.raises(JournalError, match="takes no new calls"):
        writer.open(opened("b"))
    writer.close(closed("a"), [], [])
    folder.parent.unlink()
    assert writer.health().state == "ok"
    assert ids_in(folder.parent, CLOSE) == ["a"]
    writer.finish()


def test_a_spare_deleted_by_hand_is_made_again(folder, opened, closed):
    writer = JournalWriter(folder, segment_bytes=64 << 10, max_bytes=64 * MB)
    (writer.folder / segment.SPARE).unlink()
    ids = [f"call {number}" for number in range(100)]
    for request_id in ids:
        writer.opened_and_closed(opened(request_id), closed(request_id), [], [bytes(1000)])
        writer.health()
    assert ids_in(folder.parent, CLOSE) == ids
    writer.finish()


def test_finish_leaves_nothing_allocated_and_frees_the_lock(folder, opened):
    writer = JournalWriter(folder, max_bytes=MB)
    writer.open(opened())
    writer.finish()
    assert sum(path.stat().st_size for path in writer.folder.iterdir()) < 500
    one = JournalReader(folder.parent).find()[0]
    while not one.finished:
        one.read()
    one.remove()
    assert not writer.folder.exists()


def test_a_segment_is_left_after_a_while_so_that_what_is_recorded_can_go(folder, opened, closed, monkeypatch):
    monkeypatch.setattr(writing, "OLDEST_S", 0.0)
    monkeypatch.setattr(writing, "CHECK_EVERY_S", 0.0)
    writer = JournalWriter(folder, max_bytes=MB)
    writer.look_after()
    assert segment.segment_numbers(writer.folder) == [1], "there is nothing in it to be deleted"
    writer.open(opened("a"))
    writer.look_after()
    assert segment.segment_numbers(writer.folder) == [1, 2]
    writer.close(closed("a"), [b"asked"], [b"said"])
    assert (ids_in(folder.parent, OPEN), ids_in(folder.parent, CLOSE)) == (["a"], ["a"])
    writer.finish()
