"""Events of a realtime session, written by hand."""

from __future__ import annotations

import json
from typing import Any

USAGE = {
    "total_tokens": 253, "input_tokens": 132, "output_tokens": 121,
    "input_token_details": {
        "text_tokens": 119, "audio_tokens": 13, "image_tokens": 0, "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 60, "audio_tokens": 4, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
}  # fmt: skip


def event(type_: str, **members: Any) -> bytes:
    return json.dumps({"type": type_, "event_id": "event_1", **members}, separators=(",", ":")).encode()


CREATED = event("session.created", session={"id": "sess_1", "model": "gpt-realtime-2025-08-28"})
BEGUN = event("response.created", response={"id": "resp_1", "status": "in_progress"})
DONE = event(
    "response.done",
    response={
        "id": "resp_1", "status": "completed", "status_details": None, "usage": USAGE,
        "output": [
            {"type": "message", "content": [{"type": "output_audio", "transcript": "Good day."}]},
            {"type": "function_call", "name": "get_time", "call_id": "call_1", "arguments": "{}"},
        ],
    },
)  # fmt: skip
FAILED = event(
    "response.done",
    response={
        "id": "resp_2", "status": "failed", "output": [], "usage": None,
        "status_details": {"type": "failed", "error": {"type": "server_error", "message": "It broke."}},
    },
)  # fmt: skip
TRANSCRIBED = event(
    "conversation.item.input_audio_transcription.completed",
    item_id="item_1",
    transcript="Hello.",
    usage={"type": "tokens", "total_tokens": 22, "input_tokens": 13, "output_tokens": 9,
           "input_token_details": {"text_tokens": 0, "audio_tokens": 13}},
)  # fmt: skip
SAYS = event("conversation.item.create", item={"type": "message", "role": "user",
             "content": [{"type": "input_text", "text": "What time is it?"}]})  # fmt: skip
