"""Every recorded exchange through the real gateway: the client gets the provider's bytes, the log what they mean."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.harness import APP_KEY, RECORDINGS, REPLAY_SERVER, Gateway, configuration, wait_for
from tests.e2e.wire import Message, post

FILES = ("openai.chat.jsonl.gz", "openai.responses.jsonl.gz", "mistral.chat.jsonl.gz", "openai.embeddings.jsonl.gz")
ENDPOINTS = ("/chat/completions", "/responses", "/embeddings")
SPLITS = ("random", "line", "byte", "gzip")


def records() -> list[dict[str, Any]]:
    if not RECORDINGS.is_dir():
        return []
    found = []
    for name in FILES:
        with gzip.open(RECORDINGS / name, "rt", encoding="utf-8") as lines:
            found += [json.loads(line) for line in lines]
    return found


RECORDS = records()
pytestmark = pytest.mark.skipif(not RECORDS, reason=f"no recordings at {RECORDINGS.name} beside the project")


def prefix(record: dict[str, Any]) -> str:
    """What the provider's base URL has before the endpoint."""
    return str(record["path"]).removesuffix(endpoint(record))


def endpoint(record: dict[str, Any]) -> str:
    return next(end for end in ENDPOINTS if record["path"].endswith(end))


@pytest.fixture(scope="module")
def replays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """The ports of the replay servers, by how they cut their answers."""
    folder = tmp_path_factory.mktemp("recordings")
    for name in FILES:
        (folder / name).symlink_to(RECORDINGS / name)
    running: list[subprocess.Popen[str]] = []
    ports: dict[str, int] = {}
    try:
        for split in SPLITS:
            command = [sys.executable, str(REPLAY_SERVER), str(folder), "--port", str(free_port())]
            command += ["--gzip", "--split", "random"] if split == "gzip" else ["--split", split]
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            ports[split] = int(command[4])
        for process in running:
            assert process.stdout
            wait_for(lambda out=process.stdout: "http://" in out.readline(), "the replay server listens")
        yield ports
    finally:
        for process in running:
            process.terminate()
            process.wait(timeout=10)
            assert process.stdout
            process.stdout.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def replaying(tmp_path_factory: pytest.TempPathFactory, replays: dict[str, int]) -> Iterator[Gateway]:
    """A gateway whose providers are the recorded ones, once for each way of cutting: `openai-byte`, `groq-line`, …"""
    providers = {
        f"{record['provider']}-{split}": {
            "dialect": "openai",
            "base_url": f"http://127.0.0.1:{port}{prefix(record)}",
            "api_key": "sk-replayed",
        }
        for record in RECORDS
        for split, port in replays.items()
    }
    gateway = Gateway(tmp_path_factory.mktemp("replaying") / "data", configuration(providers=providers)).start()
    yield gateway
    gateway.stop()


def played(gateway: Gateway, record: dict[str, Any], split: str, *headers: str, **changed: Any) -> Message:
    """Sends the recorded request through the gateway; a field changed to None is left out."""
    body = {**record["request_body"], **changed}
    body = {name: value for name, value in body.items() if not (name in changed and value is None)}
    body["model"] = f"{record['provider']}-{split}/{body['model']}"
    path = f"/v1{endpoint(record)}"
    headers = (f"authorization: Bearer {APP_KEY}", f"x-replay-id: {record['id']}", *headers)
    return gateway.exchange(post(path, body, *headers))


def means(row: dict[str, Any], record: dict[str, Any]) -> None:
    """Checks the row against what the recording is known to mean."""
    expected = record.get("expected")
    assert row["status_code"] == record["status"]
    assert row["stream"] is asked_to_stream(record)
    if expected is None:
        assert row["error_type"] == "invalid_request"
        assert row["error_message"] == json.loads(record["response_body"])["error"]["message"]
        assert row["usage_source"] == "none"
        return
    assert row["model"] == (expected["answered_model"] or record["request_body"]["model"])
    finish = [reason for reason in expected["finish_reasons"] if reason]
    assert row["finish_reason"] == (finish[-1] if finish else None)
    assert [call["name"] for call in row["tool_calls"] or []] == expected["tool_calls"]
    assert (row["error_type"] is None) is (expected["error"] is None)
    usage = expected["usage"]
    if not expected["usage_present"]:
        assert row["usage_source"] in ("none", "estimated")
        return
    assert row["usage_source"] == "reported"
    columns = {
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "cached_input_tokens": "cached_input_tokens",
        "cache_write_tokens": "cache_creation_tokens",
        "reasoning_tokens": "reasoning_tokens",
        "audio_input_tokens": "input_audio_tokens",
        "audio_output_tokens": "output_audio_tokens",
    }
    assert {mine: row[mine] for mine in columns} == {mine: usage[theirs] for mine, theirs in columns.items()}


