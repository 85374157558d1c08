"""The audit log on the command line."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from pathlib import Path

import pytest

from gateway.cli import run


@pytest.fixture(autouse=True)
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (
        "tenants create acme",
        "keys create checkout --tenant acme",
        "keys change checkout --model gpt-*",
        "tenants suspend acme",
    ):
        with contextlib.redirect_stdout(io.StringIO()):
            assert run([*words.split(), "--data", "data"]) == 0


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(["audit", *words, "--data", "data"]) == 0
    return capsys.readouterr().out


def test_the_newest_first_with_what_changed(capsys: pytest.CaptureFixture[str]) -> None:
    head, *lines = said(capsys, "list").splitlines()
    assert head.split() == ["AT", "WHO", "DID", "WHAT", "ID", "CHANGES"]
    assert [line.split()[2:4] for line in lines] == [
        ["suspended", "tenant"],
        ["changed", "key"],
        ["created", "key"],
        ["created", "tenant"],
    ]
    assert 'models: ["*"] → ["gpt-*"]' in lines[1]
    assert re.search(r"suspended_at: null → 20\d\d-\d\d-\d\dT[\d:]{8}Z$", lines[0])
    assert all("cli" in line for line in lines)


@pytest.mark.parametrize(
    ("words", "actions"),
    [
        (["--kind", "tenant"], ["suspended", "created"]),
        (["--id", "acme", "--limit", "1"], ["suspended"]),
        (["--actor", "nobody"], []),
    ],
)
def test_some_of_it(words: list[str], actions: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert [json.loads(line)["action"] for line in said(capsys, "list", "--json", *words).splitlines()] == actions


def test_nothing_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "list", "--kind", "nothing") == "There is no such entry.\n"


def test_all_of_it_as_a_file(capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    assert run(["audit", "export", "--data", "data"]) == 0
    lines = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert [line["kind"] for line in lines] == ["tenant", "key", "key", "tenant"]
    assert run(["audit", "export", "--format", "csv", "--output", "log.csv", "--data", "data"]) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "log.csv").read_text("utf-8"))))
    assert [row["action"] for row in rows] == ["suspended", "changed", "created", "created"]
