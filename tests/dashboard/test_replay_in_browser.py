"""A replay in a real browser, before a real gateway: read while it comes, compared at its end, ended by a button."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.dashboard.browser import CHROMIUM, chromium
from tests.e2e.harness import Gateway, configuration, wait_for

pytestmark = pytest.mark.browser

WORDS = " ".join(f"word{number}" for number in range(60)) + " 🦊 <script>window.ran = 1</script>"


class World(NamedTuple):
    gateway: Gateway
    context: BrowserContext


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is absent: install the package chromium")
        pytest.skip(f"{CHROMIUM} is absent: install the package chromium to run this")
    config = configuration(providers={"demo": {"headers": {"x-demo": "ttft-ms=0, tps=80"}}})
    gateway = Gateway(tmp_path_factory.mktemp("replay") / "data", config).start()
    link = wait_for(lambda: re.search(r"/login\?token=\S+", "".join(gateway.output)), "the link to sign in with")[0]
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1440, "height": 900}, timezone_id="UTC")
        context.new_page().goto(gateway.url + link)
        yield World(gateway, context)
    assert gateway.stop() == 0


@pytest.fixture
def page(world: World) -> Iterator[Page]:
    page = world.context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    page.close()
    assert said == []


def test_a_stream_is_read_while_it_comes_and_compared_at_its_end(world: World, page: Page) -> None:
    first = world.gateway.row_of(world.gateway.chat("demo/echo", WORDS, stream=True))
    page.goto(f"{world.gateway.url}/requests/{first['request_id']}/replay")
    page.get_by_role("button", name="Replay").click()
    coming = page.locator("[data-replay-text]")
    expect(coming).to_contain_text("word1 ")
    assert "word59" not in coming.inner_text(), "it was shown when it was whole"
    result = page.locator("#replay-result")
    for words in ("Figures", "Cost", "Latency", "Difference", "the same: word0"):
        expect(result).to_contain_text(words, timeout=20_000)
    expect(coming).to_be_hidden()
    assert "<script>" in (result.text_content() or "")
    assert page.evaluate("window.ran") is None
    made = result.locator("p a.id").inner_text()
    assert world.gateway.row(made)["tags"] == {"replay_of": first["request_id"]}


def test_a_whole_answer_and_another_model(world: World, page: Page) -> None:
    first = world.gateway.row_of(world.gateway.chat("demo/echo", "Say it whole"))
    page.goto(f"{world.gateway.url}/requests/{first['request_id']}/replay")
    page.get_by_label("Model").fill("demo/lorem")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator("#replay-result")).to_contain_text("lorem", timeout=20_000)
    page.get_by_label("Model").fill("nobody/none")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator("#replay-result")).to_contain_text("404", timeout=20_000)


def test_stopping_ends_the_call(world: World, page: Page) -> None:
    first = world.gateway.row_of(world.gateway.chat("demo/echo", WORDS * 8, stream=True))
    page.goto(f"{world.gateway.url}/requests/{first['request_id']}/replay")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator("[data-replay-text]")).to_contain_text("word1 ")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped. It is booked with what it used.")).to_be_visible()
    path = f"/api/requests?tag.replay_of={first['request_id']}"
    row = wait_for(lambda: next(iter(world.gateway.get(path)[1]["items"]), None), "the replay is in the log")
    assert (row["error_type"], row["status_code"]) == ("cancelled", 499)
    expect(page.get_by_role("button", name="Replay")).not_to_have_attribute("aria-busy", "true")
