"""Secrets planted wherever a call can carry them are on no disk, in no log, metric or page once the call is recorded;
and what may not be kept never reaches the disk at all."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import ADMIN_KEY, APP_KEY, UPSTREAM_KEY, VIEWER_KEY, Gateway, configuration, wait_for
from tests.e2e.planted import content, everywhere, recorded, secrets
from tests.e2e.upstream import DONE, Upstream, completion
from tests.e2e.wire import Message, Wire, answer, stream_head

SEALING_KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
PROVIDER_SECRET = "Pr0viderHeaderSecret77aa88bb"
UNKEPT_KEY = "cg-test-unkept-0123456789abcdef"
MARK = "marmalade-sandwich"
"""Of what may not be kept: no pattern would find it."""
CONFIGURED = (UPSTREAM_KEY, ADMIN_KEY, APP_KEY, VIEWER_KEY, UNKEPT_KEY, PROVIDER_SECRET, SEALING_KEY)


def echoes(wire: Wire, request: Message) -> None:
    """Gives back what it was told: as an error for the model `errs`, in pieces where a stream is asked for."""
    body = json.loads(request.body or b"{}")
    said = body.get("messages", [{"content": ""}])[0]["content"]
    if body.get("model") == "errs":
        wire.send(answer({"error": {"message": f"I do not like {said}", "type": "x"}}, status="400 Bad Request"))
    elif body.get("stream"):
        wire.send(stream_head())
        for at in range(0, len(said), 7):
            delta = {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": said[at : at + 7]}}]}
            for piece in (delta, {"content": said[at : at + 7]}):
                event = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": piece}]}
                wire.chunk(f"data: {json.dumps(event)}\n\n".encode())
        wire.chunk(DONE)
        wire.send(b"0\r\n\r\n")
    else:
        wire.send(answer(completion(said)))


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory, scripted: Upstream) -> Iterator[Gateway]:
    provider = {
        "dialect": "openai",
        "base_url": f"http://127.0.0.1:{scripted.port}/v1",
        "api_key": UPSTREAM_KEY,
        "headers": {"x-partner": PROVIDER_SECRET},
    }
    settings = configuration(
        default_provider="raw",
        providers={"raw": provider},
        privacy={"policies": [{"scope": "key", "match": "unkept", "payloads": "none"}]},
    )
    settings["keys"] = [*settings["keys"], {"name": "unkept", "key": UNKEPT_KEY, "tenant": "acme"}]
    gateway = Gateway(tmp_path_factory.mktemp("private") / "data", settings).start()
    yield gateway
    if gateway.running:
        gateway.stop()


@pytest.fixture(autouse=True)
def provider(scripted: Upstream) -> None:
    scripted.script = echoes


def test_planted_secrets_are_nowhere(private: Gateway) -> None:
    found = secrets(1)
    texts = [text for text, _ in found]
    groups = ["\n".join(texts[at : at + 30]) for at in range(0, len(texts), 30)]
    answers = [private.chat("raw/m-1", group) for group in groups]
    answers += [private.chat("raw/m-1", group, stream=True) for group in groups]
    answers += [private.chat("raw/errs", text) for text in texts[::4]]
    answers += [private.chat("raw/m-1", "Hi", metadata={"note": text[:400]}) for text in texts[::9] if "\n" not in text]
    keys = [text for text in texts if text.isascii() and text.isprintable() and " " not in text][:40]
    answers += [private.chat("raw/m-1", "Hi", f"x-note: {key}", f"x-callgate-trace-name: {key}") for key in keys]
    answers += [private.chat(f"raw/{key[:150]}", "Hi") for key in keys[:10]]
    assert {each.status for each in answers} <= {200, 400, 404}
    recorded(private, *answers)
    disk = everywhere(private)
    missed = [part for _, parts in found for part in parts if part.encode() in disk]
    assert len(missed) <= 0.01 * len(found), missed
    assert b"[redacted:openai_key]" in disk, "it is recorded"


def test_configured_secrets_are_nowhere(private: Gateway) -> None:
    refused = private.post("/v1/chat/completions", {"model": "no/where"}, key=APP_KEY)
    recorded(private, private.chat("raw/m-1", "Hello"))
    disk = everywhere(private)
    assert [secret for secret in CONFIGURED if secret.encode() in disk + refused.body] == []


@pytest.mark.parametrize(
    ("key", "headers"), [(UNKEPT_KEY, ()), (APP_KEY, ("x-callgate-no-store: true",))], ids=["policy", "header"]
)
def test_what_may_not_be_kept_never_reaches_the_disk(private: Gateway, key: str, headers: tuple[str, ...]) -> None:
    asked = {"messages": [{"role": "user", "content": MARK}]}
    path = "/v1/chat/completions"
    answers = [
        private.post(path, {"model": "raw/m-1", **asked}, *headers, f"x-note: {MARK}", key=key),
        private.post(path, {"model": "raw/m-1", "stream": True, **asked}, *headers, key=key),
        private.post(path, {"model": "raw/errs", **asked}, *headers, key=key),
    ]
    assert MARK.encode() in answers[0].body, "the client gets all of it"
    journal = b"".join(content(path) for path in private.data.rglob("*"))
    assert MARK.encode() not in journal
    recorded(private, *answers)
    row = private.row_of(answers[0])
    assert (row["status_code"], row["input_tokens"], row["input_preview"], row["request_body"]) == (200, 9, None, None)
    assert MARK.encode() not in everywhere(private)


def test_a_policy_made_at_run_time_holds_within_a_second(private: Gateway) -> None:
    body = {"scope": "tenant", "match": "acme", "payloads": "hash"}
    assert private.post("/api/privacy/policies", body, key=ADMIN_KEY).status == 201

    def holds() -> bool:
        row = private.row_of(private.chat("raw/m-1", "Hello there"))
        return row["input_preview"] is None and str(row["request_body"]).startswith("sha256:")

    wait_for(holds, "only a hash is kept")


def test_the_command_erases_and_leaves_a_certificate(private: Gateway) -> None:
    recorded(private, private.chat("raw/m-1", "Hello", metadata={"userId": "u-99-jane"}))
    assert b"u-99-jane" in everywhere(private)
    command = [str(Path(sys.executable).parent / "callgate"), "privacy", "erase", "--user", "u-99-jane", "--yes"]
    done = subprocess.run(
        [*command, "--config", str(private.config), "--data", str(private.data)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["erased"]["spans"] == 1
    status, kept = private.get("/api/privacy/erasures?kind=user&value=u-99-jane")
    assert (status, [each["sha256"] for each in kept["items"]]) == (200, [json.loads(done.stdout)["sha256"]])
    assert b"u-99-jane" not in everywhere(private)


def test_what_is_left_when_the_gateway_has_ended(private: Gateway) -> None:
    assert private.stop() == 0
    files = b"".join(content(path) for path in private.data.rglob("*"))
    planted = [part for _, parts in secrets(1) for part in parts]
    assert sum(part.encode() in files for part in planted) <= 0.01 * len(planted)
    assert [word for word in (MARK, "u-99-jane", *CONFIGURED) if word.encode() in files] == []
