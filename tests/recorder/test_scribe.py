"""Two frames in, one row out."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib

import msgspec
import pytest
import zstandard

from gateway.core.eventstream import encode
from gateway.core.span import CallClosed, Span, ToolCall
from gateway.recorder.bodies import cut, decoded, is_text
from gateway.recorder.scribe import Scribe
from gateway.settings import Log

ASKED = json.dumps(
    {"model": "fast", "messages": [{"role": "user", "content": "Mail jane@example.com about it"}]}
).encode()
CALL = {"id": "call_1", "type": "function", "function": {"name": "mail", "arguments": '{"to":"jane@example.com"}'}}
MESSAGE = {"role": "assistant", "content": "Done: jane@example.com", "tool_calls": [CALL]}
SAID = json.dumps(
    {
        "id": "chatcmpl-1",
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "tool_calls"}],
    }
).encode()


@pytest.fixture
def row(opened, closed):
    def row_of(settings: Log | None = None, asked: bytes = ASKED, said: bytes = SAID, **changes):
        start = {name: changes.pop(name) for name in list(changes) if name not in CallClosed.__struct_fields__}
        end = {"request_bytes": len(asked), "response_bytes": len(said), **changes}
        scribe = Scribe(settings or Log())
        return scribe.closed(opened("01a02c4e-61f1-7c3b-9d52-8e1f40b7c9a6", **start), closed("x", **end), asked, said)

    return row_of


def test_a_row_has_what_both_frames_and_the_answer_say(row):
    write = row()
    span = write.span
    assert (span.span_id, span.trace_id) == ("9d528e1f40b7c9a6", None)
    assert (span.tenant, span.user, span.feature, span.provider) == ("acme", "u1", "chat", "openai")
    assert (span.model_requested, span.model) == ("fast", "gpt-4o-mini-2024-07-18")
    assert (span.latency_us, span.cost_nanousd, span.usage_source) == (500_000, 1300, "reported")
    assert (span.finish_reason, span.response_id) == ("tool_calls", "chatcmpl-1")
    assert span.tool_calls == [ToolCall("mail", "call_1", '{"to":"[redacted:email]"}')]
    assert (span.input_preview, span.output_preview) == ("Mail [redacted:email] about it", "Done: [redacted:email]")
    assert write.payload is not None
    assert b"jane" not in write.payload.request_body + write.payload.response_body
    assert json.loads(write.payload.response_body)["id"] == "chatcmpl-1"
    assert write.payload.response_text == "Done: [redacted:email]"
    assert write.payload.redactions == {"email": 3}


def test_every_fact_of_the_last_frame_is_in_the_row(row):
    """A field added to both structs is copied without a line of code."""
    same = {*CallClosed.__struct_fields__} & {*Span.__struct_fields__}
    assert {"usage", "usage_raw", "service_tier", "charge_nanousd", "price_id", "ttft_us", "attempts", "cache"} <= same
    span = row(ttft_us=17, cache="hit", service_tier="flex", price_id="p9").span
    assert (span.ttft_us, span.cache, span.service_tier, span.price_id) == (17, "hit", "flex", "p9")
    assert span.attempts[0].cost_nanousd == 1300


@pytest.mark.parametrize(
    ("payloads", "kept", "previews"),
    [("full", (True, True), True), ("preview", (False, False), True), ("hash", (True, True), False)],
)
def test_what_is_kept_of_bodies(row, payloads, kept, previews):
    write = row(Log(payloads=payloads))
    assert (write.payload.request_body is not None, write.payload.response_body is not None) == kept
    assert (write.span.input_preview is not None, write.span.output_preview is not None) == (previews, previews)
    assert (write.payload.request_bytes, write.payload.response_bytes) == (len(ASKED), len(SAID))
    assert write.span.finish_reason == "tool_calls"
    if payloads == "hash":
        assert write.payload.request_body == b"sha256:" + hashlib.sha256(ASKED).hexdigest().encode()
        assert write.payload.response_text is None
        assert write.span.tool_calls == [ToolCall("mail", "call_1")]


def test_nothing_is_kept_of_bodies(row):
    write = row(Log(payloads="none"))
    assert write.payload is None
    assert (write.span.input_preview, write.span.output_preview) == (None, None)


def test_no_hash_of_a_body_that_was_cut(row):
    assert row(Log(payloads="hash"), response_bytes=10**6).payload.response_body is None


def test_redaction_comes_before_the_cut(row):
    """A secret that lies across the limit of a preview or of a body is gone whole."""
    for length in range(470, 510):
        text = "x" * length + " jane.doe@example.com"
        body = json.dumps({"messages": [{"role": "user", "content": text}]}).encode()
        preview = row(asked=body).span.input_preview
        assert "jane" not in preview
        assert len(preview) <= 500
    body = b'"' + b"x" * 1015 + b' jane@example.com"'
    assert b"jane" not in row(Log(max_payload_kb=1), asked=body).payload.request_body


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body)[2:-4]),
        ("zstd", zstandard.compress),
        ("gzip, zstd", lambda body: zstandard.compress(gzip.compress(body))),
        ("GZIP", lambda body: gzip.compress(body[:10]) + gzip.compress(body[10:])),
        ("identity", bytes),
        (None, bytes),
    ],
)
def test_an_encoded_answer_is_read_and_stored_plain(row, encoding, encode):
    write = row(said=encode(SAID), response_encoding=encoding)
    assert write.span.response_id == "chatcmpl-1"
    assert json.loads(write.payload.response_body)["id"] == "chatcmpl-1"


def test_an_encoding_that_cannot_be_read_leaves_a_note(row):
    write = row(said=b"\x8b\x03\x80", response_encoding="br")
    assert write.payload.response_body.startswith(b"[binary body: 3 bytes, application/json, br, sha256 ")
    assert row(said=b"no gzip", response_encoding="gzip").payload.response_body.startswith(b"[binary body: 7 bytes")


def test_a_compressed_bomb_is_read_up_to_a_limit():
    assert len(decoded(gzip.compress(bytes(50_000_000)), "gzip", 1000)) == 1000
    assert len(decoded(zstandard.compress(bytes(50_000_000)), "zstd", 1000)) == 1000


def test_a_compressed_body_that_was_cut_gives_its_beginning():
    body = b"".join(b"%d," % number for number in range(10_000))
    assert body.startswith(decoded(gzip.compress(body)[:5000], "gzip"))
    assert len(decoded(gzip.compress(body)[:5000], "gzip")) > 1000


def test_a_binary_body_is_dropped_with_a_note(row):
    audio = bytes(range(256)) * 4
    write = row(said=audio, response_content_type="audio/mpeg")
    digest = hashlib.sha256(audio).hexdigest()
    assert write.payload.response_body == f"[binary body: 1024 bytes, audio/mpeg, sha256 {digest}]".encode()
    assert write.payload.response_bytes == 1024


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("ü".encode()[:1], None, True),
        (b"caf\xe9 au lait", "text/plain", True),
        (b"caf\xe9 au lait", "application/octet-stream", False),
        (b'{"error": 1}', "application/octet-stream", True),
        (b"\x89PNG\r\n\x1a\n\0", "image/png", False),
    ],
)
def test_what_is_text(body, content_type, text):
    assert is_text(body, content_type) is text


def test_a_cut_leaves_whole_characters():
    assert [cut("aüb".encode(), limit) for limit in (1, 2, 3, 4)] == [b"a", b"a", "aü".encode(), "aüb".encode()]


def test_a_call_that_failed_keeps_the_providers_words_without_secrets(row):
    error = b'{"error": {"message": "Incorrect API key provided: sk-proj-abcDEF0123456789abcDEF0123456789"}}'
    span = row(said=error, status_code=401, error_type="authentication").span
    assert span.error_message == "Incorrect API key provided: [redacted:openai_key]"


def test_a_clock_that_was_set_back_gives_no_negative_latency(row, opened):
    span = row(ended_at=1).span
    assert span.latency_us == 499_000 + 120
    assert span.ended_at == span.started_at + span.latency_us
    assert row(ended_at=1, upstream_us=None).span.latency_us is None


def test_a_call_whose_first_frame_was_lost_is_still_booked(closed):
    span = Scribe(Log()).closed(None, closed("01a02c4e-61f1-7c3b-9d52-8e1f40b7c9a6"), ASKED, SAID).span
    assert span.started_at == 0x01A02C4E61F1 * 1000
    assert (span.cost_nanousd, span.tenant) == (1300, None)


def test_headers_and_tags_are_redacted(row):
    write = row(
        tags={"userId": "jane@example.com", "feature": "chat"},
        request_headers=[(b"authorization", b"Bearer x"), (b"x-note", b"from 203.0.113.77")],
    )
    assert (write.span.user, write.span.tags["userId"]) == ("[redacted:email]", "[redacted:email]")
    assert write.payload.request_headers == [("x-note", "from [redacted:ip]")]


def test_an_interrupted_call_claims_no_usage_that_was_not_estimated(opened):
    span = Scribe(Log()).interrupted(opened("x", input_tokens_estimate=None)).span
    assert (span.usage, span.usage_source, span.ended_at, span.latency_us) == (None, "none", None, None)


def test_a_stream_is_read_event_by_event_and_redacted_across_them(row):
    pieces = ["Mail jane", "@exam", "ple.com", " now"]
    events = [{"id": "c1", "choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    events.append({"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    said = b"".join(b"data: " + msgspec.json.encode(event) + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    write = row(said=said, stream=True, response_content_type="text/event-stream")
    assert write.payload.response_text == write.span.output_preview == "Mail [redacted:email] now"
    assert write.span.finish_reason == "stop"
    assert b"jane" not in write.payload.response_body
    assert b"ple.com" not in write.payload.response_body
    assert write.payload.redactions == {"email": 2}


def test_a_binary_event_stream_is_kept_as_lines_and_searched_for_secrets(row):
    headers = {":content-type": "application/json", ":message-type": "event"}
    said = b"".join(
        encode({":event-type": name, **headers}, json.dumps(event).encode())
        for name, event in (
            ("messageStart", {"role": "assistant"}),
            ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Done: jane@exa"}}),
            ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "mple.com"}}),
            ("messageStop", {"stopReason": "end_turn"}),
            ("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2}}),
        )
    )
    write = row(
        said=said,
        dialect="bedrock.converse",
        endpoint="POST /p/bedrock/model/amazon.nova-micro-v1%3A0/converse-stream",
        stream=True,
        response_content_type="application/vnd.amazon.eventstream",
    )
    assert write.payload is not None
    lines = [json.loads(line) for line in write.payload.response_body.splitlines()]
    assert [next(iter(line)) for line in lines] == [
        "messageStart", "contentBlockDelta", "contentBlockDelta", "messageStop", "metadata",
    ]  # fmt: skip
    assert "jane" not in write.payload.response_body.decode()
    assert "example.com" not in write.payload.response_text
    assert write.span.finish_reason == "end_turn"
    assert write.payload.response_bytes == len(said)
