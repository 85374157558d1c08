"""The small endpoints: moderations, rerankings, pages read (OCR), tokens counted, files kept.

https://platform.openai.com/docs/api-reference/moderations
https://docs.voyageai.com/reference/reranker-api  https://api.jina.ai/redoc  https://docs.together.ai/reference/rerank
https://docs.mistral.ai/api/endpoint/ocr
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from gateway.dialects.base import NOTHING, NULL, UNREADABLE, Answer, Context, Dialect, error_message
from gateway.dialects.evidence import with_evidence
from gateway.dialects.openai_chat import plain_text
from gateway.dialects.openai_deployment import InDeployment
from gateway.dialects.openai_usage import MOST, any_usage
from pricing.usage import Usage

_Count = Annotated[int, msgspec.Meta(ge=0, le=MOST)] | None


class _BilledUnits(msgspec.Struct):
    search_units: Annotated[float, msgspec.Meta(ge=0, le=MOST)] | None = None


class _Meta(msgspec.Struct):
    billed_units: _BilledUnits | None = None


class _Pages(msgspec.Struct):
    pages_processed: _Count = None


class _Whole(msgspec.Struct):
    id: Any = None
    model: Any = None
    usage: msgspec.Raw = NULL
    usage_info: msgspec.Raw = NULL
    meta: msgspec.Raw = NULL
    error: msgspec.Raw = NULL


class _Request(msgspec.Struct):
    input: Any = None
    query: Any = None


_decode_whole = msgspec.json.Decoder(_Whole).decode
_decode_meta = msgspec.json.Decoder(_Meta).decode
_decode_pages = msgspec.json.Decoder(_Pages).decode
_decode_request = msgspec.json.Decoder(_Request).decode


class Plain(InDeployment, Dialect):
    """An endpoint that answers with one JSON object and no stream. What it used is wherever its kind has it."""

    family = "openai"

    reads_body = True
    needs_model = True

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        try:
            whole = _decode_whole(data)
        except UNREADABLE:
            return Answer()
        answer = Answer(model=whole.model if isinstance(whole.model, str) and whole.model else None)
        if isinstance(whole.id, str) and whole.id:
            answer.response_id = whole.id
        if bytes(whole.error) != b"null":
            answer.error = error_message(b'{"error":' + bytes(whole.error) + b"}") or "the answer carried an error"
        for raw, usage_in in ((whole.usage, any_usage), (whole.meta, _search_units), (whole.usage_info, _pages)):
            written = bytes(raw)
            if answer.usage is None and written != b"null" and (usage := usage_in(written)) is not None:
                answer.usage, answer.usage_raw = usage, written
        return with_evidence(answer, data, context)

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        return self.settle(data, streaming, context)

    def prompt(self, body: bytes) -> str | None:
        try:
            asked = _decode_request(body)
        except UNREADABLE:
            return None
        given = asked.query if asked.query is not None else asked.input
        if isinstance(given, list) and all(isinstance(part, str) for part in given):
            return "\n".join(given) or None
        return plain_text(given)


class Unmetered(Dialect):
    """What is kept at the provider: stored responses, files, batches. Its objects may repeat the usage of calls that
    were booked when they were made, so none is read here."""

    family = "openai"

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind


def _search_units(raw: bytes) -> Usage | None:
    """Cohere's way, also of others that speak like it: one unit is one query with up to 100 documents."""
    try:
        units = _decode_meta(raw).billed_units
    except UNREADABLE:
        return None
    return Usage(search_units=int(units.search_units)) if units and units.search_units is not None else None


def _pages(raw: bytes) -> Usage | None:
    try:
        pages = _decode_pages(raw).pages_processed
    except UNREADABLE:
        return None
    return Usage(pages=pages) if pages is not None else None
