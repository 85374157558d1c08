from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.api.record import FIELDS, DetailRecord, detail_of, encode, moment, record_of, usd_text
from gateway.core.derived import body_json
from gateway.core.span import Attempt, Payload, Span, ToolCall
from gateway.store.base import SpanDetail
from pricing.usage import Usage
from tests.api.fakes import span, traffic

RECORD = [
    "request_id",
    "trace_id",
    "span_id",
    "parent_span_id",
    "kind",
    "name",
    "started_at",
    "ended_at",
    "tenant",
    "environment",
    "key_id",
    "user",
    "session",
    "workflow",
    "agent",
    "config",
    "variant",
    "config_version",
    "prompt",
    "prompt_version",
    "provider",
    "endpoint",
    "model_requested",
    "model",
    "response_id",
    "upstream_request_id",
    "client_request_id",
    "stream",
    "status_code",
    "error_type",
    "error_message",
    "finish_reason",
    "tool_calls",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "usage_source",
    "usage_raw",
    "cost_usd",
    "input_cost_usd",
    "output_cost_usd",
    "cost_nanousd",
    "cost_source",
    "price_id",
    "latency_ms",
    "ttft_ms",
    "upstream_ms",
    "overhead_ms",
    "tokens_per_second",
    "attempts",
    "cache",
    "tags",
    "input_preview",
    "output_preview",
]
BEYOND = {"feature", "service_tier", "dialect", "charge_usd", "upstream_provider", "billed_also", "saved_usd"}
INTERFACE = Path(__file__).resolve().parents[2].parent / "shared" / "interface.md"


def test_a_record_has_the_promised_fields_in_the_promised_order() -> None:
    assert [name for name in FIELDS if name not in BEYOND] == RECORD
    assert set(FIELDS) - set(RECORD) == BEYOND


def test_the_promise_is_the_one_of_the_interface() -> None:
    if not INTERFACE.exists():
        pytest.skip("the interface description is not beside the project")
    promised = re.search(r"A request record.*?:\n\n`(.*?)`; the single record", INTERFACE.read_text(), re.DOTALL)
    assert promised is not None
    without_notes = re.sub(r"\(.*?\)|\[.*?\]|\{.*?\}", "", promised[1], flags=re.DOTALL)
    assert [name.strip() for name in without_notes.split(",")] == RECORD


def test_the_single_record_adds_the_bodies() -> None:
    added = {"request_body", "response_body", "response_text", "sealed_with"}
    assert set(DetailRecord.__struct_fields__) - set(FIELDS) == added


def test_a_record_in_full() -> None:
    call = Span(
        request_id="01a02c4e-61f1-7c3b-9d52-8e1f40b7c9a6",
        kind="llm",
        started_at=1_763_675_185_000_007,
        ended_at=1_763_675_186_000_000,
        tenant="acme",
        provider="openai",
        model="gpt-5-2025-08-07",
        model_requested="gpt-5",
        stream=True,
        status_code=200,
        usage=Usage(input_tokens=0, output_tokens=40, reasoning_tokens=30),
        usage_source="reported",
        usage_raw=b'{"prompt_tokens": 0,  "x": 1.50}',
        cost_nanousd=2_850,
        charge_nanousd=9_007_199_254_740_993,
        latency_us=1_500_123,
        ttft_us=500_123,
        attempts=[Attempt("openai", None, None, "network", 1_763_675_185_000_007, 12, None)],
        tool_calls=[ToolCall(name="f", arguments="{not json")],
        tags={"a": "ü"},
    )
    text = encode(record_of(call)).decode()
    found = json.loads(text, parse_float=Decimal)
    assert found["started_at"] == "2025-11-20T21:46:25.000007Z"
    assert found["ended_at"] == "2025-11-20T21:46:26.000000Z"
    assert (found["input_tokens"], found["output_tokens"], found["total_tokens"]) == (0, 40, 40)
    assert found["cached_input_tokens"] is None
    assert '"cost_usd":0.000002850,' in text
    assert found["charge_usd"] == Decimal("9007199.254740993")  # no float holds this
    assert '"usage_raw":{"prompt_tokens": 0,  "x": 1.50}' in text
    assert found["latency_ms"] == Decimal("1500.123")
    assert found["tokens_per_second"] == 40
    assert found["attempts"] == [
        {
            "provider": "openai",
            "model": None,
            "status_code": None,
            "error_type": "network",
            "started_at": "2025-11-20T21:46:25.000007Z",
            "latency_ms": Decimal("0.012"),
            "cost_usd": None,
        }
    ]
    assert found["tool_calls"] == [{"id": None, "name": "f", "arguments": "{not json"}]
    assert found["tags"] == {"a": "ü"}


