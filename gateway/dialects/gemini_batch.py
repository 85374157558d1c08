"""Gemini's batches: https://ai.google.dev/gemini-api/docs/batch-api

A batch is an operation. When it is done its answers are within it, or in a file with one on each line; either way they
are paid at batch prices, by the operation's or the file's name.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.dialects.base import NOTHING, NULL, UNREADABLE, Answer, Context, error_message
from gateway.dialects.gemini_dialect import GeminiDialect
from gateway.dialects.gemini_usage import gemini_usage
from gateway.dialects.results import LineResults
from gateway.dialects.tally import Tally


class _Response(msgspec.Struct, rename="camel"):
    """Of one request, whatever it asked for."""

    model_version: Any = None
    usage_metadata: msgspec.Raw = NULL


class _Line(msgspec.Struct):
    response: _Response | None = None
    """None for a request that failed; it is not billed."""


class _Inlined(msgspec.Struct, rename="camel"):
    """The list is called as the object that holds it."""

    inlined_responses: list[_Line] | None = None
    inlined_embed_content_responses: list[_Line] | None = None


class _Output(msgspec.Struct, rename="camel"):
    inlined_responses: _Inlined | None = None
    inlined_embed_content_responses: _Inlined | None = None


class _Metadata(msgspec.Struct):
    model: Any = None
    output: _Output | None = None


class _Operation(msgspec.Struct):
    name: Any = None
    done: Any = None
    metadata: _Metadata | None = None
    response: _Output | None = None
    error: msgspec.Raw = NULL


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_operation = msgspec.json.Decoder(_Operation).decode


class GeminiBatches(GeminiDialect):
    """Making, listing, cancelling: nothing is used yet, or it was paid already."""

    name = "gemini.batches"
    kind = "batch"
    reads_body = False


class GeminiBatch(GeminiDialect):
    """A batch looked at: its bill once it is done and holds its answers itself."""

    name = "gemini.batch"
    kind = "batch"
    reads_body = False
    keeps_bytes = 64 * 1024 * 1024
    """Answers are metered whole or not at all; a batch with more of them has a file."""

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        try:
            operation = _decode_operation(data)
        except UNREADABLE:
            return Answer()
        model = operation.metadata.model if operation.metadata is not None else None
        asked = model.rpartition("/")[2] if isinstance(model, str) else ""
        tally = Tally()
        for line in _answers(operation):
            _add(line, tally, asked)
        answer = tally.answer(operation.name if isinstance(operation.name, str) and operation.name else None)
        if bytes(operation.error) != b"null":
            answer.error = error_message(b'{"error":' + bytes(operation.error) + b"}") or "the batch failed"
        return answer

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        return self.settle(data, streaming, context)


class GeminiResultsFile(GeminiDialect, LineResults):
    """A file that is fetched: `/download/v1beta/files/{id}:download?alt=media`."""

    name = "gemini.results"
    kind = "file"
    reads_body = False
    mark = b'"response"'
    bill_in = re.compile(rb"/(files/[^/:]+):download$")

    def read_line(self, line: bytes, tally: Tally) -> None:
        try:
            _add(_decode_line(line), tally)
        except UNREADABLE:
            return


def _answers(operation: _Operation) -> list[_Line]:
    """What a batch that is done answered; it may say so twice, as its response and in its metadata."""
    outputs = (operation.response, operation.metadata.output if operation.metadata is not None else None)
    output = next((output for output in outputs if output is not None), None)
    if output is None or operation.done is not True:
        return []
    held = output.inlined_responses or output.inlined_embed_content_responses
    if held is None:
        return []
    return held.inlined_responses or held.inlined_embed_content_responses or []


def _add(line: _Line, tally: Tally, model: str = "") -> None:
    """`model` is what was asked for, for an answer that names none."""
    answered = line.response
    spent = gemini_usage(bytes(answered.usage_metadata)) if answered is not None else None
    if answered is not None and spent is not None:
        named = answered.model_version
        tally.add(named if isinstance(named, str) and named else model, spent.usage)
