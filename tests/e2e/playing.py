"""Recorded exchanges sent through a gateway of their own, with a server behind it that answers as the providers did;
and what the log must say of each."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.dialects import recorded
from tests.dialects.recorded import Record
from tests.e2e.harness import APP_KEY, REPLAY_SERVER, Gateway, configuration, wait_for
from tests.e2e.wire import Message, get, post

RECORDS = recorded.records(*sorted(path.name.split(".jsonl")[0] for path in recorded.RECORDINGS.glob("*.gz")))

NOT_OF_THE_GATEWAY = ("/model/", "/v1beta1/", "/google-vertex/", "/openai/deployments/")
"""How paths begin that are only known below `/p/{provider}`."""
PROVIDERS = {
    "anthropic": ("anthropic", ""),
    "azure": ("azure", "/openai/v1"),
    "bedrock": ("bedrock", ""),
    "cohere": ("cohere", ""),
    "deepseek": ("deepseek", ""),
    "google": ("gemini", ""),
    "google-vertex": ("vertex", "/v1/projects/p-1/locations/global/endpoints/openapi"),
    "groq": ("groq", "/openai/v1"),
    "mistral": ("mistral", "/v1"),
    "openai": ("openai", "/v1"),
    "openrouter": ("openrouter", "/api/v1"),
    "pydantic-gateway": ("gateway", ""),
    "snowflake": ("snowflake", "/api/v2/cortex/v1"),
}
"""Recorded provider: its name here, and the path of its base URL."""

COLUMNS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_input_tokens": "cached_input_tokens",
    "cache_write_tokens": "cache_creation_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "audio_input_tokens": "input_audio_tokens",
    "audio_output_tokens": "output_audio_tokens",
}
"""The log's counts, and the recordings' names for them."""


def reports_usage(record: Record) -> bool:
    return bool((record.get("expected") or {}).get("usage_present"))


def told_again() -> set[str]:
    """Fetches of a response whose bill came with an earlier record: it is booked once (docs/decisions/0063)."""
    made = [record for record in RECORDS if record["op"] == "responses" and reports_usage(record)]
    bodies = [record["response_body"] for record in made]
    fetches = [record for record in RECORDS if record["op"] == "responses.retrieve"]
    return {record["id"] for record in fetches if any(record["path"].rpartition("/")[2] in body for body in bodies)}


TOLD_AGAIN = told_again()


Request = tuple[str, bytes]
"""A request's target and its body."""


@dataclass
class Played:
    """Records, sent one after the other through a gateway of their own."""

    split: str
    answers: dict[str, Message]
    """By the record's id."""
    rows: dict[str, dict[str, Any]]
    """By the call's id."""

    def row(self, record: Record) -> dict[str, Any]:
        return self.rows[self.answers[record["id"]].header("x-request-id") or ""]


@contextlib.contextmanager
def playing(folder: Path, split: str, requests: dict[str, Request]) -> Iterator[Played]:
    """Sends what stands in `requests` by the record's id. `split` is how the answers are cut on their way: `random`,
    `line`, `byte`; or `gzip`, for answers that come compressed."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    how = ["--gzip", "--split", "random"] if split == "gzip" else ["--split", split]
    command = [sys.executable, str(REPLAY_SERVER), str(recorded.RECORDINGS), "--port", str(port), *how]
    gateway = Gateway(folder / "data", settings(port))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as replaying:
        try:
            assert replaying.stdout
            wait_for(lambda out=replaying.stdout: "http://" in out.readline(), "the replay server listens")
            gateway.start()
            records = [record for record in RECORDS if record["id"] in requests]
            answers = {record["id"]: _sent(gateway, record, requests[record["id"]], split) for record in records}
            rows = wait_for(lambda: _all_rows(gateway, len(answers)), "every call is in the log")
            yield Played(split, answers, rows)
        finally:
            if gateway.running:
                gateway.stop()
            replaying.terminate()


def settings(port: int) -> dict[str, Any]:
    providers: dict[str, dict[str, Any]] = {
        name: {"base_url": f"http://127.0.0.1:{port}{path}", "api_key": "sk-replayed"}
        for name, path in PROVIDERS.values()
    }
    providers["gateway"]["dialect"] = "gemini"
    providers["snowflake"]["dialect"] = "openai"
    return configuration(providers=providers)


def _all_rows(gateway: Gateway, number: int) -> dict[str, dict[str, Any]] | None:
    rows = {row["request_id"]: row for row in gateway.rows("")}
    return rows if len(rows) == number else None


def _sent(gateway: Gateway, record: Record, request: Request, split: str) -> Message:
    headers = [f"authorization: Bearer {APP_KEY}", f"x-replay-id: {record['id']}"]
    if split == "gzip":
        headers.append("accept-encoding: gzip")
    target, body = request
    return gateway.exchange(get(target, *headers) if record["method"] == "GET" else post(target, body, *headers))


def native(record: Record) -> Request:
    """As the provider's own client makes it with the gateway in place of the host: below `/p/{provider}`."""
    name, prefix = PROVIDERS[record["provider"]]
    path = record["path"]
    if path.startswith(prefix + "/") and not path.startswith(("/openai/", "/v1beta1/")):
        path = path.removeprefix(prefix)
    return f"/p/{name}{path}" + _query(record), recorded.request_of(record)


