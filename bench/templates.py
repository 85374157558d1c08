"""The files of conf/ with their placeholders filled, and the request and the answer the bench is made of."""

from __future__ import annotations

import json
from pathlib import Path

CONF = Path(__file__).parent / "conf"
MODEL = "gpt-4o-mini"
APP_KEY = "bench-app-key-0123456789"
ADMIN_KEY = "bench-admin-key-0123456789"
INPUT_NANOUSD = 150
OUTPUT_NANOUSD = 600
"""Per token, as conf/callgate.yaml prices the model."""


def template(name: str, **values: object) -> str:
    """A file of conf/, with each @NAME@ replaced; nginx and Lua have uses of their own for `$` and `{}`."""
    text = (CONF / name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key.upper()}@", str(value))
    return text


def chat_body(model: str, **changes: object) -> bytes:
    """The request of the bench: 0.5 kB, five tags in `metadata`."""
    body = json.loads(template("chat.json", model=model)) | changes
    return json.dumps(body, separators=(",", ":")).encode()


def completion() -> bytes:
    """What the fixed upstream answers: a chat completion with usage, 0.7 kB."""
    return (CONF / "completion.json").read_bytes().strip()


def cost_nanousd(input_tokens: int, output_tokens: int) -> int:
    return input_tokens * INPUT_NANOUSD + output_tokens * OUTPUT_NANOUSD
