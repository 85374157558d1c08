"""What is paid for is booked once, wherever it is reported: background responses, batches, a router's own charge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.harness import APP_KEY, UPSTREAM_KEY, Gateway, configuration
from tests.e2e.upstream import Upstream
from tests.e2e.wire import CutError, Message, Wire, answer, get

USAGE = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
RATES = {"input_per_mtok": 1.0, "output_per_mtok": 2.0, "batch_discount": 0.5}


@pytest.fixture(scope="module")
def billing(tmp_path_factory: pytest.TempPathFactory, scripted: Upstream) -> Iterator[Gateway]:
    base = {"dialect": "openai", "base_url": f"http://127.0.0.1:{scripted.port}/v1", "api_key": UPSTREAM_KEY}
    config = configuration(
        default_provider="raw",
        providers={"raw": base, "openrouter": base},
        prices={"overrides": {"m-1": RATES, "m-2": RATES, "whisper-1": {"per_second": 0.0001}}},
    )
    running = Gateway(tmp_path_factory.mktemp("billing") / "data", config).start()
    yield running
    assert running.stop() == 0, "".join(running.output)


def fetch(gateway: Gateway, path: str) -> Message:
    return gateway.exchange(get(path, f"authorization: Bearer {APP_KEY}"))


def says(upstream: Upstream, *answers: bytes) -> None:
    left = list(answers)

    def script(wire: Wire, request: Message) -> None:
        wire.send(left.pop(0))

    upstream.script = script


def response(status: str, usage: Any) -> bytes:
    body = {"id": "resp_e2e", "object": "response", "status": status, "model": "m-1", "output": [], "usage": usage}
    return answer(body)


def test_a_background_response_is_paid_when_it_is_first_fetched(billing: Gateway, upstream: Upstream) -> None:
    done = response("completed", USAGE)
    says(upstream, response("queued", None), response("in_progress", None), done, done)
    asked = billing.post("/v1/responses", {"model": "m-1", "input": "Hi", "background": True})
    fetched = [fetch(billing, "/v1/responses/resp_e2e") for _ in range(3)]
    rows = [billing.row_of(one) for one in (asked, *fetched)]
    assert [row["finish_reason"] for row in rows] == ["queued", "in_progress", "completed", "completed"]
    assert [row["cost_nanousd"] for row in rows] == [None, None, 120_000, None]
    assert [row["usage_source"] for row in rows] == ["none", "none", "reported", "none"]
    assert rows[3]["usage_raw"] == USAGE
    assert {row["response_id"] for row in rows} == {"resp_e2e"}


def test_a_response_paid_when_it_was_made_is_free_to_fetch_after_a_restart_too(
    tmp_path_factory: pytest.TempPathFactory, upstream: Upstream
) -> None:
    """The worker has forgotten it; the store has not."""
    base = {"dialect": "openai", "base_url": f"http://127.0.0.1:{upstream.port}/v1", "api_key": UPSTREAM_KEY}
    config = configuration(default_provider="raw", providers={"raw": base}, prices={"overrides": {"m-1": RATES}})
    gateway = Gateway(tmp_path_factory.mktemp("restart") / "data", config).start()
    says(upstream, *[response("completed", USAGE)] * 2)
    first = gateway.row_of(gateway.post("/v1/responses", {"model": "m-1", "input": "Hi"}))
    assert gateway.stop() == 0
    gateway.start()
    again = gateway.row_of(fetch(gateway, "/v1/responses/resp_e2e"))
    assert gateway.stop() == 0
    assert (first["cost_nanousd"], first["cost_source"]) == (120_000, "override")
    assert (again["cost_nanousd"], again["cost_source"], again["usage_source"]) == (None, "none", "none")


def test_the_results_of_a_batch_are_paid_at_batch_prices_and_once(billing: Gateway, upstream: Upstream) -> None:
    lines = b"".join(
        json.dumps(
            {
                "custom_id": f"c{number}",
                "response": {"status_code": 200, "body": {"model": f"m-{number % 2 + 1}", "usage": USAGE}},
            }
        ).encode()
        + b"\n"
        for number in range(20_000)
    )
    assert len(lines) > 2_000_000, "more than is usually kept of an answer"
    says(upstream, *[answer(lines, content_type="application/octet-stream")] * 2)
    rows = [billing.row_of(fetch(billing, "/v1/files/file-e2e/content")) for _ in range(2)]
    assert [row["cost_nanousd"] for row in rows] == [20_000 * 60_000, None]
    assert (rows[0]["model"], rows[0]["service_tier"], rows[0]["input_tokens"]) == ("m-1", "batch", 1_000_000)
    assert rows[0]["billed_also"] == [
        {"model": "m-2", "input_tokens": 1_000_000, "output_tokens": 100_000, "service_tier": "batch"}
    ]
    assert [row["kind"] for row in rows] == ["batch", "batch"]


def test_results_that_are_fetched_in_part_are_not_paid_by_it(billing: Gateway, upstream: Upstream) -> None:
    """Neither a range nor a download that breaks off takes the place of the whole."""
    line = json.dumps({"custom_id": "c", "response": {"status_code": 200, "body": {"model": "m-1", "usage": USAGE}}})
    body = line.encode() + b"\n"
    whole = answer(body * 2, content_type="application/octet-stream")
    ranged = answer(body, content_type="application/octet-stream").replace(b" 200 OK", b" 206 Partial Content")
    left = [whole[: -len(body) // 2], ranged, whole]

    def script(wire: Wire, request: Message) -> None:
        wire.send(left[0])
        if len(left.pop(0)) < len(ranged):
            wire.close()

    upstream.script = script
    with pytest.raises(CutError):
        fetch(billing, "/v1/files/file-part/content")
    part, all_of_it = (billing.row_of(fetch(billing, "/v1/files/file-part/content")) for _ in range(2))
    assert (part["status_code"], part["cost_nanousd"]) == (206, None)
    assert all_of_it["cost_nanousd"] == 2 * 60_000


def test_a_routing_services_charge_is_what_is_booked(billing: Gateway, upstream: Upstream) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "cost": 0.0000425}
    says(upstream, answer({"id": "g", "model": "m-1:free", "provider": "Novita", "choices": [], "usage": usage}))
    row = billing.row_of(billing.chat("openrouter/m-9"))
    assert (row["cost_nanousd"], row["cost_source"], row["upstream_provider"]) == (42_500, "provider", "Novita")


def test_a_recording_in_a_form_is_paid_by_its_length(billing: Gateway, upstream: Upstream) -> None:
    form = (
        b'--XX\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        b'--XX\r\ncontent-disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
        + b"\xff" * 5000
        + b"\r\n--XX--\r\n"
    )
    says(upstream, answer({"text": "Hi", "usage": {"type": "duration", "seconds": 9}}))
    head = ["POST /v1/audio/transcriptions HTTP/1.1", "host: gateway", f"authorization: Bearer {APP_KEY}"]
    head += ["content-type: multipart/form-data; boundary=XX", f"content-length: {len(form)}", "", ""]
    row = billing.row_of(billing.exchange("\r\n".join(head).encode() + form))
    assert (row["model"], row["kind"], row["cost_nanousd"]) == ("whisper-1", "audio", 900_000)
