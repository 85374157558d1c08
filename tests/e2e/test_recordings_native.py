"""Recorded exchanges of Anthropic, Google and Cohere through the gateway with the headers and errors that their clients
know. What every recording means is in test_recordings_all."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.dialects import recorded
from tests.dialects.recorded import Record, each
from tests.e2e.harness import APP_KEY, REPLAY_SERVER, Gateway, configuration, wait_for
from tests.e2e.wire import post

FILES = ("anthropic.messages", "google.generate", "google.stream", "cohere")
FAMILIES = {"anthropic": "anthropic", "google": "gemini", "cohere": "cohere"}
RECORDS = recorded.records(*FILES)

pytestmark = recorded.needs_recordings


def family(record: Record) -> str:
    return FAMILIES[record["dialect"].partition(".")[0]]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a server that answers as the providers did, cut anywhere."""
    folder = tmp_path_factory.mktemp("recordings")
    for name in FILES:
        (folder / f"{name}.jsonl.gz").symlink_to(recorded.RECORDINGS / f"{name}.jsonl.gz")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = int(probe.getsockname()[1])
    command = [sys.executable, str(REPLAY_SERVER), str(folder), "--port", str(free), "--split", "random"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        wait_for(lambda out=process.stdout: "http://" in out.readline(), "the replay server listens")
        yield free
        process.terminate()


@pytest.fixture(scope="module")
def replaying(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Gateway]:
    providers = {
        name: {"dialect": name, "base_url": f"http://127.0.0.1:{port}", "api_key": "sk-replayed"}
        for name in FAMILIES.values()
    }
    gateway = Gateway(tmp_path_factory.mktemp("native") / "data", configuration(providers=providers)).start()
    yield gateway
    gateway.stop()


def one(record: Record) -> bool:
    return record["status"] == 200 and record["path"].startswith(("/v1/messages", "/v1beta/models"))


def renamed(record: Record) -> tuple[str, dict[str, Any]]:
    """The path and body as a client calls the gateway itself, with `provider/model`."""
    path, body = record["path"], record["request_body"]
    if "model" in body:
        return path, {**body, "model": f"{family(record)}/{body['model']}"}
    return path.replace("/models/", f"/models/{family(record)}/"), body


@each([record for record in RECORDS if one(record)][::8])
def test_a_model_is_found_in_the_body_or_in_the_path(record: Record, replaying: Gateway) -> None:
    path, body = renamed(record)
    query = f"?{record['query']}" if record["query"] else ""
    key = "x-api-key" if family(record) == "anthropic" else "x-goog-api-key"
    given = replaying.exchange(post(f"{path}{query}", body, f"{key}: {APP_KEY}", f"x-replay-id: {record['id']}"))
    assert given.header("x-replay-body") == "same", given.body
    assert given.header("x-replay-served-id") == record["id"]
    assert given.body == recorded.body_of(record)
    row = replaying.row_of(given)
    assert (row["provider"], row["stream"]) == (family(record), record["streaming"])
    assert row["model_requested"] == f"{family(record)}/{recorded.context_of(record).model}"


@pytest.mark.parametrize(
    ("path", "body", "shape"),
    [
        ("/v1/messages", {"messages": []}, {"type": "error"}),
        ("/v1beta/models/nobody/nothing:generateContent", {"contents": []}, {}),
    ],
)
def test_an_error_of_the_gateways_own_has_the_shape_of_the_dialect(
    path: str, body: dict[str, Any], shape: dict[str, Any], replaying: Gateway
) -> None:
    given = replaying.exchange(post(path, body, "x-api-key: wrong"))
    assert given.status == 401
    answer = json.loads(given.body)
    assert {**shape, "error": answer["error"]} == answer
    assert answer["error"].get("type", answer["error"].get("status")) in ("authentication_error", "UNAUTHENTICATED")
