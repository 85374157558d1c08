"""Alerts of a real gateway, told to a real receiver: once, under load, by several workers and through `kill -9`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.e2e.harness import ADMIN_KEY, UPSTREAM_KEY, Gateway, configuration, wait_for
from tests.e2e.limits_race import instantly
from tests.e2e.upstream import Upstream

CENT = {"per_request": 0.01, "input_per_mtok": 0, "output_per_mtok": 0}


class Receiver(ThreadingHTTPServer):
    """Notes what it is told; refuses for now while `busy`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.came: list[tuple[str, dict[str, Any]]] = []
        """(id, what it says)"""
        self.busy = False

    @property
    def titles(self) -> Counter[str]:
        return Counter(said["data"]["title"] for _, said in self.came)


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not self.server.busy:
            self.server.came.append((self.headers["webhook-id"], said))
        self.send_response(503 if self.server.busy else 204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the base's name


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def gateway(tmp_path: Path, upstream: Upstream, receiver: Receiver) -> Iterator[Gateway]:
    upstream.script = instantly
    raw = {"dialect": "openai", "base_url": f"http://127.0.0.1:{upstream.port}/v1", "api_key": UPSTREAM_KEY}
    hook = f"http://127.0.0.1:{receiver.server_port}/hook"
    config = configuration(
        server={"workers": 2},
        providers={"raw": raw},
        prices={"overrides": {"m-1": CENT, "m-1-2026": CENT}},
        budgets=[{"name": "dollar", "scope": "tag:case", "period": "month", "usd": 1, "hard": False}],
        alerts={"every_s": 1, "rules": [{"name": "volume", "metric": "requests", "above": 90, "window_min": 60}]},
        notifications={
            "hook": {"kind": "webhook", "endpoint": hook, "secret": "0123456789abcdef", "allow_private": True}
        },
    )
    made = Gateway(tmp_path / "data", config).start()
    yield made
    if made.running:
        made.stop()


def spend(gateway: Gateway, calls: int) -> None:
    def one(_: int) -> int:
        return gateway.chat("raw/m-1", "Hello", "x-callgate-tags: case=load", max_tokens=10).status

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(one, range(calls))) == {200}


LEVELS = {f"Budget dollar (load): {level} %": 1 for level in (50, 80, 100)}


def test_each_level_is_told_once_under_load_through_a_crash_and_a_receiver_that_was_busy(
    gateway: Gateway, receiver: Receiver
) -> None:
    spend(gateway, 55)
    wait_for(lambda: len(receiver.came) >= 1, "the first level")
    assert receiver.titles == {"Budget dollar (load): 50 %": 1}
    receiver.busy = True
    spend(gateway, 65)  # the others come while it is busy, or are on their way when the gateway dies
    gateway.kill()
    receiver.busy = False
    gateway.start()
    everything = LEVELS | {"Firing: volume": 1}
    wait_for(lambda: receiver.titles.keys() == everything.keys(), "all that there is to tell", 40)
    spend(gateway, 20)
    wait_for(lambda: gateway.get("/api/stats?period=1h")[1]["requests"] >= 140, "the log has them")
    items = gateway.get("/api/alerts/history", key=ADMIN_KEY)[1]["items"]
    wait_for(lambda: all_sent(gateway), "all is written down as sent")
    assert Counter(each["title"] for each in items) == everything
    repeated = {name: n for name, n in Counter(name for name, _ in receiver.came).items() if n > 1}
    assert repeated == {}
    assert receiver.titles == everything


def all_sent(gateway: Gateway) -> bool:
    items = gateway.get("/api/alerts/history", key=ADMIN_KEY)[1]["items"]
    return all(each["sent"]["hook"]["state"] == "sent" for each in items)
