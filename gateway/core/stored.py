"""Rows of the log as a store gives them to an export, many at a time and by column.

A span of each row is what most readers want. An export has a hundred thousand of them and writes them out again: there
it pays to leave text as text, and to go through a column at once rather than through the fields of every row.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec

from gateway.core.derived import body_json, generated_per_second
from gateway.core.span import Attempt, ToolCall
from pricing.usage import Billed, Usage

PLAIN = [
    "request_id",
    "trace_id",
    "span_id",
    "parent_span_id",
    "kind",
    "name",
    "started_at",
    "ended_at",
    "tenant",
    "environment",
    "key_id",
    "user",
    "session",
    "feature",
    "workflow",
    "agent",
    "config",
    "variant",
    "config_version",
    "prompt",
    "prompt_version",
    "provider",
    "endpoint",
    "dialect",
    "model_requested",
    "model",
    "response_id",
    "upstream_request_id",
    "client_request_id",
    "stream",
    "status_code",
    "error_type",
    "finish_reason",
    "usage_source",
    "service_tier",
    "cost_nanousd",
    "input_cost_nanousd",
    "output_cost_nanousd",
    "charge_nanousd",
    "cost_source",
    "price_id",
    "latency_us",
    "ttft_us",
    "upstream_us",
    "overhead_us",
    "cache",
    "upstream_provider",
    "saved_nanousd",
]
"""Fields of Span, by the same name. `stream` is 0 or 1, times are µs, money nano-dollars."""
DETAILS = [
    "error_message",
    "input_preview",
    "output_preview",
    "tags",
    "tool_calls",
    "usage",
    "usage_raw",
    "attempts",
    "also",
    "priced_as",
]
"""Containers are JSON as text, or null where they are empty; `usage_raw` is bytes as they came."""
COLUMNS = [*PLAIN, *DETAILS]

StoredRow = tuple[Any, ...]
"""The values of COLUMNS."""

_NO_USAGE = Usage()
_usages = msgspec.json.Decoder(list[Usage | None]).decode
_attempts = msgspec.json.Decoder(list[list[Attempt]]).decode
_tags = msgspec.json.Decoder(list[dict[str, str]]).decode
_tool_calls = msgspec.json.Decoder(list[list[ToolCall] | None]).decode
_also = msgspec.json.Decoder(list[list[Billed]]).decode


class Block:
    """Some rows, at least one. Every column has a value for each, in their order."""

    def __init__(self, rows: Sequence[StoredRow]) -> None:
        self._columns: dict[str, Sequence[Any]] = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
        self.size = len(rows)

    def __getitem__(self, name: str) -> Sequence[Any]:
        """A column as it is stored."""
        return self._columns[name]

    @cached_property
    def usages(self) -> list[Usage]:
        """One that knows nothing where there is none."""
        return [_NO_USAGE if usage is None else usage for usage in _usages(self._as_array("usage", "null"))]

    @cached_property
    def attempts(self) -> list[list[Attempt]]:
        return _attempts(self._as_array("attempts", "[]"))

    @cached_property
    def tags(self) -> list[dict[str, str]]:
        return _tags(self._as_array("tags", "{}"))

    @cached_property
    def tool_calls(self) -> list[list[ToolCall] | None]:
        return _tool_calls(self._as_array("tool_calls", "null"))

    @cached_property
    def also(self) -> list[list[Billed]]:
        return _also(self._as_array("also", "[]"))

    @cached_property
    def usage_raw(self) -> list[msgspec.Raw | None]:
        """As `body_json` makes it: what a provider sent need not be JSON."""
        return [body_json(raw) for raw in self["usage_raw"]]

    @cached_property
    def tokens_per_second(self) -> list[float | None]:
        return [
            None if ttft_us is None else generated_per_second(usage.output_tokens, latency_us, ttft_us, cache)
            for usage, latency_us, ttft_us, cache in zip(
                self.usages, self["latency_us"], self["ttft_us"], self["cache"], strict=True
            )
        ]

    def _as_array(self, name: str, empty: str) -> str:
        """A column of JSON as one array, which is decoded in one go."""
        return f"[{','.join([text or empty for text in self[name]])}]"
