"""Vertex AI with a service account: the gateway gets its own tokens, and calls wait only for the first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import APP_KEY, UPSTREAM_KEY, Gateway, configuration
from tests.e2e.upstream import Upstream
from tests.e2e.wire import Message, Wire, answer

GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hello."}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
    "modelVersion": "gemini-2.5-flash",
}
ASKED = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
BELOW = "/v1/projects/p/locations/global/publishers/google"


class Google:
    """Gives tokens, unless it refuses, and answers to the one that holds."""

    def __init__(self) -> None:
        self.grants = 0
        self.refuses = False
        self.calls: list[Message] = []

    def __call__(self, wire: Wire, request: Message) -> None:
        if request.target == "/token":
            self.grants += 1
            refusal = {"error": "invalid_grant", "error_description": "Account not found."}
            granted = {"access_token": f"ya29.{self.grants}", "expires_in": 3600}
            wire.send(answer(refusal, status="400 Bad Request") if self.refuses else answer(granted))
            return
        self.calls.append(request)
        wire.send(answer(GEMINI))


@pytest.fixture
def vertex(tmp_path: Path, upstream: Upstream) -> Iterator[tuple[Gateway, Google]]:
    origin = f"http://127.0.0.1:{upstream.port}"
    user = {"type": "authorized_user", "client_id": "id", "client_secret": "s3cret", "refresh_token": "1//r"}
    credentials = json.dumps({**user, "token_uri": f"{origin}/token"})
    providers: dict[str, Any] = {
        "vertex-gemini": {"base_url": f"{origin}{BELOW}", "google_credentials": credentials},
        "raw": {"dialect": "gemini", "base_url": origin, "api_key": UPSTREAM_KEY},
    }
    models = {"safe": {"targets": [{"model": "vertex-gemini/gemini-2.5-flash"}], "fallbacks": ["raw/gemini-m"]}}
    google = Google()
    upstream.script = google
    gateway = Gateway(tmp_path / "data", configuration(providers=providers, models=models)).start()
    yield gateway, google
    assert gateway.stop() == 0, "".join(gateway.output)


def generate(gateway: Gateway, model: str) -> Message:
    return gateway.post(f"/v1beta/models/{model}:generateContent", ASKED)


def test_one_token_is_fetched_for_many_calls_and_gemini_s_client_needs_to_know_nothing(
    vertex: tuple[Gateway, Google],
) -> None:
    gateway, google = vertex
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: generate(gateway, "vertex-gemini/gemini-2.5-flash"), range(16)))
    assert {message.status for message in answers} == {200}
    assert google.grants == 1
    assert {call.target for call in google.calls} == {f"{BELOW}/models/gemini-2.5-flash:generateContent"}
    assert {call.header("authorization") for call in google.calls} == {"Bearer ya29.1"}
    row = gateway.row_of(answers[0])
    assert (row["provider"], row["model"], row["cost_nanousd"]) == ("vertex-gemini", "gemini-2.5-flash", 6500)
    native = gateway.post(f"/p/vertex-gemini{BELOW}/models/gemini-2.5-flash:generateContent", ASKED)
    assert (native.status, google.calls[-1].target) == (200, f"{BELOW}/models/gemini-2.5-flash:generateContent")


def test_a_refusal_says_why_a_route_goes_on_and_the_next_call_asks_again(vertex: tuple[Gateway, Google]) -> None:
    gateway, google = vertex
    google.refuses = True
    refused = generate(gateway, "vertex-gemini/gemini-2.5-flash")
    assert refused.status == 502
    said = refused.json()["error"]
    assert "invalid_grant: Account not found." in said["message"]
    assert said["details"][0]["reason"] == "upstream_authentication"
    assert gateway.row_of(refused)["error_type"] == "authentication"
    safe = generate(gateway, "safe")
    assert (safe.status, safe.header("x-callgate-provider")) == (200, "raw")
    google.refuses = False
    assert generate(gateway, "vertex-gemini/gemini-2.5-flash").status == 200
    shown = "".join(gateway.output)
    assert "s3cret" not in shown
    assert "ya29" not in shown


def test_openai_s_clients_reach_it_in_translation(vertex: tuple[Gateway, Google]) -> None:
    gateway, google = vertex
    said = gateway.chat("vertex-gemini/gemini-2.5-flash")
    assert (said.status, said.json()["choices"][0]["message"]["content"]) == (200, "Hello.")
    call = google.calls[-1]
    assert (call.target, call.header("authorization")) == (
        f"{BELOW}/models/gemini-2.5-flash:generateContent",
        "Bearer ya29.1",
    )
    assert call.header("x-goog-api-key") is None
    assert APP_KEY not in str(call.headers)
    assert gateway.row_of(said)["cost_nanousd"] == 6500
