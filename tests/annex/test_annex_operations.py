"""The Operations page and its JSON say the same from the annex as from the worker that was asked."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.annex.__main__ import state_of
from gateway.annex.way import Way, facts_for
from gateway.config import load
from gateway.control.identity import Identity
from gateway.control.privacy import Policies
from gateway.control.state import AppState
from gateway.dashboard import view
from gateway.dashboard.period import iso
from gateway.recorder.health import write_health
from gateway.site import make_app
from gateway.store import open_store
from tests.annex.listening import PATIENCE_S, annex
from tests.dashboard.fakes import traffic
from tests.dashboard.installation import ADMIN_KEY, SECRET, Installation
from tests.dashboard.running import dress

DAY = 86_400_000_000
NOW = time.time_ns() // 1000 // DAY * DAY + DAY
PERIOD = f"from={iso(NOW - 6 * DAY)}&to={iso(NOW)}"
MEASURED = re.compile(r'<dt>Answers in</dt><dd title="[^"]*">.*?</dd>')


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    made = Installation(tmp_path_factory.mktemp("annex"), traffic(200, now_us=NOW - 1, length_us=5 * DAY))
    dress(made)
    write_health(made.folder, made.recorder)
    state: AppState = made.app.state.callgate
    state.worker, state.started_at = 3, made.now_us - DAY
    state.settings = msgspec.structs.replace(
        state.settings, server=msgspec.structs.replace(state.settings.server, workers=4)
    )
    return made


@pytest.fixture(autouse=True)
def clock(made: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands still: what is so many seconds ago for one is so for the other."""
    monkeypatch.setattr(view, "time", SimpleNamespace(time_ns=lambda: made.now_us * 1000))


async def ask(app: Starlette, path: str, method: str = "GET") -> httpx.Response:
    headers = {"authorization": f"Bearer {ADMIN_KEY}", "accept": "text/html, application/json"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://callgate.test") as client:
        answer = await client.request(method, path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


class Asked:
    """An application that counts how often it is asked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.times = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.times += 1
        await self._app(scope, receive, send)


@contextlib.asynccontextmanager
async def sides(made: Installation) -> AsyncIterator[tuple[Starlette, Asked]]:
    """The worker's application, and the annex's, which knows of the worker only what it is told."""
    state: AppState = made.app.state.callgate
    loaded = load(None, {"server": {"data": str(made.folder), "workers": 4}}, {})
    store = open_store(loaded.settings.store.url, made.folder)
    await made.store.connect()
    await store.connect()
    try:
        identity, policies = Identity(loaded.settings, SECRET, store, made.folder), Policies(loaded.settings, store)
        here = make_app(state, Way(made.folder, state.sessions, lambda path: facts_for(state, path)))
        async with asyncio.timeout(PATIENCE_S):
            yield here, Asked(make_app(state_of(loaded, store, identity, policies)))
    finally:
        await store.close()
        await made.store.close()


def both(made: Installation, path: str) -> tuple[httpx.Response, httpx.Response]:
    """What the worker answers by itself, and what it has the annex answer."""

    async def run() -> tuple[httpx.Response, httpx.Response]:
        async with sides(made) as (here, there):
            alone = await ask(here, path)
            async with annex(there, made.folder):
                told = await ask(here, path)
        assert there.times == 1
        return alone, told

    return asyncio.run(run())


@pytest.mark.parametrize("path", [f"/operations?{PERIOD}", "/operations/configuration/2"])
def test_pages(path: str, made: Installation) -> None:
    alone, told = both(made, path)
    assert MEASURED.sub("", told.text) == MEASURED.sub("", alone.text)


def test_what_only_the_worker_knows_is_on_the_page(made: Installation) -> None:
    _, told = both(made, f"/operations?{PERIOD}")
    for said in ("open, 24.0s", "mistral", "routes as worker 3 has them", "recorder", "provider-errors", "37"):
        assert said in told.text


@pytest.mark.parametrize("path", ["/api/operations", "/api/dead-letters", "/api/configuration"])
def test_json(path: str, made: Installation) -> None:
    alone, told = (answer.json() for answer in both(made, path))
    for answer in (alone, told):
        measured: dict[str, Any] = answer.get("store", {})
        measured.pop("latency_us", None)
    assert told == alone


def test_what_is_done_on_the_page_is_the_worker_s_to_do(made: Installation) -> None:
    async def run() -> None:
        async with sides(made) as (here, there), annex(there, made.folder):
            done = await ask(here, "/operations/dead-letters/retry", "POST")
            assert "None could be stored, 2 stay." in done.text
            assert there.times == 0
            after = await ask(here, f"/operations?{PERIOD}")
            assert ("Retry all" in after.text, there.times) == (True, 1)

    asyncio.run(run())
