from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from gateway.cli.requests import requests
from gateway.cli.table import facts, one_line, table, width
from gateway.core.span import Payload
from gateway.errors import CallError, CallgateError
from gateway.store import open_store
from gateway.store.base import Batch, SpanWrite
from tests.api.fakes import NOW, span, traffic

ROWS = traffic(60)
ASKED = span(
    999,
    NOW,
    tenant="acme",
    error_type="timeout",
    status_code=504,
    error_message="no answer\x1b[31m within 120 s",
    session="a\x1bb",
    price_id="gpt-5@1",
)
PAYLOAD = Payload(request_body=b'{"model":"gpt-5","n":[1,2]}', response_text="Guten\x07 Tag\n" * 60)


def write(data: Path, *rows: SpanWrite) -> None:
    async def put() -> None:
        store = open_store("sqlite:///callgate.db", data)
        await store.connect()
        try:
            await store.write(Batch(list(rows)))
        finally:
            await store.close()

    asyncio.run(put())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write(folder, *(SpanWrite(row) for row in ROWS), SpanWrite(ASKED, PAYLOAD))
    return folder


def run(data: Path, *words: str) -> Result:
    return CliRunner().invoke(requests, [*words, "--data", str(data)])


def test_the_list_is_newest_first_and_aligned(data: Path) -> None:
    lines = run(data, "list", "-n", "5").stdout.splitlines()
    assert len(lines) == 6
    assert ASKED.request_id in lines[1]
    assert "504 timeout" in lines[1]
    assert len({line.index("01a0") for line in lines[1:]}) == 1
    assert [line[:10] for line in lines[1:]] == sorted((line[:10] for line in lines[1:]), reverse=True)


@pytest.mark.parametrize(
    ("filters", "own"),
    [
        (["tenant=acme"], lambda row: row.tenant == "acme"),
        (["status=cancelled", "status=timeout"], lambda row: row.error_type in ("cancelled", "timeout")),
        (["tag.feature=chat", "tag.release=r1"],
         lambda row: row.tags.get("feature") == "chat" and row.tags.get("release") == "r1"),
    ],
)  # fmt: skip
def test_filters_are_those_of_the_api(filters: list[str], own: object, data: Path) -> None:
    expected = {row.request_id for row in [*ROWS, ASKED] if own(row)}  # type: ignore[operator]  # a predicate
    lines = run(data, "list", "-n", "1000", "--json", *filters).stdout.splitlines()
    assert {json.loads(line)["request_id"] for line in lines} == expected


def test_filters_that_are_none(data: Path) -> None:
    assert "'gpt-5' is no filter" in run(data, "list", "gpt-5").stderr
    assert isinstance(run(data, "list", "modle=x").exception, CallError)
    assert "No calls match" in run(data, "list", "tenant=nobody").stdout


def test_a_call_in_full_without_driving_the_terminal(data: Path) -> None:
    shown = run(data, "show", ASKED.request_id).stdout
    for words in (
        '  "model": "gpt-5",',
        "504 timeout",
        "no answer\\x1b[31m",
        "Guten\\x07 Tag",
        "20 more lines; --full",
        "a\\x1bb",
    ):
        assert words in shown
    assert "\x1b" not in shown
    assert "more lines" not in run(data, "show", ASKED.request_id, "--full").stdout
    assert json.loads(run(data, "show", ASKED.request_id, "--json").stdout)["request_body"]["n"] == [1, 2]


@pytest.mark.parametrize("number", range(0, 60, 7))
def test_every_call_can_be_shown(number: int, data: Path) -> None:
    shown = run(data, "show", ROWS[number].request_id)
    assert shown.exit_code == 0
    assert "No bodies are kept" in shown.stdout


def test_a_call_that_is_not_there(data: Path) -> None:
    answer = run(data, "show", "nope")
    assert answer.exit_code == 1
    assert "no call 'nope'" in answer.stderr


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_the_format_of_an_export_is_that_of_the_name(name: str, data: Path, tmp_path: Path) -> None:
    target = tmp_path / name
    assert run(data, "export", "-o", str(target)).exit_code == 0
    if name.endswith("parquet"):
        rows = pq.read_table(target).num_rows
    else:
        rows = target.read_bytes().count(b"\n") - name.endswith("csv")
    assert rows == len(ROWS) + 1
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_an_export_that_cannot_be_written(data: Path, tmp_path: Path) -> None:
    answer = run(data, "export", "-o", str(tmp_path / "nowhere" / "out.csv"))
    assert answer.exit_code == 1
    assert "cannot be written" in answer.stderr


def test_a_folder_without_data(tmp_path: Path) -> None:
    assert isinstance(run(tmp_path / "none", "list").exception, CallgateError)


@pytest.fixture
def following(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    write(tmp_path, SpanWrite(ROWS[0]), SpanWrite(ROWS[1]))
    command = [Path(sys.executable).with_name("callgate"), "requests", "tail", "-n", "1", "--json", "--data", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        yield process
        process.terminate()


def test_tail_shows_the_last_and_then_what_comes(following: subprocess.Popen[str], tmp_path: Path) -> None:
    assert following.stdout is not None
    assert json.loads(following.stdout.readline())["request_id"] == ROWS[1].request_id
    write(tmp_path, SpanWrite(ASKED))
    assert json.loads(following.stdout.readline())["request_id"] == ASKED.request_id


def test_tables() -> None:
    assert table(("A", "N"), [("x", "1"), ("東京", "22")], right=("N",)) == ["A      N", "x      1", "東京  22"]
    assert table(("A", "B"), [], least=(3, 1)) == ["A    B"]
    assert facts([("a", "1"), ("bbb", None), ("cc", "2")], indent=" ") == [" a   1", " cc  2"]


@pytest.mark.parametrize(
    ("text", "expected"), [("a\nb\t c", "a b c"), ("abcdef", "abcd…"), ("\x1b[31mred", "[31m…"), ("", "")]
)
def test_cells_are_one_line(text: str, expected: str) -> None:
    assert one_line(text, 5) == expected


@pytest.mark.parametrize(("text", "cells"), [("abc", 3), ("東京", 4), ("e\u0301", 1), ("", 0)])
def test_width(text: str, cells: int) -> None:
    assert width(text) == cells
