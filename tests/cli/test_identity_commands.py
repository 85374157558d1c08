"""`callgate tenants`, `environments` and `users`, as somebody types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli import run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Standard output of a command that goes well."""
    code = run([*words, "--data", "data"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run([*words, "--data", "data"]) == 1
    return capsys.readouterr().err


def test_tenants_and_their_environments(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "tenants", "create", "acme", "--name", "Acme Inc.", "--note", "ask Ann")
    assert "acme    Acme Inc." in said(capsys, "tenants", "list")
    said(capsys, "tenants", "change", "acme", "--name", "Acme")
    [tenant] = said(capsys, "tenants", "list", "--json").splitlines()
    assert (json.loads(tenant)["name"], json.loads(tenant)["note"]) == ("Acme", "ask Ann")
    assert "Suspended acme" in said(capsys, "tenants", "suspend", "acme")
    assert "suspended" in said(capsys, "tenants", "list")
    assert "Resumed acme" in said(capsys, "tenants", "resume", "acme")
    assert "active" in said(capsys, "tenants", "list")
    assert "There is no tenant" in refused(capsys, "tenants", "suspend", "nobody")
    secret = said(capsys, "environments", "create", "production", "--tenant", "acme").strip()
    newer = said(capsys, "environments", "rotate", "production", "--tenant", "acme", "--overlap", "0").strip()
    assert secret.startswith("cg-")
    assert newer not in ("", secret)
    assert secret not in said(capsys, "environments", "list")
    assert "still has keys" in refused(capsys, "tenants", "delete", "acme")
    said(capsys, "environments", "delete", "production", "--tenant", "acme")
    said(capsys, "tenants", "delete", "acme")
    assert "There are no tenants" in said(capsys, "tenants", "list")
    assert "There are no environments" in said(capsys, "environments", "list")


def test_people(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    password = ("--password", "correct horse battery")
    said(capsys, "users", "create", "Ann@Example.com", "--role", "admin", *password)
    assert "ann@example.com" in said(capsys, "users", "list")
    assert "last admin" in refused(capsys, "users", "change", "ann@example.com", "--role", "viewer")
    said(capsys, "users", "create", "bob@example.com", "--tenant", "acme", "--no-password")
    assert "is member, sees acme" in said(capsys, "users", "change", "bob@example.com", "--role", "member")
    assert "sees everything" in said(capsys, "users", "change", "bob@example.com", "--tenant", "")
    assert "is disabled" in said(capsys, "users", "change", "bob@example.com", "--disable")
    said(capsys, "users", "password", "bob@example.com", *password)
    found = {
        json.loads(line)["email"]: json.loads(line) for line in said(capsys, "users", "list", "--json").splitlines()
    }
    assert found["bob@example.com"]["has_password"]
    assert "signed in nowhere" in said(capsys, "users", "sessions", "bob@example.com")
    assert "signed out everywhere" in said(capsys, "users", "sign-out", "bob@example.com")
    assert "There is no session" in refused(capsys, "users", "sign-out", "bob@example.com", "--session", "x")
    assert "12 to 256" in refused(capsys, "users", "password", "bob@example.com", "--password", "short")
    said(capsys, "users", "delete", "bob@example.com")
    assert "There is no user" in refused(capsys, "users", "delete", "bob@example.com")


def test_a_bound_key(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "keys", "create", "ci", "--endpoint", "/v1/embeddings", "--network", "10.0.0.0/8")
    [key] = said(capsys, "keys", "list", "--json").splitlines()
    assert json.loads(key)["endpoints"] == ["/v1/embeddings"]
    assert json.loads(key)["networks"] == ["10.0.0.0/8"]
    assert "no address or range" in refused(capsys, "keys", "create", "x", "--network", "ten")
