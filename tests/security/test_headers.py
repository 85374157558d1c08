"""Every answer of the dashboard and the API has the headers that keep browsers from doing what was not meant; cookies
are closed to scripts and other sites; log lines are one line."""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path

import httpx
import pytest

from gateway import dashboard, worker
from gateway.api import RULES
from gateway.api.access import Rule
from gateway.core.logline import OneLine
from gateway.store import open_store
from gateway.store.base import Batch, SpanWrite
from pricing.catalog import Catalog
from tests.api.fakes import TOKENS, make_state, traffic

ENDLESS = {"/api/requests/stream"}
GETS = [rule for rule in (*RULES, *dashboard.RULES) if "GET" in rule.methods and rule.path not in ENDLESS]


def answers(paths: list[str], folder: Path, *, broken: bool = False, **headers: str) -> list[httpx.Response]:
    """Of the whole application; a `broken` one fails in a way that nobody expected."""

    async def ask() -> list[httpx.Response]:
        store = open_store("sqlite:///callgate.db", folder)
        await store.connect()
        await store.write(Batch([SpanWrite(call) for call in traffic(20)]))
        state = make_state(store, folder)
        state.catalog = Catalog.load()
        if broken:
            state.store = None  # type: ignore[assignment]  # anything that breaks a handler
        transport = httpx.ASGITransport(app=worker.make_app(state), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://callgate.test") as client:
            found = [await client.get(path, headers=headers) for path in paths]
        await store.close()
        return found

    return asyncio.run(ask())


def concrete(rule: Rule) -> str:
    return re.sub(r"\{[^}]*\}", "x", rule.path)


def lacking(answer: httpx.Response) -> list[str]:
    """What is not as it must be."""
    headers = answer.headers
    policy = headers.get("content-security-policy", "")
    held = {
        "nosniff": headers.get("x-content-type-options") == "nosniff",
        "framed by nobody": "frame-ancestors 'none'" in policy and headers.get("x-frame-options") == "DENY",
        "scripts from here only": "default-src 'none'" in policy and not re.search(r"script-src[^;]*unsafe", policy),
        "no other site is told the address": headers.get("referrer-policy") in ("same-origin", "no-referrer"),
        "apart from other windows": headers.get("cross-origin-opener-policy") == "same-origin",
        "for no other site": headers.get("cross-origin-resource-policy") == "same-origin",
        "no camera": "camera=()" in headers.get("permissions-policy", ""),
        "not kept": headers.get("cache-control") == "no-store" or answer.url.path.startswith("/static/"),
        "no server's name": "server" not in headers and "x-powered-by" not in headers,
        "for no other origin": "access-control-allow-origin" not in headers,
    }
    return [name for name, holds in held.items() if not holds]


@pytest.mark.parametrize("key", ["admin", "app", None])
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_every_answer_has_them(key: str | None, accept: str, tmp_path: Path) -> None:
    credentials = {"authorization": f"Bearer {TOKENS[key]}"} if key else {}
    paths = [*map(concrete, GETS), "/nowhere", "/api/nowhere", "/static/x/../../gateway/app.py"]
    found = answers(paths, tmp_path, accept=accept, **credentials)
    assert {str(answer.url.path): lacking(answer) for answer in found if lacking(answer)} == {}


def test_an_answer_that_nobody_expected_has_them_too(tmp_path: Path) -> None:
    found = answers(["/", "/requests", "/api/stats"], tmp_path, broken=True, authorization=f"Bearer {TOKENS['admin']}")
    assert [answer.status_code for answer in found] == [500, 500, 500]
    assert [lacking(answer) for answer in found] == [[], [], []]
    assert not any("Traceback" in answer.text or "NoneType" in answer.text for answer in found)


def test_what_is_asked_from_another_origin_is_not_allowed_to_be_read(tmp_path: Path) -> None:
    found = answers(["/api/stats", "/", "/healthz"], tmp_path, origin="https://evil.test")
    assert not any("access-control-allow-origin" in answer.headers for answer in found)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("key 'a\nERROR callgate: forged' is refused", r"key 'a\nERROR callgate: forged' is refused"),
        ("a\r\x1b[2Jb", r"a\r\x1b[2Jb"),
        ("a\u2028b\x85c", r"a\u2028b\x85c"),
        ("Zürich 東京", "Zürich 東京"),
    ],
)
def test_a_log_line_is_one_line(message: str, line: str) -> None:
    record = logging.LogRecord("callgate", logging.ERROR, "", 1, "limits: %s", (message,), None)
    assert OneLine("%(levelname)s %(message)s").format(record) == f"ERROR limits: {line}"
