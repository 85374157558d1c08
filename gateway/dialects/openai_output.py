"""The output items of a response: text, reasoning, tool calls, and what the provider's own tools used.

An item has a type. Tools that the client runs, and MCP tools, are `…_call` items with a name; the provider's own
(`web_search_call`, `file_search_call`, `code_interpreter_call`, …) have none and are no calls of the client's.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.core.span import ToolCall
from gateway.dialects.base import NULL, UNREADABLE, Answer, Billed
from gateway.dialects.openai_usage import responses_usage
from pricing.usage import Usage

Output = Any
"""The list of items as decoded; anything else where a provider sends something else."""

_SPEECH = ("response.output_text.delta", "response.refusal.delta")
_THOUGHT = ("response.reasoning_text.delta", "response.reasoning_summary_text.delta")
_ITEMS = ("response.output_item.added", "response.output_item.done")

IMAGE_TOOL_MODEL = "gpt-image-1"
"""What draws where the tool names no model."""

CONTAINER = "container"
"""What the price file calls a session of the code interpreter."""
_OWN_CONTAINER = "cntr_"
"""How OpenAI's ids of containers begin; in translated answers there are others', which nobody pays for."""
_BILLED_ITEMS = (
    b'"web_search_call"',
    b'"image_generation_call"',
    b'"file_search_call"',
    b'"code_interpreter_call"',
)


class Collected:
    """Puts the output together from the events of a stream; a response that carries its output replaces all that."""

    def __init__(self) -> None:
        self._items: dict[int, dict[str, Any]] = {}
        self._said: dict[tuple[int, int], list[str]] = {}
        self._thought: list[str] = []

    def add(self, type_: Any, item: Any, output_index: Any, content_index: Any, delta: Any) -> None:
        place = output_index if isinstance(output_index, int) else len(self._items)
        if type_ in _ITEMS and isinstance(item, dict):
            self._items[place] = item
        elif type_ in _SPEECH and isinstance(delta, str):
            part = content_index if isinstance(content_index, int) else 0
            self._said.setdefault((place, part), []).append(delta)
        elif type_ in _THOUGHT and isinstance(delta, str):
            self._thought.append(delta)

    def finish(self, output: Output) -> None:
        if isinstance(output, list) and output:
            self._items = dict(enumerate(item for item in output if isinstance(item, dict)))

    def into(self, answer: Answer) -> None:
        items = [item for _, item in sorted(self._items.items())]
        spoken = [text for item in items if item.get("type") == "message" for text in _texts(item.get("content"))]
        if not spoken:
            spoken = ["".join(parts) for _, parts in sorted(self._said.items())]
        thoughts = [
            text
            for item in items
            if item.get("type") == "reasoning"
            for text in (_texts(item.get("summary")) or _texts(item.get("content")))
        ]
        answer.text = "\n\n".join(spoken) or None
        answer.reasoning = "\n\n".join(thoughts) or "".join(self._thought) or None
        answer.tool_calls = [call for item in items if (call := _tool_call(item))]


def _texts(content: Any) -> list[str]:
    """Of message parts (`text`, `refusal`) and summaries, those that are text."""
    if isinstance(content, str):
        return [content] if content else []
    parts = content if isinstance(content, list) else []
    found = (part.get("text") or part.get("refusal") for part in parts if isinstance(part, dict))
    return [text for text in found if isinstance(text, str) and text]


def _tool_call(item: dict[str, Any]) -> ToolCall | None:
    type_, name = item.get("type"), item.get("name")
    if not (isinstance(type_, str) and type_.endswith("_call") and isinstance(name, str) and name):
        return None
    written = item.get("arguments", item.get("input"))
    if written is not None and not isinstance(written, str):
        written = msgspec.json.encode(written).decode()
    id_ = item.get("call_id") or item.get("id")
    return ToolCall(name=name, id=id_ if isinstance(id_, str) else None, arguments=written)


# ---------------------------------------------------------------------------------------------- what its tools used


class _Item(msgspec.Struct):
    type: Any = None
    action: Any = None
    container_id: Any = None


class _Searches(msgspec.Struct):
    num_requests: Any = None


class _ToolUsage(msgspec.Struct):
    web_search: _Searches | None = None
    image_gen: msgspec.Raw = NULL


class _Tool(msgspec.Struct):
    type: Any = None
    model: Any = None
    container: Any = None


class _Used(msgspec.Struct):
    output: list[_Item] | None = None
    tool_usage: _ToolUsage | None = None
    tools: list[_Tool] | None = None


class _UsedEvent(_Used):
    response: _Used | None = None


_decode_used = msgspec.json.Decoder(_UsedEvent).decode


def with_tools(answer: Answer, payload: bytes) -> None:
    """Adds what is billed beside the tokens: searches of the web and of files, the image model's tokens, containers
    that code ran in. `payload` is a response, or an event around one."""
    if answer.usage is None or payload.rfind(b'_call"') < 0 or not any(item in payload for item in _BILLED_ITEMS):
        return
    try:
        used: _Used = _decode_used(payload)
    except UNREADABLE:
        return
    if isinstance(used, _UsedEvent) and used.response is not None:
        used = used.response
    kinds = [item.type for item in used.output or ()]
    if b'"web_search_call"' in payload:
        answer.usage = replace(answer.usage, web_searches=_searches(used))
    if "file_search_call" in kinds:
        answer.usage = replace(answer.usage, file_searches=kinds.count("file_search_call"))
    drawn = _drawn(used) if b'"image_generation_call"' in payload else None
    answer.also = [drawn] if drawn is not None else []
    answer.shared = _containers(used) if "code_interpreter_call" in kinds else {}
    answer.also += answer.shared.values()


def _searches(used: _Used) -> int:
    """As billed, where the response says so; else the searches among the items: opening a page of a search's results
    is free, and no search."""
    told = used.tool_usage.web_search.num_requests if used.tool_usage and used.tool_usage.web_search else None
    if isinstance(told, int) and not isinstance(told, bool) and told > 0:
        return told
    return sum(item.type == "web_search_call" and _is_search(item.action) for item in used.output or ())


def _is_search(action: Any) -> bool:
    return not isinstance(action, dict) or action.get("type") in (None, "search")


def _drawn(used: _Used) -> Billed | None:
    raw = bytes(used.tool_usage.image_gen) if used.tool_usage is not None else b"null"
    usage = responses_usage(raw) if raw != b"null" else None
    if usage is None or not usage.total_tokens:
        return None
    models = [tool.model for tool in used.tools or () if tool.type == "image_generation"]
    return Billed(next((model for model in models if isinstance(model, str) and model), IMAGE_TOOL_MODEL), usage)


def _containers(used: _Used) -> dict[str, Billed]:
    """Those that were opened for the response, by their ids. One that the request names was paid when it was made."""
    tools = [tool.container for tool in used.tools or () if tool.type == "code_interpreter"]
    size = next((tool.get("memory_limit") for tool in tools if isinstance(tool, dict)), None)
    found = (item.container_id for item in used.output or () if item.type == "code_interpreter_call")
    return {
        container: Billed(CONTAINER, Usage(code_sessions=gigabytes(size)))
        for container in found
        if isinstance(container, str) and container.startswith(_OWN_CONTAINER) and container not in tools
    }


def gigabytes(memory_limit: Any) -> int:
    """Of `4g`; one where nothing is said."""
    size = memory_limit.removesuffix("g") if isinstance(memory_limit, str) else ""
    return int(size) if size.isdecimal() and len(size) <= 4 else 1


# ---------------------------------------------------------------------------------------------- what was asked


class _Request(msgspec.Struct):
    input: Any = None


_decode_request = msgspec.json.Decoder(_Request).decode


def last_input_text(body: bytes) -> str | None:
    """Of a request: `input` is a text, or items of which some are messages."""
    try:
        given = _decode_request(body).input
    except UNREADABLE:
        return None
    if isinstance(given, str):
        return given or None
    items = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    for wanted in ("user", None):
        for item in reversed(items):
            if (wanted is None or item.get("role") == wanted) and (found := _texts(item.get("content"))):
                return "\n".join(found)
    return None