@pytest.mark.parametrize(
    ("nanousd", "text"),
    [
        (0, "0.000000000"),
        (1, "0.000000001"),
        (2_850, "0.000002850"),
        (1_000_000_000, "1.000000000"),
        (-5, "-0.000000005"),
        (10**18 + 1, "1000000000.000000001"),
    ],
)
def test_dollars_are_exact(nanousd: int, text: str) -> None:
    assert usd_text(nanousd) == text
    assert Decimal(text) * 10**9 == nanousd


@pytest.mark.parametrize(
    ("us", "text"),
    [(0, "1970-01-01T00:00:00.000000Z"), (1, "1970-01-01T00:00:00.000001Z"), (-1, "1969-12-31T23:59:59.999999Z")],
)
def test_moments(us: int, text: str) -> None:
    assert moment(us) == text


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, None),
        (b'{"a": [1, 2.50]}', {"a": [1, 2.5]}),
        (b"", ""),
        (b"data: {}\n\n", "data: {}\n\n"),
        (b'{"cut": "he', '{"cut": "he'),
        (b'{"x": NaN}', '{"x": NaN}'),
        (b"[" * 100_000, "[" * 100_000),
        ("grüße".encode(), "grüße"),
        (b"\xff\xfe\x00", "data:audio/mpeg;base64,//4A"),
        (b'{"broken utf-8": "\xff"}', "data:audio/mpeg;base64,eyJicm9rZW4gdXRmLTgiOiAi/yJ9"),
    ],
)
def test_bodies(body: bytes | None, expected: object) -> None:
    raw = body_json(body, "audio/mpeg; rate=8000")
    assert (None if raw is None else json.loads(bytes(raw))) == expected


def test_a_detail_without_a_payload_says_so() -> None:
    found = json.loads(encode(detail_of(SpanDetail(span(1, 1), None))))
    assert [found[name] for name in ("request_body", "response_body", "response_text")] == [None, None, None]


def test_a_detail_that_cannot_be_opened_names_the_key() -> None:
    found = json.loads(encode(detail_of(SpanDetail(span(1, 1), None, sealed_with="2025"))))
    assert (found["request_body"], found["sealed_with"]) == (None, "2025")


def test_a_detail_keeps_the_bytes_of_a_json_body() -> None:
    payload = Payload(request_body=b'{"temperature":1.0,"big":12345678901234567890}', response_text="hi")
    text = encode(detail_of(SpanDetail(span(1, 1), payload))).decode()
    assert '"request_body":{"temperature":1.0,"big":12345678901234567890}' in text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"usage": Usage(output_tokens=10), "latency_us": 3_000_000, "ttft_us": 1_000_000}, 5.0),
        ({"usage": Usage(output_tokens=10), "latency_us": 3_000_000}, None),
        ({"usage": Usage(output_tokens=10), "latency_us": 1_000_000, "ttft_us": 1_000_000}, None),
        ({"latency_us": 3_000_000, "ttft_us": 1_000_000}, None),
    ],
)
def test_tokens_per_second_are_of_streams(fields: dict[str, object], expected: float | None) -> None:
    assert record_of(span(1, 1, **fields)).tokens_per_second == expected


def test_every_record_is_json() -> None:
    for call in traffic(200):
        assert json.loads(encode(record_of(call)))["request_id"] == call.request_id
