"""What a person wants to know of a call to Gemini; and the model, which is in the path."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.span import ToolCall
from gateway.dialects import OPAQUE, Answer, dialect_for
from gateway.dialects.gemini_chunks import array_items
from gateway.dialects.gemini_path import model_in, with_model
from gateway.dialects.gemini_usage import gemini_usage
from gateway.errors import CallError
from pricing import Usage
from tests.dialects.gemini_shapes import (
    ARRAYS,
    BLOCKED,
    CALL,
    CHUNKS,
    HELLO,
    STREAMS,
    THERE,
    USAGE,
    WHOLE,
    answer,
    array,
    dumped,
    sse,
)

GENERATE = dialect_for(b"POST", b"/v1beta/models/m:generateContent")
STREAM = dialect_for(b"POST", b"/v1beta/models/m:streamGenerateContent")
FULL = Usage(
    input_tokens=120,
    output_tokens=42,
    total_reported=162,
    cached_input_tokens=64,
    cached_audio_tokens=4,
    audio_input_tokens=10,
    tool_prompt_tokens=20,
    reasoning_tokens=12,
)


def details(**tokens: int) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokenCount": count} for modality, count in tokens.items()]


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (USAGE, FULL),
        ({"promptTokenCount": 5}, Usage(input_tokens=5, output_tokens=0)),
        ({"promptTokenCount": 5, "thoughtsTokenCount": 2}, Usage(input_tokens=5, output_tokens=2, reasoning_tokens=2)),
        ({"toolUsePromptTokenCount": 5}, Usage(input_tokens=5, output_tokens=0, tool_prompt_tokens=5)),
        ({"candidatesTokenCount": 0}, Usage(output_tokens=0)),
        (
            {
                "promptTokenCount": 50,
                "promptTokensDetails": details(IMAGE=30, VIDEO=10, TEXT=10),
                "toolUsePromptTokenCount": 4,
                "toolUsePromptTokensDetails": details(IMAGE=4),
            },
            Usage(input_tokens=54, output_tokens=0, image_input_tokens=34, video_input_tokens=10, tool_prompt_tokens=4),
        ),
        (
            {"promptTokenCount": 50, "promptTokenDetails": details(IMAGE=50)},
            Usage(input_tokens=50, output_tokens=0, image_input_tokens=50),
        ),
        (
            {"candidatesTokenCount": 1290, "candidatesTokensDetails": details(IMAGE=1290)},
            Usage(output_tokens=1290, image_output_tokens=1290),
        ),
        (
            {"candidatesTokenCount": 9, "candidatesTokensDetails": details(AUDIO=9)},
            Usage(output_tokens=9, audio_output_tokens=9),
        ),
        (
            {"promptTokenCount": 5.0, "candidatesTokenCount": -3, "serviceTier": "flex"},
            Usage(input_tokens=5, output_tokens=0),
        ),
        (
            {"promptTokenCount": 5, "promptTokensDetails": [None, {"modality": "AUDIO"}]},
            Usage(input_tokens=5, output_tokens=0),
        ),
        ({"trafficType": "ON_DEMAND"}, None),
        ({"totalTokenCount": 5}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_usage_objects(raw: Any, usage: Usage | None) -> None:
    spent = gemini_usage(dumped(raw))
    assert (spent.usage if spent else None) == usage


@pytest.mark.parametrize(
    ("tiers", "tier"),
    [
        ({"serviceTier": "flex"}, "flex"),
        ({"trafficType": "ON_DEMAND_PRIORITY"}, "ON_DEMAND_PRIORITY"),
        ({"serviceTier": "priority", "trafficType": "ON_DEMAND"}, "priority"),
        ({}, None),
    ],
)
def test_the_tier_is_the_answers(tiers: dict[str, str], tier: str | None) -> None:
    whole = dumped(answer({"text": "x"}, finish="STOP", usageMetadata={"promptTokenCount": 1, **tiers}))
    assert GENERATE.settle(whole, False).service_tier == tier


def test_what_a_whole_answer_says() -> None:
    read = GENERATE.read(WHOLE[0], False, 200)
    assert (read.text, read.reasoning, read.response_id, read.finish_reasons) == ("Yes", "Hm.", "r-1", ["STOP"])
    assert (read.usage, read.model) == (FULL, "gemini-m-1")
    called = GENERATE.read(WHOLE[1], False, 200)
    arguments = '{"usageMetadata":{"promptTokenCount":1}}'
    assert called.tool_calls == [ToolCall(name="weather", id="c-1", arguments=arguments)]


@pytest.mark.parametrize("form", [STREAMS, ARRAYS], ids=["events", "array"])
def test_what_a_stream_says(form: list[bytes]) -> None:
    read = STREAM.read(form[1], True, 200)
    assert (read.text, read.reasoning, read.finish_reasons) == ("Hello there", "Hm.", ["STOP"])
    assert [call.name for call in read.tool_calls] == ["weather"]
    assert (read.usage, read.complete, read.error) == (FULL, True, None)


def test_an_array_is_read_whatever_it_is_called() -> None:
    """Its content type is that of a whole answer."""
    assert STREAM.read(ARRAYS[0], False, 200) == STREAM.read(ARRAYS[0], True, 200)


def test_candidates_are_kept_apart() -> None:
    def part(index: int, text: str, finish: str | None = None) -> dict[str, Any]:
        chunk = answer({"text": text}, finish=finish)
        chunk["candidates"][0]["index"] = index
        return chunk

    stream = sse(part(1, "other"), part(0, "one"), part(1, " way", "MAX_TOKENS"), part(0, " way", "STOP"))
    read = STREAM.read(stream, True, 200)
    assert (read.text, read.finish_reasons) == ("one way\n\nother way", ["STOP", "MAX_TOKENS"])


def test_a_blocked_prompt_says_why() -> None:
    for read in (GENERATE.read(dumped(BLOCKED), False, 200), STREAM.read(sse(BLOCKED), True, 200)):
        assert (read.finish_reasons, read.error, read.complete) == (["BLOCKED:SAFETY"], None, True)
        assert read.usage == Usage(input_tokens=8, output_tokens=0, total_reported=8)


def test_arguments_that_come_bit_by_bit_are_one_call() -> None:
    pieces = [
        {"functionCall": {"name": "weather", "willContinue": True}},
        {"functionCall": {"partialArgs": [{"jsonPath": "$.city", "stringValue": "Par"}], "willContinue": True}},
        {"functionCall": {}},
    ]
    read = STREAM.read(sse(*(answer(piece) for piece in pieces)), True, 200)
    assert read.tool_calls == [ToolCall(name="weather")]


@pytest.mark.parametrize(
    ("chunks", "usage"),
    [
        ([HELLO, THERE], FULL),
        ([THERE, HELLO], Usage(input_tokens=100, output_tokens=0, total_reported=100)),
        (CHUNKS[3], Usage(input_tokens=100, output_tokens=0, total_reported=100)),
        (CHUNKS[6], Usage(input_tokens=100, output_tokens=0, total_reported=100)),
        ([answer(CALL)], None),
    ],
)
def test_the_last_usage_with_a_count_counts(chunks: list[dict[str, Any]], usage: Usage | None) -> None:
    assert STREAM.settle(sse(*chunks), True).usage == usage
    assert STREAM.settle(array(*chunks), True).usage == usage


@pytest.mark.parametrize("form", [sse, array], ids=["events", "array"])
@pytest.mark.parametrize(
    ("chunks", "complete", "error"),
    [
        (CHUNKS[0], True, None),
        (CHUNKS[3], False, None),
        (CHUNKS[4], False, "The model is overloaded."),
        (CHUNKS[5], True, None),
        ([HELLO, {"error": {}}], False, "the answer carried an error"),
        ([], False, None),
    ],
)
def test_a_stream_is_complete_with_a_finish_reason(
    form: Any, chunks: list[dict[str, Any]], complete: bool, error: str | None
) -> None:
    settled = STREAM.settle(form(*chunks), True)
    assert (settled.complete, settled.error) == (complete, error)


@given(st.data())
def test_of_a_cut_array_the_whole_items_are_read(data: st.DataObject) -> None:
    stream = data.draw(st.sampled_from(ARRAYS))
    whole = array_items(stream)
    found = array_items(stream[: data.draw(st.integers(0, len(stream)))])
    assert found == whole[: len(found)]


@pytest.mark.parametrize(
    ("chunk", "found"),
    [
        (answer(), False),
        (answer({"text": ""}), False),
        (HELLO, True),
        (answer({"text": "Hm.", "thought": True}), True),
        (answer(CALL), True),
        (answer({"executableCode": {"language": "PYTHON", "code": "1"}}), True),
        (answer({"inlineData": {"mimeType": "image/png", "data": "iVBO"}}), True),
    ],
)
def test_first_content(chunk: dict[str, Any], found: bool) -> None:
    assert STREAM.first_content(sse(chunk)) is found


@pytest.mark.parametrize(
    ("path", "model", "other"),
    [
        (b"/v1beta/models/gemini-m:generateContent", "gemini-m", b"/v1beta/models/x%20y:generateContent"),
        (b"/v1/models/gemini-m:countTokens", "gemini-m", b"/v1/models/x%20y:countTokens"),
        (b"/v1beta/models/google/gemini-m:embedContent", "google/gemini-m", b"/v1beta/models/x%20y:embedContent"),
        (b"/v1beta/models/m:8b:generateContent", "m:8b", b"/v1beta/models/x%20y:generateContent"),
        (b"/v1beta/models/a%2Fb:generateContent", "a/b", b"/v1beta/models/x%20y:generateContent"),
        (b"/v1beta/tunedModels/t-1:generateContent", "tunedModels/t-1", b"/v1beta/models/x%20y:generateContent"),
        (
            b"/v1/projects/p/locations/l/publishers/google/models/gemini-m:streamGenerateContent",
            "gemini-m",
            b"/v1/projects/p/locations/l/publishers/google/models/x%20y:streamGenerateContent",
        ),
        (
            b"/v1/projects/p/locations/l/endpoints/12:generateContent",
            "endpoints/12",
            b"/v1/projects/p/locations/l/models/x%20y:generateContent",
        ),
        (b"/v1beta/models", None, b"/v1beta/models"),
        (b"/v1beta/models/gemini-m", None, b"/v1beta/models/gemini-m"),
    ],
)
def test_the_model_in_a_path(path: bytes, model: str | None, other: bytes) -> None:
    assert model_in(path) == model
    assert with_model(path, "x y") == other
    if model is not None:
        assert model_in(with_model(path, model)) == model


@given(st.text(st.characters(categories=("L", "N", "P")), min_size=1))
def test_any_model_can_be_put_in_a_path(model: str) -> None:
    path = with_model(b"/v1beta/models/m:generateContent", model)
    assert model_in(path) == model
    assert dialect_for(b"POST", path) is GENERATE
    assert not {b" ", b"?", b"#", b"\r", b"\n"} & {path[at : at + 1] for at in range(len(path))}


def test_what_streams_and_what_is_counted() -> None:
    path = b"/v1beta/models/m:%b"
    kinds = {
        b"generateContent": ("llm", False),
        b"streamGenerateContent": ("llm", True),
        b"embedContent": ("embedding", False),
        b"batchEmbedContents": ("embedding", False),
        b"countTokens": ("tokens", False),
    }
    for method, (kind, streams) in kinds.items():
        dialect = dialect_for(b"POST", path % method)
        assert (dialect.kind, dialect.streams(path % method), dialect.reads_body) == (kind, streams, True)
    assert dialect_for(b"GET", b"/v1beta/models/m") is OPAQUE


@pytest.mark.parametrize(
    ("path", "whole", "expected"),
    [
        (b"/v1beta/models/m:countTokens", {"totalTokens": 14, "promptTokensDetails": []}, None),
        (b"/v1beta/models/m:embedContent", {"embedding": {"values": [0.5]}}, None),
        (
            b"/v1beta/models/m:embedContent",
            {"embedding": {"values": [0.5]}, "usageMetadata": {"promptTokenCount": 3}},
            Usage(input_tokens=3, output_tokens=0),
        ),
        (
            b"/v1/x/models/text-embedding-005:predict",
            {"predictions": [{"embeddings": {"statistics": {"token_count": count}, "values": []}} for count in (3, 4)]},
            Usage(input_tokens=7),
        ),
        (b"/v1/x/models/text-embedding-005:predict", {"predictions": [{"embeddings": {"values": []}}]}, None),
        (
            b"/v1/x/models/imagen-4:predict",
            {"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": "iVBO"}, {"raiFilteredReason": "no"}]},
            Usage(images=1),
        ),
        (b"/v1/x/models/imagen-4:predict", {}, None),
    ],
)
def test_the_other_methods(path: bytes, whole: dict[str, Any], expected: Usage | None) -> None:
    assert dialect_for(b"POST", path).settle(dumped(whole), False) == Answer(
        usage=expected, usage_raw=dumped(whole["usageMetadata"]) if "usageMetadata" in whole else None
    )


@pytest.mark.parametrize(
    ("path", "body", "prompt"),
    [
        (b"generateContent", {"contents": [{"parts": [{"text": "Hi"}]}]}, "Hi"),
        (b"generateContent", {"contents": {"role": "user", "parts": [{"text": "Hi"}]}}, "Hi"),
        (
            b"generateContent",
            {
                "contents": [
                    {"role": "user", "parts": [{"text": "1"}, {"inlineData": {"data": "iVBO"}}]},
                    {"role": "model", "parts": [{"text": "Hm."}]},
                    {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]},
                ]
            },
            "1",
        ),
        (b"generateContent", {"contents": []}, None),
        (b"generateContent", {"contents": "Hi"}, None),
        (b"embedContent", {"content": {"parts": [{"text": "a"}]}}, "a"),
        (b"batchEmbedContents", {"requests": [{"content": {"parts": [{"text": t}]}} for t in ("a", "b")]}, "a\nb"),
        (b"countTokens", {"generateContentRequest": {"contents": [{"parts": [{"text": "Hi"}]}]}}, "Hi"),
        (b"countTokens", {"contents": [{"parts": [{"text": "Hi"}]}]}, "Hi"),
        (b"predict", {"instances": [{"content": "a"}, {"content": "b"}]}, "a\nb"),
        (b"predict", {"instances": [{"prompt": "a cat"}]}, "a cat"),
        (b"predict", {"instances": [{"content": 7}]}, None),
    ],
)
def test_the_prompt(path: bytes, body: dict[str, Any], prompt: str | None) -> None:
    dialect = dialect_for(b"POST", b"/v1beta/models/text-embedding-m:" + path)
    assert dialect.prompt(dumped(body)) == prompt


@pytest.mark.parametrize(
    ("status", "word"),
    [(400, "INVALID_ARGUMENT"), (401, "UNAUTHENTICATED"), (429, "RESOURCE_EXHAUSTED"), (504, "DEADLINE_EXCEEDED")],
)
def test_the_shape_of_errors(status: int, word: str) -> None:
    error = json.loads(GENERATE.error_body(CallError(status, "why", "What was wrong.")))["error"]
    assert (error["code"], error["status"], error["message"]) == (status, word, "What was wrong.")
    assert error["details"][0]["reason"] == "why"
