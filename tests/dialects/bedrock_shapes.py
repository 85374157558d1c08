"""Answers of Bedrock, written by hand: whole, and as the binary streams they come in."""

from __future__ import annotations

import base64
import json
from typing import Any

from gateway.core.eventstream import encode
from gateway.dialects import Context

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
IN_PATH = MODEL.replace(":", "%3A")


def context(operation: str, headers: dict[bytes, bytes] | None = None) -> Context:
    return Context(path=f"/model/{IN_PATH}/{operation}".encode(), headers=headers or {})


def dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def frame(name: str, data: Any) -> bytes:
    return encode(
        {":event-type": name, ":content-type": "application/json", ":message-type": "event"},
        dumped(data | {"p": "abc"}),
    )


def exception(name: str, message: str) -> bytes:
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return encode(headers, dumped({"message": message}))


def chunk(data: Any) -> bytes:
    """An event of `invoke-with-response-stream`."""
    return frame("chunk", {"bytes": base64.b64encode(dumped(data)).decode()})


USAGE = {
    "inputTokens": 3, "outputTokens": 12, "totalTokens": 251, "cacheReadInputTokens": 200, "cacheWriteInputTokens": 36,
    "cacheDetails": [{"inputTokens": 36, "ttl": "5m"}], "serverToolUsage": {},
}  # fmt: skip

WHOLE = dumped(
    {
        "metrics": {"latencyMs": 12},
        "output": {
            "message": {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
                    {"text": "Let me look."},
                    {"toolUse": {"toolUseId": "t-1", "name": "get_file", "input": {"path": "a"}}},
                ],
            }
        },
        "serviceTier": {"type": "priority"},
        "stopReason": "tool_use",
        "usage": USAGE,
    }
)

STREAM = b"".join(
    (
        frame("messageStart", {"role": "assistant"}),
        frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hm."}}}),
        frame("contentBlockStop", {"contentBlockIndex": 0}),
        frame("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "Let me"}}),
        frame("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": " look."}}),
        frame("contentBlockStop", {"contentBlockIndex": 1}),
        frame(
            "contentBlockStart",
            {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t-1", "name": "get_file"}}},
        ),
        frame("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"path":'}}}),
        frame("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '"a"}'}}}),
        frame("contentBlockStop", {"contentBlockIndex": 2}),
        frame("messageStop", {"stopReason": "tool_use"}),
        frame(
            "metadata",
            {"usage": USAGE, "metrics": {"latencyMs": 12}, "serviceTier": {"type": "priority"}},
        ),
    )
)
FAILED = frame("messageStart", {"role": "assistant"}) + exception("throttlingException", "Too many tokens.")

METRICS = {
    "amazon-bedrock-invocationMetrics": {
        "inputTokenCount": 7, "outputTokenCount": 5, "invocationLatency": 9, "firstByteLatency": 3,
    }
}  # fmt: skip

TITAN = dumped(
    {"inputTextTokenCount": 7, "results": [{"tokenCount": 5, "outputText": "Hello.", "completionReason": "FINISH"}]}
)
TITAN_STREAM = chunk(
    {
        "outputText": "Hel", "index": 0, "totalOutputTextTokenCount": None, "completionReason": None,
        "inputTextTokenCount": 7,
    }
) + chunk(
    {
        "outputText": "lo.", "index": 0, "totalOutputTextTokenCount": 5, "completionReason": "FINISH",
        "inputTextTokenCount": None,
    } | METRICS
)  # fmt: skip

LLAMA = dumped({"generation": "Hello.", "prompt_token_count": 7, "generation_token_count": 5, "stop_reason": "stop"})
LLAMA_STREAM = (
    chunk({"generation": "", "prompt_token_count": 7, "generation_token_count": 1, "stop_reason": None})
    + chunk({"generation": "Hello.", "prompt_token_count": None, "generation_token_count": 4, "stop_reason": None})
    + chunk(
        {"generation": "", "prompt_token_count": None, "generation_token_count": 5, "stop_reason": "stop"} | METRICS
    )
)

MISTRAL = dumped({"outputs": [{"text": "Hello.", "stop_reason": "stop"}]})
MISTRAL_STREAM = (
    chunk({"outputs": [{"text": "Hel", "stop_reason": None}]})
    + chunk({"outputs": [{"text": "lo.", "stop_reason": "stop"}]} | METRICS)
)  # fmt: skip

COMMAND = dumped(
    {"generations": [{"id": "g", "text": "Hello.", "finish_reason": "COMPLETE"}], "id": "c", "prompt": "Hi"}
)
COMMAND_STREAM = (
    chunk({"is_finished": False, "event_type": "text-generation", "text": "Hello."})
    + chunk({"is_finished": True, "event_type": "stream-end", "finish_reason": "COMPLETE"} | METRICS)
)  # fmt: skip

NOVA = dumped(
    {
        "output": {"message": {"role": "assistant", "content": [{"text": "Hello."}]}},
        "stopReason": "end_turn",
        "usage": {
            "inputTokens": 7, "outputTokens": 5, "totalTokens": 12, "cacheReadInputTokenCount": 0,
            "cacheWriteInputTokenCount": 0,
        },
    }
)  # fmt: skip
NOVA_STREAM = (
    chunk({"messageStart": {"role": "assistant"}})
    + chunk({"contentBlockDelta": {"delta": {"text": "Hello."}, "contentBlockIndex": 0}})
    + chunk({"contentBlockStop": {"contentBlockIndex": 0}})
    + chunk({"messageStop": {"stopReason": "end_turn"}})
    + chunk({"metadata": {"usage": {"inputTokens": 7, "outputTokens": 5}, "metrics": {}}} | METRICS)
)

GPT = dumped(
    {
        "id": "chatcmpl-1", "model": "openai.gpt-oss-20b-1:0",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
    }
)  # fmt: skip
GPT_STREAM = chunk(
    {
        "model": "openai.gpt-oss-20b-1:0",
        "choices": [{"index": 0, "delta": {"content": "Hello."}, "finish_reason": None}],
    }
) + chunk(
    {"model": "openai.gpt-oss-20b-1:0", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]} | METRICS
)

CLAUDE_STREAM = b"".join(
    (
        chunk(
            {
                "type": "message_start",
                "message": {
                    "id": "msg_bdrk_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
                    "content": [], "stop_reason": None, "usage": {"input_tokens": 7, "output_tokens": 1},
                },
            }
        ),
        chunk({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        chunk({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}}),
        chunk({"type": "content_block_stop", "index": 0}),
        chunk({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}),
        chunk({"type": "message_stop"} | METRICS),
    )
)  # fmt: skip

INVOKE_WHOLE = [TITAN, LLAMA, MISTRAL, COMMAND, NOVA, GPT, b'{"embedding":[0.1],"inputTextTokenCount":7}']
INVOKE_STREAMS = [TITAN_STREAM, LLAMA_STREAM, MISTRAL_STREAM, COMMAND_STREAM, NOVA_STREAM, GPT_STREAM, CLAUDE_STREAM]
