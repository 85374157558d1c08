"""What all of Cohere's endpoints have in common. None of their answers names the model: it is the one asked for."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec

from gateway.dialects.base import NOTHING, UNREADABLE, Answer, Context, Dialect, error_message
from gateway.dialects.cohere_usage import Reported, cohere_usage
from gateway.dialects.evidence import with_evidence
from gateway.errors import CallError


class Body(Reported):
    """An answer's top level, as far as all endpoints share it."""

    id: Any = None
    response_id: Any = None
    """Of version 1, and what the answer is known by there."""


_decode = msgspec.json.Decoder(Body).decode


class CohereDialect(Dialect):
    family = "cohere"
    reads_body = True
    needs_model = True

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        answer = Answer()
        with suppress(*UNREADABLE):
            take_usage(answer, _decode(data))
        return with_evidence(answer, data, context)

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        answer = self.settle(data, streaming, context)
        try:
            body = _decode(data)
        except UNREADABLE:
            return answer
        answer.response_id = next((name for name in (body.response_id, body.id) if isinstance(name, str)), None)
        return answer

    def error_body(self, error: CallError) -> bytes:
        return msgspec.json.encode({"message": error.message, "code": error.code})


def take_usage(answer: Answer, reported: Reported) -> None:
    spent = cohere_usage(reported)
    if spent is not None:
        answer.usage, answer.usage_raw = spent
