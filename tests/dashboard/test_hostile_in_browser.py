"""Whatever strangers wrote is text on every page: script, markup, right-to-left, terminal escapes, five megabytes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from gateway.core.span import Payload, Span
from tests.dashboard.agent import agent_trace
from tests.dashboard.browser import CHROMIUM, chromium, serving
from tests.dashboard.fakes import chat_call, traffic
from tests.dashboard.installation import Installation
from tests.dashboard.running import dress
from tests.dashboard.tour import OURS, PAGES, furnish, post, set_up

pytestmark = pytest.mark.browser

DAY = 86_400 * 1_000_000
RUNS = "<script>window.ran = 1</script><img src=x onerror='window.ran = 2'><svg onload='window.ran = 3'>"
HOSTILE = f"{RUNS}</title></textarea>\u202egnp.exe \x1b[31mred\x1b[0m {{{{7*7}}}} \"' & 🦊 שלום 領収書"
TRACE = "<img src=x onerror='window.ran=4'>"
LONG = "w" * 3000
TALK = {
    "models": [HOSTILE[:60]],
    "rounds": [{"text": HOSTILE, "answers": [{"model": HOSTILE[:60], "text": HOSTILE, "reasoning": HOSTILE}]}],
}
ELSEWHERE = {
    "tenant-of-strangers": "/tenants/{name}?period=7d",
    "statement-of-strangers": "/costs/statement/{name}",
    "costs-by-tag": "/costs?period=7d&by=tag:{name}&a={name}&b={name}",
    "costs-filtered": "/costs?period=7d&model={name}&tag.feature={name}&target={name}",
    "tags-of-strangers": "/tags?period=7d&of={name}&find={name}",
    "models-picked": "/models?period=7d&pick={name}&tenant={name}",
    "list-filtered": "/requests?q={name}&user={name}&tag.{name}={name}&cols=request,tenant,user,session,tags,prompt",
    "list-found": "/requests?q=%E9%A0%98%E5%8F%8E%E6%9B%B8&cols=request,tenant,environment,provider,user,session,tags",
}
"""Pages whose address holds what strangers wrote."""
TITLES = "() => [...document.querySelectorAll('[title], [aria-label]')].map(each => each.title + each.ariaLabel)"
"""What is read out, or shown when pointed at."""


class World(NamedTuple):
    base: str
    context: BrowserContext
    named: Mapping[str, str]

    def url(self, path: str) -> str:
        return self.base + path.format_map(self.named)


def hostile_call(at_us: int) -> tuple[Span, Payload]:
    span, payload = chat_call(at_us, seed=41)
    span.trace_id = TRACE
    for name in ("model", "model_requested", "tenant", "environment", "provider", "user", "session", "feature"):
        setattr(span, name, HOSTILE)
    for name in ("workflow", "agent", "prompt", "config", "variant", "finish_reason", "error_message", "name"):
        setattr(span, name, HOSTILE)
    for name in ("price_id", "upstream_request_id", "client_request_id", "response_id", "input_preview"):
        setattr(span, name, HOSTILE)
    span.error_type, span.status_code = "upstream_error", 500
    span.tags = {HOSTILE: HOSTILE, "feature": HOSTILE, "long": LONG}
    payload.request_body = json.dumps(
        {
            "model": HOSTILE,
            HOSTILE: HOSTILE,
            "messages": [
                {"role": "system", "content": HOSTILE},
                {"role": HOSTILE, "name": HOSTILE, "content": HOSTILE},
                {
                    "role": "user",
                    "content": f"{HOSTILE}\n\n![p](https://evil.example/p.png) [l](javascript:window.ran=5)",
                },
                {"role": "user", "content": LONG * 1_700},
                {
                    "role": "assistant",
                    "tool_calls": [{"id": HOSTILE, "function": {"name": HOSTILE, "arguments": HOSTILE}}],
                },
            ],
            "tools": [{"function": {"name": HOSTILE}}],
        }
    ).encode()
    payload.response_body, payload.response_content_type, payload.response_text = HOSTILE.encode(), "text/html", HOSTILE
    payload.request_headers = payload.response_headers = [(HOSTILE, HOSTILE)]
    return span, payload


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is absent: install the package chromium")
        pytest.skip(f"{CHROMIUM} is absent: install the package chromium to run this")
    now_us = time.time_ns() // 1000
    call, payload = hostile_call(now_us - 3_000_000)
    steps = agent_trace(call)
    for step in steps:
        step.name = step.error_message = HOSTILE
    spans = [*traffic(60, now_us=now_us, length_us=DAY), *steps, call]
    made = Installation(tmp_path_factory.mktemp("data"), spans, {call.request_id: payload})
    dress(made)
    with serving(made.app) as base, chromium() as browser:
        context = browser.new_context(
            viewport={"width": 390, "height": 844}, timezone_id="UTC", reduced_motion="reduce"
        )
        set_up(made, base, context)
        named = {**furnish(base, context, call.request_id), "name": quote(HOSTILE, safe="")}
        named["trace"] = quote(TRACE, safe="")
        post(context, f"{base}/settings/tenants", slug="strange", name=HOSTILE, note=HOSTILE)
        post(context, f"{base}/settings/keys", name=HOSTILE[:80], role="app")
        post(context, f"{base}/requests/views", name=HOSTILE[:80], url="/requests?model=x")
        post(context, f"{base}/alerts/silence", rule="slow-answers", of=HOSTILE[:80], hours="1", note=HOSTILE[:200])
        talk = context.request.post(f"{base}/api/playground/conversations", data={"talk": TALK}, headers=OURS)
        assert talk.ok, talk.text()
        named["conversation"] = talk.json()["id"]
        yield World(base, context, named)


@pytest.fixture
def page(world: World) -> Iterator[Page]:
    """Fails at its end if the page said anything, asked another host, or ran what it should have shown."""
    page = world.context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda each: None if each.url.startswith((world.base, "data:")) else said.append(each.url))
    yield page
    assert page.evaluate("window.ran") is None
    page.close()
    assert [each for each in said if "404" not in each] == []


@pytest.mark.parametrize("name", {**PAGES, **ELSEWHERE})
def test_it_is_text_and_fits_a_phone(world: World, page: Page, name: str) -> None:
    answer = page.goto(world.url({**PAGES, **ELSEWHERE}[name]))
    assert answer
    assert answer.status in (200, 404) if name == "error" else answer.status == 200
    assert len(answer.body()) < 1_500_000, "a message of five megabytes is no page of five megabytes"
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    read = page.locator("body").inner_text() + "".join(page.evaluate(TITLES))
    assert "\x1b" not in read
    assert "\u202e" not in read
    assert page.locator("main script:not([src^='/static/']), main [onerror], main [onload]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_any_script_can_be_searched(world: World, page: Page) -> None:
    for words in ("領収書", "שלום", "🦊", "<script>"):
        page.goto(f"{world.base}/requests?q={quote(words)}")
        expect(page.locator("tr[data-row]").first).to_be_visible()
        assert page.locator("tr[data-row]").count() >= 1
        expect(page.locator("#filter")).to_have_value(words)


def test_menus_hold_it_as_text(world: World, page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{world.base}/requests")
    page.locator("#add-filter").click()
    for field in ("Model", "Tenant", "Provider"):
        page.locator(".menu-sub > summary", has_text=field).first.click()
        expect(page.locator(".menu-sub[open] a", has_text="<script>").first).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.get_by_role("dialog").get_by_role("combobox").or_(page.get_by_role("dialog").locator("input")).first.fill(
        "領収書"
    )
    expect(page.get_by_role("dialog").get_by_text("領収書").first).to_be_visible()
