"""The results of a batch: a file whose lines are answers, paid at batch prices when they are made.

https://platform.openai.com/docs/api-reference/batch
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.dialects.base import NULL, UNREADABLE
from gateway.dialects.openai_usage import any_usage
from gateway.dialects.results import LineResults
from gateway.dialects.tally import Tally


class _Body(msgspec.Struct):
    model: Any = None
    usage: msgspec.Raw = NULL


class _Response(msgspec.Struct):
    status_code: Any = None
    body: _Body | None = None


class _Line(msgspec.Struct):
    response: _Response | None = None


_decode_line = msgspec.json.Decoder(_Line).decode


class OpenAIFileContent(LineResults):
    name = "openai.file_content"
    family = "openai"
    bill_in = re.compile(rb"/files/([^/]+)/content$")

    def read_line(self, line: bytes, tally: Tally) -> None:
        try:
            response = _decode_line(line).response
        except UNREADABLE:
            return
        if response is None or response.body is None or response.status_code != 200:
            return
        raw = bytes(response.body.usage)
        usage = any_usage(raw) if raw != b"null" else None
        if usage is not None:
            tally.add(response.body.model if isinstance(response.body.model, str) else "", usage)
