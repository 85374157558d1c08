"""What is made in the background and paid for once: videos, Gemini's batches, containers that code ran in."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects import Answer, Billed, Context, Dialect, dialect_for
from gateway.dialects.openai_videos import video_tier
from gateway.proxy.bills import Bills
from pricing import Catalog, Usage, billed
from tests.dialects.anthropic_shapes import dumped
from tests.dialects.contract import agree, ask_everything

VIDEO = b"/v1/videos/video_1"
OPERATION = b"/v1beta/batches/b-1"
RESULTS = b"/download/v1beta/files/batch-b-1:download"
RESPONSES = dialect_for(b"POST", b"/v1/responses")

PATHS = {
    (b"POST", b"/v1/videos"): ("openai.videos", "video"),
    (b"POST", b"/v1/videos/video_1/remix"): ("openai.videos", "video"),
    (b"GET", VIDEO): ("openai.videos", "video"),
    (b"GET", b"/v1/videos/video_1/content"): ("openai.videos.stored", "video"),
    (b"GET", b"/v1/videos"): ("openai.videos.stored", "video"),
    (b"DELETE", VIDEO): ("openai.videos.stored", "video"),
    (b"POST", b"/v1/containers"): ("openai.containers", "container"),
    (b"POST", b"/v1beta/models/gemini-m:batchGenerateContent"): ("gemini.batches", "batch"),
    (b"POST", b"/v1beta/models/gemini-m:asyncBatchEmbedContent"): ("gemini.batches", "batch"),
    (b"GET", OPERATION): ("gemini.batch", "batch"),
    (b"GET", b"/v1beta/batches"): ("gemini.batches", "batch"),
    (b"POST", b"/v1beta/batches/b-1:cancel"): ("gemini.batches", "batch"),
    (b"DELETE", OPERATION): ("gemini.batches", "batch"),
    (b"GET", RESULTS): ("gemini.results", "file"),
    (b"GET", b"/v1/batches/batch_1"): ("openai.batches", "batch"),
    (b"GET", b"/v1beta/openai/batches/batch_1"): ("openai.batches", "batch"),
}


@pytest.mark.parametrize(("call", "found"), PATHS.items())
def test_the_paths(call: tuple[bytes, bytes], found: tuple[str, str]) -> None:
    dialect = dialect_for(*call)
    assert (dialect.name, dialect.kind) == found
    assert not dialect.reads_body


@pytest.mark.parametrize("call", PATHS)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b'{"id":1,"status":"completed","seconds":[],"size":3}',
        b'{"seconds":"1e999"}',
        b'{"response":[]}',
        b'{"done":true,"response":{"inlinedResponses":{"inlinedResponses":[1]}}}',
    ],
)
def test_no_bytes_make_them_raise(call: tuple[bytes, bytes], data: bytes) -> None:
    ask_everything(dialect_for(*call), data, 200)


# ---------------------------------------------------------------------------------------------- videos


def video(**said: Any) -> bytes:
    return dumped({"id": "video_1", "object": "video", "model": "sora-2-pro", "status": "completed", **said})


@pytest.mark.parametrize(
    ("said", "usage", "tier"),
    [
        ({"seconds": "8", "size": "720x1280"}, Usage(audio_seconds=8), "720p"),
        ({"seconds": 4, "size": "1792x1024"}, Usage(audio_seconds=4), "1024p"),
        ({"seconds": "4"}, Usage(audio_seconds=4), None),
        ({"seconds": "8", "status": "queued", "progress": 0}, None, None),
        ({"seconds": "8", "status": "failed", "error": {"code": "x", "message": "Refused."}}, None, None),
        ({"seconds": "soon"}, None, None),
    ],
)
def test_a_video_is_paid_by_the_second_once_it_is_there(
    said: dict[str, Any], usage: Usage | None, tier: str | None
) -> None:
    dialect = dialect_for(b"GET", VIDEO)
    settled, read = dialect.settle(video(**said), False), dialect.read(video(**said), False, 200)
    agree(settled, read)
    assert (settled.usage, settled.service_tier) == (usage, tier)
    assert settled.bill_id == ("video_1" if usage else None)
    assert (settled.error == "Refused.") == ("error" in said)
    assert read.response_id == "video_1"


@pytest.mark.parametrize("size", [None, "", "720", "x", "axb", "720x", 5, "9" * 10 + "x5"])
def test_a_size_that_is_none(size: Any) -> None:
    assert video_tier(size) is None


# ---------------------------------------------------------------------------------------------- Gemini's batches


def gemini(model: str | None, **counts: int) -> dict[str, Any]:
    return {"response": {"candidates": [], "modelVersion": model, "usageMetadata": counts}}


LINES = [
    gemini("gemini-m", promptTokenCount=10, candidatesTokenCount=2, thoughtsTokenCount=1),
    {"error": {"code": 400, "message": "No."}},
    gemini("gemini-m", promptTokenCount=300_000, candidatesTokenCount=5),
    gemini(None, promptTokenCount=1),
]


def operation(done: bool, **more: Any) -> bytes:
    return dumped({"name": "batches/b-1", "metadata": {"model": "models/gemini-n"}, "done": done, **more})


SUMS = [
    ("gemini-m", 10, 3),
    ("gemini-m", 300_000, 5),
    ("gemini-n", 1, 0),
]


def sums(answer: Answer) -> list[tuple[str | None, int | None, int | None]]:
    own = (answer.model, answer.usage.input_tokens, answer.usage.output_tokens) if answer.usage else (None, None, None)
    return [own, *((part.model, part.usage.input_tokens, part.usage.output_tokens) for part in answer.also)]


def test_a_batch_that_holds_its_answers_is_paid_when_it_is_done() -> None:
    dialect = dialect_for(b"GET", OPERATION)
    held = {"inlinedResponses": {"inlinedResponses": LINES}}
    twice = operation(True, response=held, metadata={"model": "models/gemini-n", "output": held})
    for body in (operation(True, response=held), twice):
        answer = dialect.settle(body, False)
        assert sums(answer) == SUMS
        assert (answer.service_tier, answer.bill_id) == ("batch", "batches/b-1")
        agree(answer, dialect.read(body, False, 200))


@pytest.mark.parametrize(
    "body",
    [
        operation(False, response={"inlinedResponses": {"inlinedResponses": LINES}}),
        operation(True, response={"responsesFile": "files/batch-b-1"}),
        operation(True, response={"inlinedResponses": {}}),
        operation(True),
    ],
    ids=["not done", "in a file", "empty", "nothing"],
)
def test_any_other_state_of_a_batch_costs_nothing(body: bytes) -> None:
    assert dialect_for(b"GET", OPERATION).settle(body, False) == Answer()


def test_a_batch_that_failed_says_so() -> None:
    body = operation(True, error={"code": 3, "message": "The file is empty."})
    assert dialect_for(b"GET", OPERATION).settle(body, False).error == "The file is empty."


def test_a_file_of_results_is_paid_when_it_is_fetched() -> None:
    data = b"".join(dumped({"key": f"k{number}", **line}) + b"\n" for number, line in enumerate(LINES))
    answer = dialect_for(b"GET", RESULTS).settle(data, False, Context(RESULTS))
    assert sums(answer) == [*SUMS[:2], ("", 1, 0)]
    assert answer.bill_id == "files/batch-b-1"


def test_a_batch_costs_half_and_a_long_request_its_own_price() -> None:
    data = dumped(gemini("gemini-2.5-pro", promptTokenCount=150_000, candidatesTokenCount=10)) + b"\n"
    long = dumped(gemini("gemini-2.5-pro", promptTokenCount=250_000, candidatesTokenCount=10)) + b"\n"
    answer = dialect_for(b"GET", RESULTS).settle(data * 2 + long, False, Context(RESULTS))
    catalog = Catalog.load()
    found = billed(catalog, "gemini", answer.model or "", answer.usage, answer.service_tier, answer.also, 1)
    assert found is not None
    short_usd, long_usd = 300_000 * 0.625e-6 + 20 * 5e-6, 250_000 * 1.25e-6 + 10 * 7.5e-6
    assert found[1].total_nanousd == round((short_usd + long_usd) * 1e9)


# ---------------------------------------------------------------------------------------------- containers


def response(*items: dict[str, Any], container: Any = None) -> bytes:
    tool = {"type": "code_interpreter", "container": container or {"type": "auto"}}
    usage = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}
    body = {"id": "resp_1", "model": "gpt-m", "status": "completed", "output": items, "tools": [tool], "usage": usage}
    return dumped(body)


def ran_in(container: str) -> dict[str, Any]:
    return {"type": "code_interpreter_call", "id": "ci_1", "code": "1", "container_id": container}


def session(size: int = 1) -> Billed:
    return Billed("container", Usage(code_sessions=size))


@pytest.mark.parametrize(
    ("body", "also"),
    [
        (response(ran_in("cntr_1"), ran_in("cntr_1")), [session()]),
        (response(ran_in("cntr_1"), ran_in("cntr_2")), [session(), session()]),
        (response(ran_in("cntr_1"), container={"type": "auto", "memory_limit": "16g"}), [session(16)]),
        (response(ran_in("cntr_1"), container={"type": "auto", "memory_limit": []}), [session()]),
        (response(ran_in("cntr_1"), container="cntr_1"), []),
        (response(ran_in("container_of_anothers")), []),
        (response({"type": "message", "content": [{"text": '"code_interpreter_call"'}]}), []),
    ],
)
def test_a_container_that_a_response_opened_is_in_its_bill(body: bytes, also: list[Billed]) -> None:
    settled, read = RESPONSES.settle(body, False), RESPONSES.read(body, False, 200)
    assert settled.also == read.also == also
    streamed = b"data: " + dumped({"type": "response.completed", "response": None}).replace(b"null", body) + b"\n\n"
    assert RESPONSES.settle(streamed, True).also == also


def settled_once(bills: Bills, dialect: Dialect, body: bytes) -> Answer:
    answer = dialect.settle(body, False)
    bills.settle_once("openai", answer)
    return answer


def test_a_container_is_paid_by_the_first_response_that_computes_in_it() -> None:
    bills = Bills()
    first, again = (settled_once(bills, RESPONSES, response(ran_in("cntr_1"))) for _ in range(2))
    assert (first.also, again.also) == ([session()], [])
    assert first.usage == again.usage
    assert settled_once(bills, RESPONSES, response(ran_in("cntr_1"), ran_in("cntr_2"))).also == [session()]


def test_a_container_that_is_opened_by_itself_is_paid_then() -> None:
    dialect = dialect_for(b"POST", b"/v1/containers")
    body = dumped({"id": "cntr_1", "object": "container", "status": "running", "memory_limit": "4g"})
    settled = dialect.settle(body, False)
    assert (settled.model, settled.usage, settled.bill_id) == ("container", Usage(code_sessions=4), "cntr_1")
    agree(settled, dialect.read(body, False, 200))
    assert dialect.read(b'{"error":{"message":"No."}}', False, 400).error == "No."
    assert dialect.settle(b'{"object":"list"}', False) == Answer()


def test_file_searches_are_counted_beside_web_searches() -> None:
    search = {"type": "file_search_call", "queries": ["a", "b"], "results": None}
    usage = RESPONSES.settle(response(search, search, {"type": "web_search_call"}), False).usage
    assert usage == Usage(10, 2, 12, web_searches=1, file_searches=2)
