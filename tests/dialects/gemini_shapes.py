"""Answers in Google's shape, by hand from the facts of the wire."""

from __future__ import annotations

import json
from typing import Any

USAGE = {
    "promptTokenCount": 100,
    "candidatesTokenCount": 30,
    "thoughtsTokenCount": 12,
    "toolUsePromptTokenCount": 20,
    "cachedContentTokenCount": 64,
    "totalTokenCount": 162,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 90}, {"modality": "AUDIO", "tokenCount": 10}],
    "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
    "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 60}, {"modality": "AUDIO", "tokenCount": 4}],
    "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 30}],
    "serviceTier": "standard",
}


def dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def answer(*parts: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "gemini-m-1", "responseId": "r-1", **more}


def sse(*chunks: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + dumped(chunk) + b"\r\n\r\n" for chunk in chunks)


def array(*chunks: dict[str, Any]) -> bytes:
    return b"[" + b",\r\n".join(json.dumps(chunk, indent=2).encode() for chunk in chunks) + b"\n]"


HELLO = answer({"text": "Hello"}, usageMetadata={"promptTokenCount": 100, "totalTokenCount": 100})
THOUGHT = answer({"text": "Hm.", "thought": True}, usageMetadata={"promptTokenCount": 100, "totalTokenCount": 100})
THERE = answer({"text": " there"}, finish="STOP", usageMetadata=USAGE)
CALL = {"functionCall": {"name": "weather", "id": "c-1", "args": {"usageMetadata": {"promptTokenCount": 1}}}}
TELLTALE = {"text": '"usageMetadata":{"promptTokenCount":9} "finishReason":"STOP" {"error":"no"} ] } \\"'}
ERROR = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
BLOCKED = {
    "promptFeedback": {"blockReason": "SAFETY"},
    "usageMetadata": {"promptTokenCount": 8, "totalTokenCount": 8},
    "modelVersion": "gemini-m-1",
}

WHOLE = [
    dumped(answer({"text": "Hm.", "thought": True}, {"text": "Yes"}, finish="STOP", usageMetadata=USAGE)),
    dumped(answer(CALL, finish="STOP", usageMetadata=USAGE)),
    json.dumps(answer({"text": "x"}, finish="MAX_TOKENS", usageMetadata={"promptTokenCount": 5.0}), indent=2).encode(),
    dumped(BLOCKED),
    dumped({"usageMetadata": {"trafficType": "ON_DEMAND"}, "modelVersion": "gemini-m-1"}),
    dumped(ERROR),
    dumped([ERROR]),
    dumped({"embedding": {"values": [0.5]}}),
    dumped({"totalTokens": 14}),
    dumped({}),
    b"<html>502</html>",
    b"",
]

CHUNKS = [
    [HELLO, THERE],
    [THOUGHT, HELLO, answer(CALL), THERE],
    [HELLO, answer(TELLTALE), THERE],
    [HELLO, answer(TELLTALE)],
    [HELLO, ERROR],
    [BLOCKED],
    [HELLO, answer({"text": "!"}, finish="STOP", usageMetadata={"trafficType": "ON_DEMAND"})],
]
STREAMS = [sse(*chunks) for chunks in CHUNKS]
ARRAYS = [array(*chunks) for chunks in CHUNKS]
