"""A running gateway takes a changed configuration, refuses a bad one, and drops nothing meanwhile."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.harness import APP_KEY, Gateway, configuration, wait_for


@pytest.fixture(params=[1, 2], ids=["one process", "two workers"])
def gateway(request: pytest.FixtureRequest, tmp_path: Path):
    gateway = Gateway(tmp_path / "data", configuration(server={"workers": request.param})).start()
    yield gateway
    gateway.stop()


def write(gateway: Gateway, **more: Any) -> None:
    """As editors do it: the new file takes the old one's place."""
    draft = gateway.config.with_suffix(".new")
    draft.write_text(yaml.safe_dump(configuration(**more)))
    draft.replace(gateway.config)


def answers(gateway: Gateway, model: str, status: int) -> bool:
    """All of the last ten calls: with several workers, every one of them must have heard."""
    return all(gateway.chat(model).status == status for _ in range(10))


def test_a_changed_file_a_bad_one_and_a_signal(gateway):
    assert answers(gateway, "swift", 404)

    write(gateway, models={"swift": "demo/echo"})
    wait_for(lambda: answers(gateway, "swift", 200), "the alias is there")

    gateway.config.write_text("server: {prot: 1}")
    wait_for(lambda: "refused" in "".join(gateway.output), "the bad file is refused")
    said = "".join(gateway.output)
    assert f"{gateway.config}:server.prot: is no setting; did you mean port? (line 1)" in said
    assert answers(gateway, "swift", 200)

    write(gateway, models={"speedy": "demo/echo"})
    assert gateway.process
    os.kill(gateway.process.pid, signal.SIGHUP)
    wait_for(lambda: answers(gateway, "speedy", 200), "the signal is heard")
    assert answers(gateway, "swift", 404)


def test_a_call_in_flight_keeps_what_it_began_with(gateway):
    write(gateway, models={"swift": "demo/lorem"})
    wait_for(lambda: answers(gateway, "swift", 200), "the alias is there")
    with gateway.connect() as wire:
        body = '{"model": "demo/lorem", "stream": true, "messages": [{"role": "user", "content": "go on"}]}'
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {APP_KEY}\r\nx-demo: tps=50"
        wire.send(f"{head}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
        write(gateway, models={})
        wait_for(lambda: answers(gateway, "swift", 404), "the alias is gone")
        answer = wire.message()
    assert answer.status == 200
    assert answer.body.endswith(b"data: [DONE]\n\n")


def test_the_recorder_works_by_the_new_settings_and_loses_nothing(gateway):
    assert gateway.row_of(gateway.chat("demo/echo"))["request_body"] is not None
    before = gateway.get("/readyz")[1]["checks"]["recorder"]["health"]["pid"]
    write(gateway, log={"payloads": "none", "flush_interval_ms": 50})
    answered = []

    def successor() -> bool:
        answered.append(gateway.chat("demo/echo"))
        health = gateway.get("/readyz")[1]["checks"]["recorder"]["health"]
        return health["pid"] != before and health["state"] == "running"

    wait_for(successor, "another recorder is at work")
    assert gateway.row_of(gateway.chat("demo/echo"))["request_body"] is None
    assert all(gateway.row_of(answer)["status_code"] == 200 for answer in answered)
    assert gateway.get("/readyz")[1]["checks"]["recorder"]["health"]["restarts"] == 0
