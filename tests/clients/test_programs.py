"""The programs whose clients are installed for the tests; `python -m tests.clients.run_all` runs all of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.provider import provides
from tests.clients.run_all import CLIENTS, MANUAL, PROGRAMS, Client, run, settings
from tests.e2e.harness import Gateway
from tests.e2e.upstream import Upstream

INSTALLED = ("openai_python", "anthropic_python", "boto3_bedrock")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    upstream = Upstream()
    upstream.script = provides
    running = Gateway(tmp_path_factory.mktemp("programs") / "data", settings(upstream)).start()
    yield running
    assert running.stop() == 0, "".join(running.output)
    upstream.close()


@pytest.mark.parametrize("client", [client for client in CLIENTS if client.name in INSTALLED], ids=lambda c: c.name)
def test_a_client_does_with_the_gateway_what_it_does_without(client: Client, gateway: Gateway) -> None:
    result = run(client, gateway, Path(sys.executable))
    assert (result.failed, result.log) == (dict.fromkeys(result.failed), [])


def test_every_program_is_run_and_in_the_manual() -> None:
    programs = {path.name for path in PROGRAMS.iterdir() if path.is_file() and path.stem != "checks"}
    assert {client.program for client in CLIENTS} == programs
    manual = MANUAL.read_text(encoding="utf-8")
    assert [client.title for client in CLIENTS if f"| {client.title} |" not in manual] == []
