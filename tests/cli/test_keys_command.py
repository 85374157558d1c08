from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli.keys import keys
from gateway.control.keys import Keyring
from gateway.control.secret import load_secret
from gateway.core.key import Key
from gateway.errors import CallgateError
from gateway.store import open_store


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def run(data: Path, *words: str) -> Result:
    return CliRunner().invoke(keys, [*words, "--data", str(data)])


def known(data: Path, secret: str) -> Key | None:
    """What a gateway on this folder makes of the secret."""

    async def look() -> Key | None:
        store = open_store("sqlite:///callgate.db", data)
        await store.connect()
        try:
            keyring = Keyring(load_secret(data), store)
            await keyring.refresh()
            return keyring.authenticate(secret)
        finally:
            await store.close()

    return asyncio.run(look())


def test_create_prints_the_secret_alone_and_the_rest_beside(data: Path) -> None:
    made = run(data, "create", "ci", "--role", "viewer", "--tenant", "acme", "--model", "gpt-*", "--tag", "team=a=b")
    assert made.exit_code == 0
    secret = made.stdout.strip()
    assert secret.startswith("cg-")
    assert "shown this once" in made.stderr
    assert secret not in made.stderr
    key = known(data, secret)
    assert key is not None
    assert (key.name, key.role, key.tenant, key.models, key.tags) == (
        "ci",
        "viewer",
        "acme",
        ("gpt-*",),
        {"team": "a=b"},
    )


def test_the_list_shows_no_secret(data: Path) -> None:
    secret = run(data, "create", "ci").stdout.strip()
    listed = run(data, "list")
    assert secret not in listed.output
    assert "ci" in listed.stdout
    assert f"…{secret[-4:]}" in listed.stdout
    assert json.loads(run(data, "list", "--json").stdout)["state"] == "active"


def test_an_empty_list_says_how_to_fill_it(data: Path) -> None:
    data.mkdir()
    assert "callgate keys create NAME" in run(data, "list").stdout


def test_revoke_and_all(data: Path) -> None:
    secret = run(data, "create", "ci").stdout.strip()
    assert "Revoked ci" in run(data, "revoke", "ci").stdout
    assert known(data, secret) is None
    assert "revoked" not in run(data, "list").stdout.partition("\n\n")[0]
    assert "revoked" in run(data, "list", "--all").stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--model", "gpt-*", "--model", "fast"], {"models": ["gpt-*", "fast"]}),
        (["--endpoint", "/v1/embeddings", "--allow-config", "a"], {"endpoints": ["/v1/embeddings"], "configs": ["a"]}),
        (["--network", "10.0.0.0/8"], {"networks": ["10.0.0.0/8"]}),
        (["--network", "any"], {"networks": []}),
        (["--tag", "feature=chat"], {"tags": {"feature": "chat"}}),
        (["--tag", "none"], {"tags": {}}),
        (["--name", "deploy"], {"name": "deploy"}),
        (["--expires", "never"], {"expires_at": None}),
    ],
)
def test_change(words: list[str], expected: dict[str, Any], data: Path) -> None:
    run(data, "create", "ci", "--tag", "team=a", "--network", "192.0.2.1", "--expires", "30d")
    before = json.loads(run(data, "list", "--json").stdout)
    assert json.loads(run(data, "change", "ci", *words, "--json").stdout) == before | expected


def test_a_change_says_what_holds_now(data: Path) -> None:
    run(data, "create", "ci")
    said = run(data, "change", "ci", "--model", "gpt-*", "--expires", "30d").stdout
    assert "Changed ci" in said
    assert "gpt-*" in said
    assert "expires" in said


@pytest.mark.parametrize(("overlap", "old_works"), [("1h", True), ("0", False)])
def test_rotate(overlap: str, old_works: bool, data: Path) -> None:
    old = run(data, "create", "ci").stdout.strip()
    rotated = json.loads(run(data, "rotate", "ci", "--overlap", overlap, "--json").stdout)
    assert (known(data, old) is not None) is old_works
    assert known(data, rotated["secret"]) is not None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["create", "ci", "--role", "root"], "'root'"),
        (["create", "ci", "--tag", "novalue"], "'novalue' is no tag"),
        (["create", "ci", "--expires", "soon"], "'soon' is no duration"),
        (["rotate", "ci", "--overlap", "-1h"], "-1h"),
        (["change", "ci"], "Say what is to change"),
        (["change", "ci", "--expires", "soon"], "'soon' is no duration"),
        (["change", "ci", "--tag", "novalue"], "'novalue' is no tag"),
    ],
)
def test_wrong_usage(words: list[str], message: str, data: Path) -> None:
    answer = run(data, *words)
    assert answer.exit_code == 2
    assert message in answer.stderr


def test_a_folder_without_data(data: Path) -> None:
    answer = run(data, "revoke", "ci")
    assert isinstance(answer.exception, CallgateError)
    assert "no data in" in str(answer.exception)
    assert not data.exists()


def test_declared_keys_are_listed_and_left_alone(data: Path) -> None:
    data.mkdir()
    config = data / "callgate.yaml"
    config.write_text("keys: [{name: app, key: a-declared-secret-1234}]\n")
    listed = run(data, "list", "--config", str(config))
    assert "configuration" in listed.stdout
    assert "a-declared" not in listed.stdout
    refused = run(data, "revoke", "app", "--config", str(config))
    assert "declared in the configuration" in str(refused.exception)
