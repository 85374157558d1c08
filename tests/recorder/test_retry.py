"""Another try for dead letters, in a process of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.recorder.deadletter import DeadLetter, DeadLetters
from gateway.recorder.retry import Order, Outcome, retry_in_child
from gateway.store import open_store
from gateway.store.base import SpanFilter, SpanWrite, Written
from tests.store.naive import make_span

URL = "sqlite:///callgate.db"


def letter(number: int, **fields: object) -> DeadLetter:
    return DeadLetter(number, "the store was ill", SpanWrite(make_span(number, **fields)))


async def stored(folder: Path) -> set[str]:
    store = open_store(URL, folder)
    await store.connect()
    found = {span.request_id for span in (await store.spans(SpanFilter(), limit=100)).items}
    await store.close()
    return found


def test_what_can_be_stored_is_and_the_rest_stays_with_its_reason(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    bad = letter(2, cost_nanousd=2**60)
    letters.add([letter(1), bad, DeadLetter(3, "torn", frame=b"?"), letter(4)])
    assert asyncio.run(retry_in_child(Order(str(tmp_path), URL))) == Outcome(2, 2)
    newest, total = letters.newest(10)
    assert total == 2
    assert [each.at for each in newest] == [3, 2]
    assert bad.row is not None
    assert newest[1].row == bad.row
    assert "out of range" in newest[1].error
    assert asyncio.run(stored(tmp_path)) == {make_span(1).request_id, make_span(4).request_id}


def test_a_store_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    DeadLetters(tmp_path).add([letter(1)])
    outcome = asyncio.run(retry_in_child(Order(str(tmp_path), "sqlite:///")))
    assert outcome.problem is not None
    assert "names no file" in outcome.problem
    assert DeadLetters(tmp_path).newest(5)[1] == 1


def test_what_is_added_while_the_store_writes_stays(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.add([letter(1)])

    class Store:
        async def write(self, batch: object, set_aside: object = None) -> Written:
            letters.add([letter(2)])  # as the recorder does, with the lock that a retry must not hold
            return Written(new=1)

    assert asyncio.run(letters.retry(Store())) == (1, 1)  # type: ignore[arg-type]  # only writes
    assert [each.at for each in letters.read()] == [2]


def test_the_newest_are_read_in_little_and_what_is_no_letter_counts(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    assert letters.newest(3) == ([], 0)
    letters.add(letter(number) for number in range(5))
    with letters.path.open("ab") as file:
        file.write(b"half a li\n")
    newest, total = letters.newest(3)
    assert ([each.at for each in newest], total) == ([4, 3], 6)
