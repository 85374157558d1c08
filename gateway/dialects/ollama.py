"""Ollama's own API: chat, generate, embed. Streams are JSON lines; counts are on the last one.

https://docs.ollama.com/api (its OpenAI surface is read by `openai_chat`)
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gateway.core.span import ToolCall
from gateway.dialects.base import NOTHING, UNREADABLE, Answer, Context, Dialect, error_message
from gateway.dialects.counts import Tokens
from gateway.dialects.openai_chat import last_user_text
from gateway.errors import CallError
from pricing.usage import Usage

_CONTENT = re.compile(rb'"(?:content|thinking|response|name)"\s*:\s*"[^"]')


class _Counts(msgspec.Struct):
    prompt_eval_count: Tokens = None
    eval_count: Tokens = None


class _Message(msgspec.Struct):
    content: Any = None
    thinking: Any = None
    tool_calls: Any = None


class _Line(msgspec.Struct):
    """A whole answer is one."""

    model: Any = None
    message: _Message | None = None
    response: Any = None
    """The text, of `generate`."""
    thinking: Any = None
    done: Any = None
    done_reason: Any = None
    error: Any = None


class _Request(msgspec.Struct):
    prompt: Any = None
    input: Any = None


_decode_counts = msgspec.json.Decoder(_Counts).decode
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_request = msgspec.json.Decoder(_Request).decode


class OllamaChat(Dialect):
    """Also `generate`, which is asked for a prompt and answers with a text."""

    name = "ollama.chat"
    kind = "llm"
    family = "ollama"
    reads_body = True
    needs_model = True
    stream_types = (b"application/x-ndjson",)

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        return _collected(data, streaming, full=False)

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        return _collected(data, streaming, full=True)

    def prompt(self, body: bytes) -> str | None:
        try:
            asked = _decode_request(body)
        except UNREADABLE:
            return None
        for given in (asked.prompt, asked.input):
            if isinstance(given, list) and given and all(isinstance(part, str) for part in given):
                return "\n".join(given)
            if isinstance(given, str) and given:
                return given
        return last_user_text(body)

    def first_content(self, data: bytes) -> bool:
        return _CONTENT.search(data) is not None

    def error_event(self, error: CallError) -> bytes:
        """A line like the others."""
        return self.error_body(error) + b"\n"


class OllamaEmbed(OllamaChat):
    name = "ollama.embed"
    kind = "embedding"


_CHAT = OllamaChat()

ENDPOINTS: tuple[tuple[bytes, re.Pattern[bytes], Dialect], ...] = (
    (b"POST", re.compile(rb"/api/(?:chat|generate)$"), _CHAT),
    (b"POST", re.compile(rb"/api/embed$"), OllamaEmbed()),
)


def _collected(data: bytes, streaming: bool, *, full: bool) -> Answer:
    """`settle` needs the first and the last lines alone, and those that speak of an error."""
    answer = Answer(complete=not streaming)
    lines = [line for line in data.splitlines() if line.strip()] if streaming else [data]
    texts: list[str] = []
    thoughts: list[str] = []
    for place, line in enumerate(lines):
        if not full and 0 < place < len(lines) - 1 and b'"error"' not in line and b'"done":true' not in line:
            continue
        try:
            said = _decode_line(line)
        except UNREADABLE:
            continue
        if answer.model is None and isinstance(said.model, str) and said.model:
            answer.model = said.model
        if said.error is not None and answer.error is None:
            answer.error = error_message(line) or "the answer carried an error"
        if said.done is True or not streaming:
            _take_end(answer, said, line)
        if full:
            _take_content(answer, said, texts, thoughts)
    answer.text, answer.reasoning = "".join(texts) or None, "".join(thoughts) or None
    if not full:
        answer.finish_reasons = []
    return answer


def _take_end(answer: Answer, said: _Line, line: bytes) -> None:
    answer.complete = answer.complete or said.done is True
    if isinstance(said.done_reason, str):
        answer.finish_reasons = [said.done_reason]
    try:
        counts = _decode_counts(line)
    except UNREADABLE:
        return
    if counts.prompt_eval_count is not None or counts.eval_count is not None:
        answer.usage = Usage(counts.prompt_eval_count, counts.eval_count)
        answer.usage_raw = msgspec.json.encode(counts)


def _take_content(answer: Answer, said: _Line, texts: list[str], thoughts: list[str]) -> None:
    message = said.message or _Message()
    for piece, pieces in (
        (message.content, texts),
        (said.response, texts),
        (message.thinking, thoughts),
        (said.thinking, thoughts),
    ):
        if isinstance(piece, str):
            pieces.append(piece)
    for call in message.tool_calls if isinstance(message.tool_calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and isinstance(name := function.get("name"), str):
            arguments = function.get("arguments")
            written = msgspec.json.encode(arguments).decode() if arguments is not None else None
            answer.tool_calls.append(ToolCall(name=name, arguments=written))