def asked_to_stream(record: dict[str, Any]) -> bool:
    """What was refused was not streamed, even so."""
    return record["request_body"].get("stream") is True


def recorded_bytes(record: dict[str, Any]) -> bytes:
    return bytes(record["response_body"].encode("utf-8"))


@pytest.fixture(scope="module")
def answers(replaying: Gateway) -> dict[tuple[str, str], Message]:
    """Every record played in every way, by its id and the way: all at once, so that no test waits for its row alone."""
    gzipped = {"gzip": ["accept-encoding: gzip"]}
    return {
        (record["id"], split): played(replaying, record, split, *gzipped.get(split, ()))
        for split in SPLITS
        for record in RECORDS
    }


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("record", RECORDS, ids=lambda record: f"{record['provider']}-{record['id']}")
def test_the_client_gets_the_providers_bytes_and_the_log_what_they_mean(
    record: dict[str, Any], split: str, replaying: Gateway, answers: dict[tuple[str, str], Message]
) -> None:
    given = answers[record["id"], split]
    assert given.header("x-replay-served-id") == record["id"], given.body
    assert given.header("x-replay-body") == "same", "the provider saw the request as it was recorded"
    assert given.status == record["status"]
    if split == "gzip" and not asked_to_stream(record):
        assert given.header("content-encoding") == "gzip"
        assert gzip.decompress(given.body) == recorded_bytes(record)
    else:
        assert given.header("content-encoding") is None
        assert given.body == recorded_bytes(record)
    for name, values in record["response_headers"].items():
        if name in ("content-type", "openai-version", "openai-processing-ms", "vary"):
            assert given.header(name) == values[0]
    means(replaying.row_of(given), record)


ASKED = [record for record in RECORDS if record["streaming"] and record["request_body"].get("stream_options")]


def without_usage_chunk(stream: bytes) -> bytes:
    """The recorded stream without the chunk that only asking for usage brings: the one with usage and no choices."""
    events = stream.split(b"\n\n")
    kept = [event for event in events if b'"choices":[],' not in event or b'"usage":{' not in event]
    return b"\n\n".join(kept)


@pytest.mark.parametrize("split", ["random", "line", "byte"])
@pytest.mark.parametrize("record", ASKED, ids=lambda record: f"{record['provider']}-{record['id']}")
def test_a_client_that_did_not_ask_for_usage_gets_everything_but_its_chunk(
    record: dict[str, Any], split: str, replaying: Gateway
) -> None:
    given = played(replaying, record, split, stream_options=None)
    expected = without_usage_chunk(recorded_bytes(record))
    if "usage_chunk_choices_empty" in record["expected"]["tags"]:
        assert len(expected) < len(recorded_bytes(record))
    assert given.body == expected
    means(replaying.row_of(given), record)


METERED = next((record for record in RECORDS if not record["streaming"] and record["status"] == 200), None)


def test_tags_in_metadata_are_taken_and_do_not_reach_the_provider(replaying: Gateway) -> None:
    assert METERED
    given = played(replaying, METERED, "random", metadata={"userId": "u-7", "job": "recorded"})
    assert given.header("x-replay-body") == "same"
    assert given.body == recorded_bytes(METERED)
    row = replaying.row_of(given)
    bound = {"tenantSlug": "acme", "environment": "test", "feature": "tests"}
    assert row["tags"] == {"userId": "u-7", "job": "recorded", **bound}
    means(row, METERED)


def test_metadata_goes_on_where_the_client_has_it_stored(replaying: Gateway) -> None:
    """With `store: true` the metadata is OpenAI's own feature."""
    assert METERED
    given = played(replaying, METERED, "random", metadata={"job": "kept"}, store=True)
    assert given.header("x-replay-body") == "differs"
    assert replaying.row_of(given)["tags"]["job"] == "kept"
