"""`callgate privacy`: policies are set, shown and taken away; keys rotated; a text tried."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import cli
from gateway.core.span import Payload, Span
from gateway.store import open_store
from gateway.store.base import Batch, SpanWrite

OLD, NEW = (base64.b64encode(bytes((n,)) * 32).decode() for n in (1, 2))


def run(folder: Path, *arguments: str, keys: str = "[]", text: str = "") -> Result:
    config = folder / "callgate.yaml"
    config.write_text(f"privacy: {{encryption: {{sealing_keys: {keys}}}}}\n", "utf-8")
    if arguments[0] not in ("key", "redact"):
        arguments += ("--data", str(folder / "data"))
    where = () if arguments[0] == "key" else ("--config", str(config))
    return CliRunner().invoke(cli, ["privacy", *arguments, *where], input=text)


def test_policies(tmp_path):
    assert run(tmp_path, "set", "--tenant", "acme", "--payloads", "hash", "--retention-days", "9").exit_code == 0
    shown = run(tmp_path, "list", "--json")
    assert json.loads(shown.stdout) == {
        "scope": "tenant",
        "match": "acme",
        "payloads": "hash",
        "retention_days": 9,
        "payload_retention_days": None,
        "declared": False,
    }
    assert "tenant acme" in run(tmp_path, "list").stdout
    assert run(tmp_path, "unset", "--tenant", "acme").exit_code == 0
    assert "There are no policies" in run(tmp_path, "list").stdout


@pytest.mark.parametrize("arguments", [("set", "--payloads", "none"), ("set", "--tenant", "a", "--key", "b")])
def test_whose_it_is_must_be_said_once(tmp_path, arguments):
    assert run(tmp_path, *arguments).exit_code == 2


def test_a_key_is_one(tmp_path):
    assert len(base64.b64decode(run(tmp_path, "key").stdout)) == 32


def test_rotation(tmp_path):
    async def fill() -> None:
        (tmp_path / "data").mkdir()
        store = open_store("sqlite:///callgate.db", tmp_path / "data")
        await store.connect()
        spans = [Span(request_id=f"call-{n}", kind="llm", started_at=n + 1) for n in range(3)]
        await store.write(Batch(spans=[SpanWrite(span, Payload(request_body=b"x")) for span in spans]))
        await store.close()

    asyncio.run(fill())
    old, new = f"{{id: old, key: {OLD}}}", f"{{id: new, key: {NEW}}}"
    assert "3 are sealed with old now" in run(tmp_path, "rotate", keys=f"[{old}]").stdout
    assert "3 are sealed with new now" in run(tmp_path, "rotate", keys=f"[{new}, {old}]").stdout
    assert "0 are sealed with new now" in run(tmp_path, "rotate", keys=f"[{new}]").stdout
    lost = run(tmp_path, "rotate", keys=f"[{old}]")
    assert (lost.exit_code, "3 are sealed with keys that are not here" in lost.stderr) == (1, True)


def test_a_text_is_tried(tmp_path):
    tried = run(tmp_path, "redact", text="write to jane@example.com")
    assert (tried.stdout, tried.stderr) == ("write to [redacted:email]", "email: 1\n")


def test_erasing_asks_first(tmp_path):
    run(tmp_path, "set", "--tenant", "acme", "--payloads", "hash")
    assert run(tmp_path, "erase", "--tenant", "acme", text="n\n").exit_code == 1
    assert "tenant acme" in run(tmp_path, "list").stdout
    done = run(tmp_path, "erase", "--tenant", "acme", "--yes")
    assert json.loads(done.stdout)["documents"] == 1
    assert "There are no policies" in run(tmp_path, "list").stdout
