"""The results of a batch: a file whose lines are answers, paid at batch prices when they are made.

https://platform.openai.com/docs/api-reference/batch

A batch runs where no gateway sees it. What it used is learnt when its results are fetched; the file's id is the bill,
so fetching it again costs nothing. Any other file has no such lines, and no usage.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec.structs import astuple

from gateway.dialects.base import NOTHING, NULL, UNREADABLE, Answer, Billed, Context, Dialect, error_message
from gateway.dialects.openai_usage import any_usage
from pricing.usage import Usage

_FILE = re.compile(rb"/files/([^/]+)/content$")
TIER = "batch"


class _Body(msgspec.Struct):
    model: Any = None
    usage: msgspec.Raw = NULL


class _Response(msgspec.Struct):
    status_code: Any = None
    body: _Body | None = None


class _Line(msgspec.Struct):
    custom_id: Any = None
    response: _Response | None = None


_decode_line = msgspec.json.Decoder(_Line).decode


class OpenAIFileContent(Dialect):
    name = "openai.file_content"
    kind = "file"
    family = "openai"
    keeps_bytes = 64 * 1024 * 1024
    """A file is metered whole or not at all."""

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        used = _used_by_model(data)
        if not used:
            return Answer()
        (model, usage), *others = used.items()
        file = _FILE.search(context.path)
        return Answer(
            model=model or None,
            usage=usage,
            usage_raw=msgspec.json.encode({name or "unknown": counts for name, counts in used.items()}),
            service_tier=TIER,
            also=[Billed(name, counts, TIER) for name, counts in others],
            bill_id=file[1].decode("latin-1") if file else None,
        )

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        answer = self.settle(data, streaming, context)
        if answer.usage is not None:
            answer.kind = "batch"
        return answer


def _used_by_model(data: bytes) -> dict[str, Usage]:
    """What the lines used, by the model that answered; empty for a file that is no batch's, or not kept whole: a gap
    in it leaves an empty line, which no such file has."""
    if b'"custom_id"' not in data[:4096] or b"\n\n" in data.rstrip():
        return {}
    sums: dict[str, list[Any]] = {}
    for line in data.splitlines():
        try:
            response = _decode_line(line).response
        except UNREADABLE:
            continue
        if response is None or response.body is None or response.status_code != 200:
            continue
        raw = bytes(response.body.usage)
        usage = any_usage(raw) if raw != b"null" else None
        if usage is not None:
            model = response.body.model if isinstance(response.body.model, str) else ""
            _add(sums.setdefault(model, [None] * len(Usage.__struct_fields__)), usage)
    return {model: Usage(*counts) for model, counts in sums.items()}


def _add(counts: list[Any], usage: Usage) -> None:
    """Count by count; what no line reports is not reported."""
    for place, count in enumerate(astuple(usage)):
        if count is not None:
            counts[place] = count + (counts[place] or 0)


def added(one: Usage, other: Usage) -> Usage:
    """Count by count; not reported by either is not reported."""
    counts = list(astuple(one))
    _add(counts, other)
    return Usage(*counts)
