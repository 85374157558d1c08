"""Images, speech, transcriptions: what is paid for is in the request as often as in the answer."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects import Context, dialect_for
from gateway.dialects.openai_form import form_fields
from pricing import Usage
from tests.dialects.openai_shapes import dumped

TOKENS = {
    "input_tokens": 50,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    "output_tokens": 1056,
    "total_tokens": 1106,
}
FORM = (
    b'--XX\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\nContent-Type: audio/mpeg\r\n\r\n'
    b'ID3\x04\x00\r\n\r\n\xff\xfb name="model"\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="response_format"\r\n\r\nverbose_json\r\n--XX--\r\n'
)


def settle(path: bytes, answer: bytes, request: bytes = b"", streaming: bool = False, model: str | None = None) -> Any:
    dialect = dialect_for(b"POST", path)
    context = Context(path, request, {}, model)
    settled = dialect.settle(answer, streaming, context)
    read = dialect.read(answer, streaming, 200, context)
    assert (settled.usage, settled.model, settled.service_tier) == (read.usage, read.model, read.service_tier)
    return settled


PICTURES = b"/v1/images/generations"


def test_pictures_by_the_token() -> None:
    answer = settle(PICTURES, dumped({"data": [{"b64_json": "aGk="}], "usage": TOKENS}), b'{"model":"gpt-image-9"}')
    assert answer.usage == Usage(input_tokens=50, output_tokens=1056, total_reported=1106, image_input_tokens=40)
    assert (answer.model, answer.service_tier) == ("gpt-image-9", None)


@pytest.mark.parametrize(
    ("request_", "answer", "images", "tier"),
    [
        ({"model": "dall-e-3", "size": "1024x1792", "quality": "hd"}, {}, 1, "hd/1024x1792"),
        ({"model": "dall-e-2", "n": 3, "size": "512x512"}, {"data": [{}, {}, {}]}, 3, "512x512"),
        (
            {"model": "m", "size": "auto", "quality": "auto"},
            {"size": "1024x1024", "quality": "high"},
            1,
            "high/1024x1024",
        ),
        ({"model": "m"}, {}, 1, None),
    ],
)
def test_pictures_by_the_piece(request_: dict[str, Any], answer: dict[str, Any], images: int, tier: str | None) -> None:
    found = settle(PICTURES, dumped({"data": [{"url": "u"}], **answer}), dumped(request_))
    assert (found.usage, found.service_tier, found.model) == (Usage(images=images), tier, request_["model"])


def test_an_answer_of_pictures_too_large_to_be_kept_whole() -> None:
    """Its beginning and its end, with a gap between them."""
    gap = b'{"data":[{"b64_json":"' + b"A" * 50 + b"\n\n" + b"B" * 50 + b'"}],"usage":' + dumped(TOKENS) + b"}"
    assert settle(PICTURES, gap, b'{"model":"gpt-image-9"}').usage.output_tokens == 1056


def test_pictures_streamed() -> None:
    partial = dumped({"type": "image_generation.partial_image", "b64_json": "aGk="})
    last = dumped({"type": "image_generation.completed", "b64_json": "aGk=", "usage": TOKENS})
    events = b"event: x\ndata: " + partial + b"\n\nevent: y\ndata: " + last + b"\n\n"
    answer = settle(PICTURES, events, b'{"model":"gpt-image-9"}', streaming=True)
    assert (answer.usage.output_tokens, answer.complete, answer.model) == (1056, True, "gpt-image-9")
    cut = settle(PICTURES, b"data: " + partial + b"\n\n", b"{}", streaming=True)
    assert (cut.usage, cut.complete) == (None, False)


def test_pictures_changed_are_sent_in_a_form() -> None:
    form = FORM.replace(b"whisper-1", b"dall-e-2")
    answer = settle(b"/v1/images/edits", dumped({"data": [{"url": "u"}]}), form)
    assert (answer.usage, answer.model) == (Usage(images=1), "dall-e-2")


def test_speech_is_counted_in_the_request() -> None:
    asked = dumped({"model": "tts-1", "input": "Grüße, 世界!", "voice": "alloy"})
    answer = settle(b"/v1/audio/speech", b"ID3\x04\xff\xfb\x90", asked)
    assert (answer.usage, answer.model) == (Usage(characters=10), "tts-1")


def test_speech_as_events_says_its_tokens() -> None:
    last = {"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}}
    events = b'data: {"type":"speech.audio.delta","audio":"aGk="}\n\ndata: ' + dumped(last) + b"\n\n"
    answer = settle(b"/v1/audio/speech", events, b'{"model":"gpt-tts","input":"hi"}', streaming=True)
    assert answer.usage == Usage(input_tokens=14, output_tokens=101, total_reported=115)


TEXTS = b"/v1/audio/transcriptions"


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        ({"text": "Hi", "usage": {"type": "duration", "seconds": 9}}, Usage(audio_seconds=9.0)),
        (
            {
                "text": "Hi",
                "usage": {
                    "type": "tokens",
                    "input_tokens": 14,
                    "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
                    "output_tokens": 45,
                    "total_tokens": 59,
                },
            },
            Usage(input_tokens=14, output_tokens=45, total_reported=59, audio_input_tokens=14),
        ),
        (
            {"text": "Hi", "usage": {"prompt_audio_seconds": 203, "prompt_tokens": 4, "completion_tokens": 635}},
            Usage(input_tokens=4, output_tokens=635, audio_seconds=203.0),
        ),
        ({"task": "transcribe", "duration": 8.47, "text": "Hi"}, Usage(audio_seconds=8.47)),
        ({"task": "transcribe", "duration": "8.47", "text": "Hi"}, Usage(audio_seconds=8.47)),
        ({"text": "Hi"}, None),
        ({"text": "Hi", "duration": "long"}, None),
        ({"text": "Hi", "duration": -1}, None),
        ({"error": {"message": "no"}}, None),
    ],
)
def test_transcriptions(answer: dict[str, Any], usage: Usage | None) -> None:
    found = settle(TEXTS, dumped(answer), FORM)
    assert (found.usage, found.model) == (usage, "whisper-1" if usage else None)


def test_a_transcription_as_plain_text() -> None:
    dialect = dialect_for(b"POST", TEXTS)
    assert dialect.settle(b"Hello there.\n", False).usage is None
    assert dialect.read(b"Hello there.\n", False, 200).text == "Hello there.\n"


def test_a_transcription_streamed() -> None:
    last = {"type": "transcript.text.done", "text": "Hello", "usage": {"type": "tokens", "input_tokens": 3}}
    pieces = b"".join(
        b"data: " + dumped({"type": "transcript.text.delta", "delta": part}) + b"\n\n" for part in ("Hel", "lo")
    )
    stream = pieces + b"data: " + dumped(last) + b"\n\n"
    answer = settle(TEXTS, stream, FORM, streaming=True)
    assert (answer.usage, answer.complete, answer.model) == (Usage(input_tokens=3), True, "whisper-1")
    dialect = dialect_for(b"POST", TEXTS)
    assert dialect.read(stream, True, 200).text == dialect.read(pieces, True, 200).text == "Hello"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (FORM, {"model": "whisper-1", "response_format": "verbose_json"}),
        (FORM[:150], {"model": "whisper-1"}),
        (b'{"model":"m"}', {}),
        (b"", {}),
        (b"--\r\n", {}),
    ],
)
def test_fields_of_a_form(body: bytes, fields: dict[str, str]) -> None:
    assert form_fields(body) == fields
