"""A provider that speaks what the demo does not: Gemini, Bedrock, Cohere; and OpenAI's chat, for Groq and Mistral.

It answers with a few words, calls the tool where it is given one, and fails when it is told `Please fail`.
"""

from __future__ import annotations

import json
from typing import Any

from tests.dialects import bedrock_shapes as bedrock
from tests.dialects import cohere_shapes as cohere
from tests.dialects import gemini_shapes as gemini
from tests.e2e.upstream import DONE, completes, completion, events
from tests.e2e.wire import Message, Wire, answer, stream_head

VECTOR = [0.5, 0.25]


def provides(wire: Wire, request: Message) -> None:
    """The script of `tests.e2e.upstream.Upstream`."""
    path, asked = request.target.partition("?")[0], request.json()
    fails = b"Please fail" in request.body
    if path.startswith("/model/"):
        _bedrock(wire, path, fails)
    elif "/models/" in path:
        _gemini(wire, path, asked, fails)
    elif path.startswith("/v2/"):
        _cohere(wire, path, asked, fails)
    else:
        _openai(wire, request, asked, fails)


def _bedrock(wire: Wire, path: str, fails: bool) -> None:
    if fails:
        error = {"message": "Too many tokens."}
        wire.send(answer(error, "x-amzn-errortype: ThrottlingException", status="429 Too Many Requests"))
    elif path.endswith("/converse-stream"):
        _stream(wire, bedrock.STREAM, "application/vnd.amazon.eventstream")
    else:
        wire.send(answer(bedrock.WHOLE))


def _gemini(wire: Wire, path: str, asked: dict[str, Any], fails: bool) -> None:
    operation = path.rpartition(":")[2]
    if fails:
        wire.send(answer(gemini.ERROR, status="503 Service Unavailable"))
    elif operation == "streamGenerateContent":
        _stream(wire, gemini.sse(gemini.HELLO, gemini.THERE), "text/event-stream")
    elif operation == "countTokens":
        wire.send(answer({"totalTokens": 14}))
    elif operation == "batchEmbedContents":
        wire.send(answer({"embeddings": [{"values": VECTOR}], "usageMetadata": {"promptTokenCount": 2}}))
    else:
        part = gemini.CALL if asked.get("tools") else {"text": "Hello there"}
        wire.send(answer(gemini.answer(part, finish="STOP", usageMetadata=gemini.USAGE)))


def _cohere(wire: Wire, path: str, asked: dict[str, Any], fails: bool) -> None:
    if fails:
        wire.send(answer({"message": "slow down"}, status="429 Too Many Requests"))
    elif path == "/v2/embed":
        meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 2}}
        wire.send(answer({"id": "e-1", "embeddings": {"float": [VECTOR]}, "texts": asked["texts"], "meta": meta}))
    elif asked.get("stream"):
        _stream(wire, cohere.START + cohere.TEXT + cohere.end(), "text/event-stream")
    elif asked.get("tools"):
        wire.send(answer(cohere.WHOLE[1]))
    else:
        wire.send(answer(cohere.whole({"content": [{"type": "text", "text": "Hello"}]}, usage=cohere.USAGE)))


def _openai(wire: Wire, request: Message, asked: dict[str, Any], fails: bool) -> None:
    if fails:
        error = {"message": "slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
        wire.send(answer({"error": error}, status="429 Too Many Requests"))
    elif asked.get("tools"):
        function = {"name": asked["tools"][0]["function"]["name"], "arguments": json.dumps({"city": "Paris"})}
        called: dict[str, Any] = completion("")
        called["choices"][0]["message"]["tool_calls"] = [{"id": "c-1", "type": "function", "function": function}]
        called["choices"][0]["finish_reason"] = "tool_calls"
        wire.send(answer(called))
    elif asked.get("stream"):
        wire.send(stream_head())
        wire.chunk(*events("Hello", " there"), DONE)
        wire.send(b"0\r\n\r\n")
    else:
        completes(wire, request)


def _stream(wire: Wire, body: bytes, content_type: str) -> None:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
    wire.send(head.encode())
    wire.chunk(*(body[at : at + 100] for at in range(0, len(body), 100)))
    wire.send(b"0\r\n\r\n")
