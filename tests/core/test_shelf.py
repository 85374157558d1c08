"""The shelf never holds more than it may, counts what it holds, and lets go of what was not asked for longest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.shelf import Shelf

KEYS = st.integers(0, 7).map(lambda number: b"%d" % number)
PUT = st.tuples(st.just("put"), KEYS, st.integers(0, 60), st.integers(1, 20))
GET = st.tuples(st.just("get"), KEYS, st.just(0), st.just(0))
DROP = st.tuples(st.just("drop"), KEYS, st.just(0), st.just(0))
WAIT = st.tuples(st.just("wait"), st.just(b""), st.integers(0, 10), st.just(0))
RESIZE = st.tuples(st.just("resize"), st.just(b""), st.integers(0, 120), st.just(0))


class Model:
    """The same, in the plainest way: a list, the least recently used first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.places: list[tuple[bytes, int, int, int]] = []

    def get(self, key: bytes, now: int) -> int | None:
        for place in self.places:
            if place[0] == key:
                self.places.remove(place)
                if now < place[3]:
                    self.places.append(place)
                    return place[1]
        return None

    def put(self, key: bytes, value: int, size: int, until: int) -> None:
        self.drop(key)
        if size <= self.limit:
            self.places.append((key, value, size, until))
            self.shrink()

    def drop(self, key: bytes) -> None:
        self.places = [place for place in self.places if place[0] != key]

    def shrink(self) -> None:
        while sum(place[2] for place in self.places) > self.limit:
            del self.places[0]


@given(st.lists(st.one_of(PUT, GET, DROP, WAIT, RESIZE), max_size=60))
def test_it_does_what_a_plain_list_would(steps: list[tuple[str, bytes, int, int]]) -> None:
    shelf: Shelf[int] = Shelf(100)
    model, now = Model(100), 0
    for serial, (what, key, number, lasts) in enumerate(steps):
        if what == "put":
            kept = shelf.put(key, serial, number, now + lasts)
            model.put(key, serial, number, now + lasts)
            assert kept == (number <= model.limit)
        elif what == "get":
            assert shelf.get(key, now) == model.get(key, now)
        elif what == "drop":
            shelf.drop(key)
            model.drop(key)
        elif what == "resize":
            shelf.resize(number)
            model.limit = number
            model.shrink()
        else:
            now += number
        assert shelf.size == sum(place[2] for place in model.places) <= model.limit
        assert len(shelf) == len(model.places)


def test_it_can_be_emptied() -> None:
    shelf: Shelf[str] = Shelf(10)
    shelf.put(b"a", "one", 4, 100)
    shelf.clear()
    assert (shelf.get(b"a", 0), shelf.size, len(shelf)) == (None, 0, 0)


def test_what_was_asked_for_stays() -> None:
    shelf: Shelf[str] = Shelf(10)
    shelf.put(b"a", "one", 5, 100)
    shelf.put(b"b", "two", 5, 100)
    shelf.get(b"a", 0)
    shelf.put(b"c", "three", 5, 100)
    assert [shelf.get(key, 0) for key in (b"a", b"b", b"c")] == ["one", None, "three"]
