"""What providers really answered, through the translator: the client's dialect says the same, and bills the same."""

from __future__ import annotations

import asyncio
import json
import re
from functools import cache

from gateway.dialects import Answer as Read
from tests.dialects import recorded
from tests.dialects.recorded import Record, each
from tests.translation.provider import ENGINE, Answer, Provider, closing, request, said, serving

pytestmark = recorded.needs_recordings

SPEAKS = {"anthropic": "anthropic", "google": "gemini", "cohere": "cohere", "bedrock": "bedrock"}

NOT_CARRIED = {"total_reported", "tool_prompt_tokens", "cached_audio_tokens"}
"""Counts that no client's usage object has a place for, and no price depends on."""

ANOTHER_MODEL = {"rbcf1c7dcedd7d91", "r8f4b42698c2ef85", "ra67b82f496dd82f", "r69c8e625e8e6607"}
"""An advisor answered as well, at another model's price: OpenAI's usage cannot say that."""

THINKS_ALOUD = {"ra930f29abb76355"}
"""Wrote its reasoning into the text; litellm takes it out."""

UNREADABLE = {"raa2133a09c0c96a", "r45de680c1c69e9a"}
"""Answers in OpenAI's dialect that litellm refuses: an empty `custom` tool, Mistral's content in parts."""


def chats(*files: str) -> list[Record]:
    """Calls of models that talk, but for those in a language that the translator's side does not speak."""
    found = [r for r in recorded.records(*files) if recorded.dialect_of(r).kind == "llm"]
    return [r for r in found if recorded.dialect_of(r).name != "bedrock.invoke" and r["id"] not in UNREADABLE]


OTHERS = chats("anthropic.messages", "google.generate", "google.stream", "cohere", "bedrock")
OPENAI = chats("openai.chat", "mistral.chat")


def speaks(record: Record) -> str:
    return SPEAKS.get(record["dialect"].partition(".")[0], "openai")


def model_of(record: Record) -> str:
    named = recorded.dialect_of(record).model_in(record["path"].encode())
    return named or json.loads(recorded.request_of(record)).get("model") or "m"


async def played(record: Record, path: str) -> tuple[int, Read, bytes]:
    """(status, what the client reads, the bytes) where the provider answers as it did then, cut in three."""
    body = recorded.body_of(record)
    size = max(1, len(body) // 3)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    content_type = record["response_headers"].get("content-type", ["application/json"])[0]
    provider = Provider(Answer(pieces, record["status"], content_type))
    asked = {
        "model": model_of(record),
        "messages": [{"role": "user", "content": "hi"}],
        "input": "hi",
        "max_tokens": 100,
        "stream": record["streaming"],
        "stream_options": {"include_usage": True},
    }
    bridge = await ENGINE.bridge()
    async with serving(provider):
        backend = provider.backend(speaks(record))
        call = request(backend, path, asked)
        reply = await bridge.answer(call)
        data = await said(reply)
        await closing(backend)
    return reply.status, call.dialect.read(data, record["streaming"], reply.status), data


@cache
def all_played(path: str) -> dict[str, tuple[int, Read, bytes]]:
    async def play() -> dict[str, tuple[int, Read, bytes]]:
        records = OPENAI if path == "/v1/messages" else OTHERS
        return {record["id"]: await played(record, path) for record in records}

    return asyncio.run(play())


def agree(record: Record, path: str) -> Read:
    status, got, data = all_played(path)[record["id"]]
    _, given = recorded.both(record)
    assert status == record["status"], data
    assert (got.error, got.complete) == (given.error, given.complete)
    if status >= 400:
        return got
    assert got.model == (given.model or model_of(record))
    if record["id"] not in ANOTHER_MODEL:
        assert counted(got) == counted(given)
    if record["id"] not in THINKS_ALOUD:
        assert squeezed(got.text) == squeezed(given.text)
        if speaks(record) != "cohere":  # whose reasoning litellm leaves out
            assert squeezed(got.reasoning) == squeezed(given.reasoning)
    return got


def counted(answer: Read) -> dict[str, int]:
    """What is not nothing of what is billed."""
    return {name: n for name, n in recorded.reported(answer).items() if n and name not in NOT_CARRIED}


def squeezed(text: str | None) -> str:
    """Without white space: parts of a message are joined in different ways."""
    return re.sub(r"\s", "", text or "")


@each(OTHERS)
def test_a_client_of_chat_completions(record: Record) -> None:
    got = agree(record, "/v1/chat/completions")
    assert [call.name for call in got.tool_calls] == [call.name for call in recorded.both(record)[1].tool_calls]


@each(OTHERS)
def test_a_client_of_responses(record: Record) -> None:
    agree(record, "/v1/responses")


@each(OPENAI)
def test_a_client_of_messages(record: Record) -> None:
    got = agree(record, "/v1/messages")
    assert [call.name for call in got.tool_calls] == [call.name for call in recorded.both(record)[1].tool_calls]
