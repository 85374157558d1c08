"""What all dialects of Google's have in common: paths that name the model, and the shape of errors."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.dialects.base import Dialect
from gateway.dialects.gemini_path import model_in, with_model
from gateway.errors import CallError

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""https://google.aip.dev/193, of the codes that the gateway answers with."""


class GeminiDialect(Dialect):
    family = "gemini"
    reads_body = True

    def model_in(self, path: bytes) -> str | None:
        return model_in(path)

    def with_model(self, path: bytes, model: str) -> bytes:
        return with_model(path, model)

    def streams(self, path: bytes) -> bool | None:
        return False

    def error_body(self, error: CallError) -> bytes:
        status = _STATUSES.get(error.status, "INVALID_ARGUMENT" if error.status < 500 else "INTERNAL")
        reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": error.code, "domain": "callgate"}
        shaped = {"code": error.status, "message": error.message, "status": status, "details": [reason]}
        return msgspec.json.encode({"error": shaped})


class Part(msgspec.Struct, rename="camel"):
    """A piece of content: text, a thought, a call of a function. Fields of other pieces are not read."""

    text: Any = None
    thought: Any = None
    function_call: Any = None


class Content(msgspec.Struct):
    role: Any = None
    parts: list[Part] | None = None


def text_of(content: Content | None) -> str | None:
    """The text of a content's parts, without thoughts."""
    parts = content.parts or () if content is not None else ()
    return "".join(part.text for part in parts if isinstance(part.text, str) and part.thought is not True) or None
