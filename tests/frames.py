"""What a journal holds of a call, for the tests of the journal and of the recorder."""

from __future__ import annotations

from gateway.core.ids import uuid7
from gateway.core.span import Attempt, CallClosed, CallOpened
from pricing import Usage

STARTED = 1_790_000_000_000_000


def make_opened(request_id: str | None = None, **changes: object) -> CallOpened:
    fields: dict[str, object] = {
        "request_id": request_id or uuid7(),
        "started_at": STARTED,
        "kind": "llm",
        "endpoint": "POST /v1/chat/completions",
        "dialect": "openai.chat",
        "stream": False,
        "provider": "openai",
        "model_requested": "fast",
        "model": "gpt-4o-mini",
        "key_id": "key_1",
        "tenant": "acme",
        "environment": "production",
        "tags": {"feature": "chat", "userId": "u1"},
        "input_tokens_estimate": 12,
    }
    return CallOpened(**{**fields, **changes})  # type: ignore[arg-type]


def make_closed(request_id: str, **changes: object) -> CallClosed:
    fields: dict[str, object] = {
        "request_id": request_id,
        "ended_at": STARTED + 500_000,
        "status_code": 200,
        "error_type": None,
        "error_message": None,
        "attempts": [Attempt("openai", "gpt-4o-mini", 200, None, STARTED, 499_000, 1300)],
        "provider": "openai",
        "model": "gpt-4o-mini-2024-07-18",
        "upstream_request_id": "req_1",
        "usage": Usage(input_tokens=12, output_tokens=3),
        "usage_source": "reported",
        "usage_raw": b'{"prompt_tokens":12,"completion_tokens":3}',
        "service_tier": "default",
        "cost_nanousd": 1300,
        "input_cost_nanousd": 1000,
        "output_cost_nanousd": 300,
        "charge_nanousd": 1300,
        "cost_source": "catalog",
        "price_id": "p1",
        "ttft_us": None,
        "upstream_us": 499_000,
        "overhead_us": 120,
        "cache": None,
        "request_bytes": 0,
        "response_bytes": 0,
        "request_content_type": "application/json",
        "response_content_type": "application/json",
        "response_encoding": None,
        "request_headers": [],
        "response_headers": [],
    }
    return CallClosed(**{**fields, **changes})  # type: ignore[arg-type]
