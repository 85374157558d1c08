"""What all of Bedrock's operations share: the model in the path, the shape of errors.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

import msgspec

from gateway.core import eventstream
from gateway.dialects.base import NOTHING, Answer, Context, Dialect, error_message
from gateway.dialects.bedrock_events import Event
from gateway.errors import CallError

_PATH = re.compile(rb"/model/([^/]+)/(?=[^/]+$)")
_OPERATION = re.compile(rb"/[^/]+$")

_EXCEPTIONS = {
    400: "validationException",
    401: "accessDeniedException",
    402: "serviceQuotaExceededException",
    403: "accessDeniedException",
    404: "resourceNotFoundException",
    408: "modelTimeoutException",
    413: "validationException",
    429: "throttlingException",
    503: "serviceUnavailableException",
    504: "modelTimeoutException",
}


class Bedrock(Dialect):
    """An operation on a model: `/model/{id}/{operation}`. Streams are binary, so a whole error is never inside one by
    accident: it has a frame of its own."""

    family = "bedrock"
    reads_body = True
    needs_model = True
    stream_types = (eventstream.CONTENT_TYPE.encode(),)

    def model_in(self, path: bytes) -> str | None:
        """ARNs of profiles and models are percent-encoded by clients; a slash in one that is not stays in the id."""
        found = _PATH.search(path)
        if found is None:
            found = re.search(rb"/model/(arn:.+)/(?=[^/]+$)", path)
        return unquote(found[1].decode("latin-1")) if found else None

    def with_model(self, path: bytes, model: str) -> bytes:
        operation = _OPERATION.search(path)
        before = path[: path.rfind(b"/model/")]
        return b"%b/model/%b%b" % (before, quote(model, safe="").encode(), operation[0] if operation else b"")

    def streams(self, path: bytes) -> bool | None:
        return path.endswith((b"/converse-stream", b"/invoke-with-response-stream"))

    def answered_model(self, context: Context) -> str | None:
        """The only word on it is the request's path."""
        return context.model or self.model_in(context.path)

    def error_body(self, error: CallError) -> bytes:
        name = _exception(error.status)
        code = name[0].upper() + name[1:]
        return msgspec.json.encode({"message": error.message, "code": code, "reason": error.code})

    def error_event(self, error: CallError) -> bytes:
        """An exception frame: what an SDK raises as that exception."""
        headers = {
            ":exception-type": _exception(error.status),
            ":content-type": "application/json",
            ":message-type": "exception",
        }
        return eventstream.encode(headers, self.error_body(error))

    def last_words(self, sent: bytes, error: CallError) -> bytes | None:
        """Within a message nothing can be said: an SDK would take it for the rest of that message."""
        decoder = eventstream.EventStreamDecoder()
        decoder.feed(sent)
        if decoder.is_damaged or not decoder.is_between_messages:
            return None
        return self.error_event(error)


class BedrockCountTokens(Bedrock):
    """`count-tokens`: an answer about tokens, of which none were used."""

    name = "bedrock.count_tokens"
    kind = "tokens"

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        return Answer(model=self.answered_model(context))

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        return self.settle(data, streaming, context)


class BedrockOther(Bedrock):
    """What is not about one model, held all the same: a request is signed with its body."""

    name = "bedrock.other"
    kind = "other"
    needs_model = False

    def streams(self, path: bytes) -> bool | None:
        return False


def _exception(status: int) -> str:
    return _EXCEPTIONS.get(status, "validationException" if status < 500 else "internalServerException")


def failure(event: Event) -> str:
    """The message of an event that is an exception."""
    return error_message(event.data) or event.name
