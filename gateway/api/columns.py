"""The fields of a record for many rows at once, by column: what an export writes.

The same values as those of `record.values_of`, which makes them of one span; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from gateway.api.record import FIELDS, attempt_record, billed_record, moment, ms, tool_call_record, usd
from gateway.core.stored import PLAIN, Block
from pricing.usage import Usage

Column = Sequence[Any]
"""Of a block: a value for each row."""


def columns_of(block: Block) -> list[Column]:
    """In the order of FIELDS."""
    return [make(block) for make in _MAKERS]


def _maker(name: str) -> Callable[[Block], Column]:
    if name in _MADE:
        return _MADE[name]
    if name.endswith("_at"):
        return lambda block: [None if us is None else moment(us) for us in block[name]]
    if name.endswith("_usd"):
        amount = f"{name.removesuffix('_usd')}_nanousd"
        return lambda block: list(map(usd, block[amount]))
    if name.endswith("_ms"):
        duration = f"{name.removesuffix('_ms')}_us"
        return lambda block: list(map(ms, block[duration]))
    if name in PLAIN or name in ("error_message", "input_preview", "output_preview"):
        return lambda block: block[name]
    assert hasattr(Usage, name), name
    of_usage = attrgetter(name)
    return lambda block: list(map(of_usage, block.usages))


def _tool_calls(block: Block) -> Column:
    return [None if calls is None else [tool_call_record(call) for call in calls] for calls in block.tool_calls]


def _tags(block: Block) -> Column:
    """The text of the store, which is the JSON of the record."""
    return [msgspec.Raw(tags or "{}") for tags in block["tags"]]


_MADE: dict[str, Callable[[Block], Column]] = {
    "stream": lambda block: list(map(bool, block["stream"])),
    "tool_calls": _tool_calls,
    "usage_raw": lambda block: block.usage_raw,
    "tokens_per_second": lambda block: block.tokens_per_second,
    "attempts": lambda block: [list(map(attempt_record, attempts)) for attempts in block.attempts],
    "tags": _tags,
    "billed_also": lambda block: [list(map(billed_record, parts)) for parts in block.also],
}
_MAKERS = [_maker(name) for name in FIELDS]
