"""Bedrock's `converse` and `converse-stream`: one language for all of its models.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.core.span import ToolCall
from gateway.dialects.base import NOTHING, NULL, UNREADABLE, Answer, Context, error_message
from gateway.dialects.bedrock import Bedrock, failure
from gateway.dialects.bedrock_events import Event, events, settling
from gateway.dialects.bedrock_usage import converse_usage
from gateway.dialects.openai_chat import last_user_text

CONTENT = re.compile(rb'"(?:text|input|name|redactedContent)"\s*:\s*"[^"]')
"""The first thing generated, in any event: text, reasoning or a tool call."""


class _Tier(msgspec.Struct):
    type: Any = None


class _Router(msgspec.Struct, rename="camel"):
    invoked_model_id: Any = None


class _Trace(msgspec.Struct, rename="camel"):
    prompt_router: _Router | None = None


class _Head(msgspec.Struct, rename="camel"):
    usage: msgspec.Raw = NULL
    service_tier: _Tier | None = None
    trace: _Trace | None = None


class _Full(_Head):
    output: Any = None
    stop_reason: Any = None


class _Delta(msgspec.Struct, rename="camel"):
    """A `contentBlockStart` or `contentBlockDelta`."""

    content_block_index: int = 0
    start: Any = None
    delta: Any = None


class _Stop(msgspec.Struct, rename="camel"):
    stop_reason: Any = None


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_full = msgspec.json.Decoder(_Full).decode
_decode_delta = msgspec.json.Decoder(_Delta).decode
_decode_stop = msgspec.json.Decoder(_Stop).decode


class BedrockConverse(Bedrock):
    name = "bedrock.converse"

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        answer = settled_stream(settling(data)) if streaming else settled_whole(data)
        answer.model = answer.model or self.answered_model(context)
        return answer

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        answer = read_stream(events(data)) if streaming else read_whole(data)
        answer.model = answer.model or self.answered_model(context)
        return answer

    def prompt(self, body: bytes) -> str | None:
        return last_user_text(body)

    def first_content(self, data: bytes) -> bool:
        return CONTENT.search(data) is not None


def settled_whole(data: bytes) -> Answer:
    answer = Answer()
    _take_head(answer, data)
    return answer


def settled_stream(sent: Iterable[Event]) -> Answer:
    return _stream(sent, None)


def read_whole(data: bytes) -> Answer:
    answer = settled_whole(data)
    try:
        full = _decode_full(data)
    except UNREADABLE:
        return answer
    if isinstance(full.stop_reason, str):
        answer.finish_reasons = [full.stop_reason]
    said = _Said()
    message = full.output.get("message") if isinstance(full.output, dict) else None
    blocks = message.get("content") if isinstance(message, dict) else None
    for index, block in enumerate(blocks if isinstance(blocks, list) else ()):
        said.add(index, block)
    return said.into(answer)


def read_stream(sent: Iterable[Event]) -> Answer:
    said = _Said()
    return said.into(_stream(sent, said))


def _stream(sent: Iterable[Event], said: _Said | None) -> Answer:
    """A stream ends with `metadata`, which carries its usage; without it, it was cut."""
    answer = Answer(complete=False)
    for event in sent:
        if event.is_failure:
            answer.error = answer.error or failure(event)
        elif event.name == "metadata":
            answer.complete = True
            _take_head(answer, event.data)
        elif said is not None:
            _take_content(answer, said, event)
    return answer


def _take_head(answer: Answer, data: bytes) -> None:
    try:
        head = _decode_head(data)
    except UNREADABLE:
        return
    raw = bytes(head.usage)
    usage = converse_usage(raw) if raw != b"null" else None
    if usage is not None:
        answer.usage, answer.usage_raw = usage, raw
    if head.service_tier is not None and isinstance(head.service_tier.type, str):
        answer.service_tier = head.service_tier.type
    router = head.trace.prompt_router if head.trace is not None else None
    if router is not None and isinstance(router.invoked_model_id, str):  # a prompt router's choice, as an ARN
        answer.model = router.invoked_model_id.rpartition("/")[2] or None


def _take_content(answer: Answer, said: _Said, event: Event) -> None:
    try:
        if event.name == "messageStop":
            reason = _decode_stop(event.data).stop_reason
            if isinstance(reason, str):
                answer.finish_reasons.append(reason)
        elif event.name in ("contentBlockStart", "contentBlockDelta"):
            found = _decode_delta(event.data)
            said.add(found.content_block_index, found.delta or found.start)
    except UNREADABLE:
        return


class _Said:
    """The content of an answer, block by block; a stream's blocks come in pieces under one index."""

    def __init__(self) -> None:
        self._text: dict[int, list[str]] = {}
        self._reasoning: list[str] = []
        self._calls: dict[int, list[Any]] = {}

    def add(self, index: int, block: Any) -> None:
        if not isinstance(block, dict):
            return
        if isinstance(text := block.get("text"), str):
            self._text.setdefault(index, []).append(text)
        thought = block.get("reasoningContent")
        if isinstance(thought, dict):
            whole = thought.get("reasoningText")
            text = whole.get("text") if isinstance(whole, dict) else thought.get("text")
            if isinstance(text, str):
                self._reasoning.append(text)
        if isinstance(call := block.get("toolUse"), dict):
            self._add_call(index, call)

    def _add_call(self, index: int, call: dict[str, Any]) -> None:
        known = self._calls.setdefault(index, [None, None, []])
        for position, key in enumerate(("name", "toolUseId")):
            if known[position] is None and isinstance(value := call.get(key), str):
                known[position] = value
        arguments = call.get("input")
        if arguments is not None:
            known[2].append(arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode())

    def into(self, answer: Answer) -> Answer:
        answer.text = "\n\n".join("".join(parts) for _, parts in sorted(self._text.items())) or None
        answer.reasoning = "".join(self._reasoning) or None
        answer.tool_calls = [
            ToolCall(name=name, id=id_, arguments="".join(arguments) or None)
            for _, (name, id_, arguments) in sorted(self._calls.items())
            if name
        ]
        return answer
