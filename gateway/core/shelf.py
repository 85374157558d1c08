"""A shelf of bounded size: what was not asked for longest goes first, and nothing stays beyond its time. Pure: the
time is passed in, in any unit, the same everywhere."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class _Place(NamedTuple, Generic[T]):
    value: T
    size: int
    until: int


class Shelf(Generic[T]):
    """`size` is the sum of what is on it, never above `limit`."""

    __slots__ = ("_places", "limit", "size")

    def __init__(self, limit: int) -> None:
        self._places: OrderedDict[bytes, _Place[T]] = OrderedDict()
        self.limit = limit
        self.size = 0

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: bytes, now: int) -> T | None:
        """What is kept under the key, which is then the last to go."""
        place = self._places.get(key)
        if place is None:
            return None
        if now >= place.until:
            self.drop(key)
            return None
        self._places.move_to_end(key)
        return place.value

    def put(self, key: bytes, value: T, size: int, until: int) -> bool:
        """Whether it was kept: what is larger than the whole shelf is not, and what was under the key is gone in any
        case."""
        self.drop(key)
        if size > self.limit:
            return False
        self._places[key] = _Place(value, size, until)
        self.size += size
        self._make_room()
        return True

    def drop(self, key: bytes) -> None:
        place = self._places.pop(key, None)
        if place is not None:
            self.size -= place.size

    def resize(self, limit: int) -> None:
        self.limit = limit
        self._make_room()

    def clear(self) -> None:
        self._places.clear()
        self.size = 0

    def _make_room(self) -> None:
        while self.size > self.limit:
            _, place = self._places.popitem(last=False)
            self.size -= place.size
