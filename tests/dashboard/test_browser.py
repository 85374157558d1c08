"""The pages in a real browser, on the real store: what only a browser can show to be right.

What must hold of every page is in test_every_page_in_browser.py."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.dashboard.browser import CHROMIUM, chromium, serving
from tests.dashboard.fakes import chat_call, traffic
from tests.dashboard.installation import Installation

World = tuple[str, Installation, BrowserContext, str]
"""(base URL, installation, signed-in browser, id of one request known in full)."""

pytestmark = pytest.mark.browser

DAY = 86400 * 1_000_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is absent: install the package chromium")
        pytest.skip(f"{CHROMIUM} is absent: install the package chromium to run this")
    now_us = time.time_ns() // 1000
    call, payload = chat_call(now_us - 3_000_000)
    spans = [*traffic(1500, now_us=now_us, length_us=DAY), call]
    installation = Installation(tmp_path_factory.mktemp("data"), spans, {call.request_id: payload})
    with serving(installation.app) as base, chromium() as browser:
        context = browser.new_context(viewport={"width": 1440, "height": 900}, timezone_id="UTC")
        page = context.new_page()
        page.goto(base + installation.sign_in)
        page.goto(base + "/")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        page.close()
        yield base, installation, context, call.request_id


@pytest.fixture
def page(world: World) -> Iterator[Page]:
    """Fails at its end if the page said anything in the console or asked another host."""
    base, _, context, _ = world
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith((base, "data:")) else said.append(request.url))
    yield page
    page.close()
    assert said == []


def test_charts_draw_what_their_tables_say(world: World, page: Page) -> None:
    page.goto(world[0] + "/")
    expect(page.locator("[data-chart] canvas")).to_have_count(5)
    for canvas in page.locator("[data-chart] canvas").all():
        page.wait_for_function(
            "c => c.width && c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0)",
            arg=canvas.element_handle(),
        )
    card = page.locator("section.card", has=page.locator("#spend-data"))
    card.hover()
    card.get_by_role("button", name="As table").click()
    expect(card.locator("#spend-data table")).to_be_visible()
    assert card.locator("tbody tr").count() >= 24  # hours


def test_dragging_over_a_chart_sets_the_period(world: World, page: Page) -> None:
    page.goto(world[0] + "/?environment=production")
    box = page.locator("[data-chart=requests] .u-over").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 40, steps=8)
    page.mouse.up()
    page.wait_for_url("**from=**")
    assert "environment=production" in page.url
    expect(page.locator("#period")).not_to_have_text("Last 24 hours")


def test_a_period_changes_only_the_view(world: World, page: Page) -> None:
    page.goto(world[0] + "/")
    page.evaluate("window.stayed = true")
    page.locator("#period").click()
    page.get_by_role("link", name="Last 7 days").click()
    expect(page.locator("#period")).to_have_text("Last 7 days")
    assert page.url.endswith("/?period=7d")
    assert page.evaluate("window.stayed")
    page.go_back()
    expect(page.locator("#period")).to_have_text("Last 24 hours")


def test_the_list_by_keyboard(world: World, page: Page) -> None:
    page.goto(world[0] + "/requests")
    rows = page.locator("tr[data-row]")
    page.keyboard.press("j")
    expect(rows.nth(0)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.locator("#peek .peek")).to_be_visible()
    page.keyboard.press("j")
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    second = rows.nth(1).get_attribute("data-row") or ""
    expect(page.locator("#peek .peek")).to_contain_text(second)
    assert f"peek={second}" in page.url
    page.reload()
    expect(page.locator("#peek .peek")).to_contain_text(second)
    page.keyboard.press("Escape")
    expect(page.locator("#peek .peek")).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.type("gpt")
    expect(page.locator("#filter")).to_have_value("gpt")


def test_filters_by_menu(world: World, page: Page) -> None:
    page.goto(world[0] + "/requests")
    page.locator("#add-filter").click()
    page.locator(".menu-sub summary", has_text="Model").click()
    page.locator(".menu-sub a.menu-item", has_text="gpt-5-mini").click()
    expect(page.locator(".chip", has_text="gpt-5-mini")).to_be_visible()
    assert page.url.endswith("?model=gpt-5-mini")
    assert set(page.locator("tr[data-row] .model").all_inner_texts()) == {"O\ngpt-5-mini"}
    page.get_by_role("link", name="Remove the filter Model").click()
    expect(page.locator(".chip", has_text="gpt-5-mini")).to_have_count(0)


def test_find_and_unfold_in_a_body(world: World, page: Page) -> None:
    base, _, _, request_id = world
    page.goto(f"{base}/requests/{request_id}?tab=request")
    page.locator("[data-find]").fill("registry.owners")
    expect(page.locator("[data-found]")).to_have_text("2 found")
    expect(page.locator("mark").first).to_be_visible()


def test_new_rows_enter_at_the_top(world: World, page: Page) -> None:
    base, installation, _, _ = world
    page.goto(base + "/requests")
    expect(page.locator("[data-live-state]")).to_have_text("Live")
    call, payload = chat_call(time.time_ns() // 1000, seed=11)
    installation.add([call], {call.request_id: payload})
    expect(page.locator("tr[data-row]").first).to_have_attribute("data-row", call.request_id, timeout=15_000)


def test_theme_and_density_are_remembered(world: World, page: Page) -> None:
    page.goto(world[0] + "/")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Light or dark").click()
    page.get_by_role("button", name="Density").click()
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert page.evaluate("document.documentElement.dataset.density") == "compact"
    page.evaluate("localStorage.clear()")


def test_the_palette_jumps(world: World, page: Page) -> None:
    page.goto(world[0] + "/")
    page.keyboard.press("Control+k")
    page.keyboard.type("compon")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Components", level=1)).to_be_visible()


def test_without_script_it_can_be_read(world: World) -> None:
    base, installation, signed_in, request_id = world
    assert signed_in.browser
    context = signed_in.browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(base + installation.sign_in)
    page.goto(base + "/")
    expect(page.locator("#requests-data table")).to_be_visible()
    page.locator("#period").click()
    page.get_by_role("link", name="Last 7 days").click()
    expect(page.locator("#period")).to_have_text("Last 7 days")
    page.goto(f"{base}/requests/{request_id}")
    expect(page.get_by_text("Karin Madsen")).to_be_visible()
    context.close()