def named(record: Record) -> Request | None:
    """As a client of the gateway's own surface makes it, with `provider/model` in the body or the path; None where the
    gateway has no path of its own for it."""
    name, prefix = PROVIDERS[record["provider"]]
    path, body = record["path"], record["request_body"]
    if record["method"] == "GET" or path.startswith(NOT_OF_THE_GATEWAY):
        return None
    if path.startswith("/v1beta/"):
        return path.replace("/models/", f"/models/{name}/") + _query(record), recorded.request_of(record)
    if prefix or record["provider"] == "deepseek":
        path = f"/v1{path.removeprefix(prefix)}"
    return path + _query(record), json.dumps({**body, "model": f"{name}/{body['model']}"}).encode()


def _query(record: Record) -> str:
    return f"?{record['query']}" if record["query"] else ""


def same_bytes(given: Message, record: Record, split: str) -> None:
    """Checks that the provider was asked what was recorded, and the client was answered so."""
    assert given.header("x-replay-served-id") == record["id"], given.body
    assert given.header("x-replay-body") == "same", "the provider saw the request as it was recorded"
    assert given.status == record["status"]
    if split == "gzip" and not (record["streaming"] or (record["request_body"] or {}).get("stream")):
        assert given.header("content-encoding") == "gzip"
        assert gzip.decompress(given.body) == recorded.body_of(record)
    else:
        assert given.header("content-encoding") is None
        assert given.body == recorded.body_of(record)
    assert given.header("content-type") == record["response_headers"].get("content-type", [None])[0]


def means(row: dict[str, Any], record: Record) -> None:
    """Checks the row against what the recording is known to mean."""
    expected = record.get("expected")
    assert row["status_code"] == record["status"]
    assert row["provider"] == PROVIDERS[record["provider"]][0]
    if expected is None:
        assert row["error_type"] == "invalid_request"
        assert row["error_message"]
        assert (row["usage_source"], row["cost_nanousd"]) == ("none", None)
        return
    finish = [reason for reason in expected["finish_reasons"] if reason]
    assert row["finish_reason"] == (finish[-1] if finish else None)
    assert row["model"] == (expected["answered_model"] or expected["requested_model"])
    assert row["service_tier"] == expected["service_tier"]
    assert [call["name"] for call in row["tool_calls"] or []] == expected["tool_calls"]
    assert (row["error_type"], row["error_message"]) == (
        ("upstream_error", expected["error"]["message"]) if expected["error"] else (None, None)
    )
    if not expected["usage_present"]:
        assert row["usage_source"] in ("none", "estimated")
        return
    assert isinstance(row["usage_raw"], dict) or "usage_only_in_headers" in expected["tags"]
    if record["id"] in TOLD_AGAIN:
        assert (row["usage_source"], row["cost_nanousd"]) == ("none", None)
        assert row["usage_raw"]["total_tokens"] == expected["usage"]["total_reported"]
        return
    assert row["usage_source"] == "reported"
    counted = {ours: row[ours] for ours in COLUMNS}
    for billed in row["billed_also"]:
        counted["input_tokens"] += billed["input_tokens"]
        counted["output_tokens"] += billed["output_tokens"]
    assert counted == {ours: expected["usage"][theirs] for ours, theirs in COLUMNS.items()}
