"""What must hold of every page, in a real browser: nothing said, nobody else asked, readable by all, on a phone too."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from starlette.routing import Route, compile_path

from gateway.dashboard import routes
from tests.dashboard.agent import agent_trace
from tests.dashboard.browser import CHROMIUM, chromium, serving
from tests.dashboard.fakes import chat_call, traffic
from tests.dashboard.installation import Installation
from tests.dashboard.running import dress
from tests.dashboard.tour import BEFORE_SIGNING_IN, PAGES, TRACE, furnish, set_up, sign_in

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
DAY = 86400 * 1_000_000
ALL = PAGES | BEFORE_SIGNING_IN
NO_PAGES = {
    "/static/{version}/{path:path}": "files",
    "/login/{step}": "leads to another host",
    "/setup": "only before the first account, tests/dashboard/test_settings_pages.py",
    "/dashboard/preferences": "leads back",
    "/requests/filter-values": "a part of the list",
    "/requests/in-flight": "a part of the list",
    "/requests/jump": "a part of every page",
    "/requests/{request_id}/peek": "a part of the list",
    "/requests/{request_id}/body/{which}": "plain text",
    "/requests/{request_id}/node/{which}": "a part of a body",
    "/requests/{request_id}/find/{which}": "a part of a body",
    "/requests/{request_id}/media/{digest}": "files",
}
"""Routes that answer GET with something that is no page, and what it is."""


class World(NamedTuple):
    base: str
    browser: Browser
    ann: BrowserContext
    """An admin's browser."""
    named: Mapping[str, str]

    def url(self, path: str) -> str:
        return self.base + path.format_map(self.named)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is absent: install the package chromium")
        pytest.skip(f"{CHROMIUM} is absent: install the package chromium to run this")
    now_us = time.time_ns() // 1000
    call, payload = chat_call(now_us - 3_000_000)
    call.trace_id = TRACE
    spans = [*traffic(800, now_us=now_us, length_us=DAY), *agent_trace(call), call]
    made = Installation(tmp_path_factory.mktemp("data"), spans, {call.request_id: payload})
    dress(made)
    with serving(made.app) as base, chromium() as browser:
        ann = browser.new_context(viewport={"width": 1440, "height": 900}, timezone_id="UTC", reduced_motion="reduce")
        set_up(made, base, ann)
        yield World(base, browser, ann, furnish(base, ann, call.request_id))


@pytest.fixture
def stranger(world: World) -> Iterator[BrowserContext]:
    context = world.browser.new_context(timezone_id="UTC", reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture
def page(world: World, stranger: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Fails at its end if the page said anything in the console or asked another host."""
    is_before = request.node.callspec.params["name"] in BEFORE_SIGNING_IN
    page = (stranger if is_before else world.ann).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda each: None if each.url.startswith((world.base, "data:")) else said.append(each.url))
    yield page
    page.close()
    assert [each for each in said if not (request.node.callspec.params["name"] == "error" and "404" in each)] == []


def serious(page: Page, options: str = "{}") -> list[str]:
    found = page.evaluate(f"async () => (await axe.run({options})).violations")
    return [
        f"{each['id']}: {each['help']}: {[node['target'] for node in each['nodes']][:3]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def test_no_page_is_left_out() -> None:
    paths = [path.partition("?")[0].replace("{", "").replace("}", "") for path in ALL.values()]
    left_out = [
        route.path
        for route in routes()
        if isinstance(route, Route)
        and "GET" in (route.methods or ())
        and route.path not in NO_PAGES
        and not any(compile_path(route.path)[0].match(path) for path in paths)
    ]
    assert left_out == []


@pytest.mark.parametrize("name", ALL)
def test_it_has_a_title_and_a_heading_and_axe_finds_nothing_serious(world: World, page: Page, name: str) -> None:
    answer = page.goto(world.url(ALL[name]))
    assert answer
    assert answer.status == (404 if name == "error" else 200)
    assert re.fullmatch(r"\S.* · Callgate|Callgate", page.title()), page.title()
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    page.evaluate(f"() => {{ {AXE} }}")
    assert serious(page) == []
    page.emulate_media(color_scheme="dark")
    assert serious(page, "{runOnly: ['color-contrast']}") == []


@pytest.mark.parametrize("name", ALL)
def test_on_a_phone_nothing_scrolls_sideways(world: World, page: Page, name: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(world.url(ALL[name]))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("main").bounding_box()


@pytest.fixture(scope="module")
def without_script(world: World) -> Iterator[BrowserContext]:
    context = world.browser.new_context(java_script_enabled=False)
    sign_in(world.base, context)
    yield context
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_it_can_be_read_without_script(world: World, without_script: BrowserContext, name: str) -> None:
    page = without_script.new_page()
    page.goto(world.url(PAGES[name]))
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    main = page.locator("main")
    assert len(main.inner_text().split()) >= 8, main.inner_text()
    if name != "components":  # which shows the skeletons themselves
        assert main.locator(".skel:visible").count() == 0, "waits for what never comes"
    page.close()
