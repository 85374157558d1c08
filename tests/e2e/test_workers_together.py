"""Three workers, whichever of which is asked: it tells of all, and what one hears the others know."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.harness import ADMIN_KEY, UPSTREAM_KEY, Gateway, chat_request, configuration, wait_for
from tests.e2e.upstream import Upstream
from tests.e2e.wire import PATIENCE_S, Message, Wire

WORKERS = 3
FORM = {"sec-fetch-site": "same-origin"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, scripted: Upstream) -> Iterator[Gateway]:
    raw = {"dialect": "openai", "base_url": f"http://127.0.0.1:{scripted.port}/v1", "api_key": UPSTREAM_KEY}
    folder: Path = tmp_path_factory.mktemp("together")
    settings = configuration(server={"workers": WORKERS, "trusted_proxies": ["127.0.0.1"]}, providers={"raw": raw})
    running = Gateway(folder / "data", settings).start()
    yield running
    assert running.stop() == 0, "".join(running.output)
    assert not list((folder / "data" / "run").glob("worker-*.sock"))


def ask(gateway: Gateway, method: str, path: str, *, key: str | None = ADMIN_KEY, **how: object) -> httpx.Response:
    """On a connection of its own, which any worker may take."""
    headers = {**({"x-api-key": key} if key else {}), **how.pop("headers", {})}  # type: ignore[dict-item]
    return httpx.request(method, f"{gateway.url}{path}", headers=headers, timeout=PATIENCE_S, **how)  # type: ignore[arg-type]


def always(says: Callable[[], bool], times: int = 12) -> bool:
    """Of as many answers as it takes to have met all workers, as good as certainly."""
    return all(says() for _ in range(times))


def listed(gateway: Gateway) -> dict[str, int]:
    """The worker of each call in flight."""
    items = ask(gateway, "GET", "/api/requests/inflight").json()["items"]
    return {each["request_id"]: each["worker"] for each in items}


def test_calls_in_flight_are_those_of_all_workers_and_any_can_stop_them(gateway: Gateway, upstream: Upstream) -> None:
    def never(wire: Wire, request: Message) -> None:
        wire.closed_by_peer()

    upstream.script = never
    gateway.row_of(gateway.chat("demo/echo"))  # or the list would have nothing but its greeting
    with contextlib.ExitStack() as stack:
        wires: list[Wire] = []

        def one_more() -> bool:
            """Connections are taken by whoever is quickest: until two workers have some."""
            wires.append(stack.enter_context(gateway.connect()))
            wires[-1].send(chat_request("Think"))
            wait_for(lambda: len(listed(gateway)) == len(wires), "it is in flight")
            return len(set(listed(gateway).values())) > 1 and len(wires) > 5

        wait_for(one_more, "two workers carry calls")
        calls = listed(gateway)
        assert always(lambda: listed(gateway) == calls)
        assert always(lambda: ask(gateway, "GET", "/api/operations").json()["in_flight"] == len(calls))
        for address in ("/requests/in-flight", "/requests"):  # by a worker, and by the annex, which carries none
            page = ask(gateway, "GET", address, headers={"accept": "text/html"}).text
            assert all(f'data-flight="{request_id}"' in page for request_id in calls), address
        for request_id in calls:
            assert ask(gateway, "POST", f"/api/requests/{request_id}/stop").status_code == 200
        for wire in wires:
            assert wire.message().json()["error"]["code"] == "stopped"
        wait_for(lambda: not listed(gateway), "none is left")
        assert ask(gateway, "POST", f"/api/requests/{request_id}/stop").status_code == 404


def total(gateway: Gateway, name: str) -> float:
    """Of all workers."""
    found = re.findall(rf'^{name}{{[^}}]*worker="(\d)"[^}}]*}} (\S+)$', ask(gateway, "GET", "/metrics").text, re.M)
    assert len(found) == WORKERS, found
    return sum(float(value) for _, value in found)


def worker_pid(gateway: Gateway, number: int) -> int:
    """Of the one that lives: the newest folder of its journal."""
    folders = (gateway.data / "journal").glob(f"worker-{number}-*")
    return int(max(folders, key=lambda folder: folder.stat().st_mtime_ns).name.split("-")[2])


def test_metrics_are_those_of_all_workers_through_the_death_of_one(gateway: Gateway) -> None:
    before = total(gateway, "callgate_calls_total")
    for _ in range(20):
        assert gateway.chat("demo/echo").status == 200
    assert always(lambda: total(gateway, "callgate_calls_total") == before + 20)
    victim = worker_pid(gateway, 1)
    os.kill(victim, signal.SIGKILL)
    assert total(gateway, "callgate_calls_total") == before + 20
    wait_for(lambda: total(gateway, "callgate_worker_up") < WORKERS, "it is missed")
    assert total(gateway, "callgate_calls_total") == before + 20
    wait_for(lambda: total(gateway, "callgate_worker_up") == WORKERS, "it is back")
    assert worker_pid(gateway, 1) != victim
    for _ in range(20):
        assert gateway.chat("demo/echo").status == 200
    assert always(lambda: total(gateway, "callgate_calls_total") == before + 40)


def test_an_export_can_be_watched_from_any_worker(gateway: Gateway) -> None:
    gateway.row_of(gateway.chat("demo/echo"))
    rows = ask(gateway, "GET", "/api/requests/export?format=jsonl&progress=mine").text.count("\n")
    said = [ask(gateway, "GET", "/api/requests/export/mine").json() for _ in range(12)]
    assert said == [{"rows": rows, "state": "done"}] * 12
    assert ask(gateway, "GET", "/api/requests/export/nobodys").status_code == 404


def test_guessing_is_slowed_down_by_all_workers_for_the_address_behind_the_proxy(gateway: Gateway) -> None:
    def guess(address: str) -> int:
        headers = {**FORM, "x-forwarded-for": f"10.9.9.9, {address}"}
        return ask(gateway, "POST", "/login", key=None, headers=headers, data={"key": "cg-guessed"}).status_code

    wait_for(lambda: guess("203.0.113.9") == 429, "guessing ends")
    assert always(lambda: guess("203.0.113.9") == 429)
    assert guess("203.0.113.10") == 401


def test_the_cookie_is_for_https_where_the_proxy_says_so(gateway: Gateway) -> None:
    def cookie(**headers: str) -> str:
        answer = ask(gateway, "POST", "/login", key=None, headers={**FORM, **headers}, data={"key": ADMIN_KEY})
        assert answer.status_code == 303
        return answer.headers["set-cookie"]

    assert "Secure" in cookie(**{"x-forwarded-proto": "https"})
    assert "Secure" not in cookie(**{"x-forwarded-proto": "http"})
