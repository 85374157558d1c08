"""The list of requests and the page of one in a real browser: keys, palette, views, columns, live, export, stop."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from gateway.core.inflight import InFlight
from gateway.core.span import Span
from tests.dashboard.browser import CHROMIUM, chromium, serving
from tests.dashboard.fakes import chat_call, traffic
from tests.dashboard.installation import Installation

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
DAY = 86400 * 1_000_000
TRACE = "0af7651916cd43dd8448eb211c80319c"
SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
HOSTILE = f"{SCRIPT} \x1b[31mred\x1b[0m \u202egnp.exe 漢字の請求書 🙂🏳️‍🌈 مرحبا بالعالم"


class Flying:
    """What a test puts in flight."""

    def __init__(self) -> None:
        self.running: list[InFlight] = []

    def calls(self) -> list[InFlight]:
        return list(self.running)

    def call(self, request_id: str) -> InFlight | None:
        return next((call for call in self.calls() if call.request_id == request_id), None)

    def stop(self, request_id: str, by: str) -> bool:
        before = len(self.running)
        self.running = [call for call in self.running if call.request_id != request_id]
        return len(self.running) < before


class World:
    def __init__(self, folder: Path) -> None:
        now_us = time.time_ns() // 1000
        self.call, payload = chat_call(now_us - 3_000_000)
        self.other, other_payload = chat_call(now_us - 9_000_000, seed=21)
        self.hostile, hostile_payload = hostile_call(now_us - 20_000_000)
        self.large, large_payload = chat_call(now_us - 30_000_000, seed=31)
        text = "lorem ipsum " * 430_000
        large_payload.request_body = msgspec.json.encode(
            {"messages": [{"role": "user", "content": text + "needle at the end"}], "list": list(range(20_000))}
        )
        large_payload.request_bytes = len(large_payload.request_body)
        spans = traffic(1200, now_us=now_us, length_us=DAY)
        for number, span in enumerate(spans[:3]):
            span.trace_id, span.span_id, span.name = TRACE, f"{number:016x}", f"step {number}"
        self.call.trace_id = TRACE
        known = {
            self.call.request_id: payload,
            self.other.request_id: other_payload,
            self.hostile.request_id: hostile_payload,
            self.large.request_id: large_payload,
        }
        self.spans: list[Span] = [*spans, self.call, self.other, self.hostile, self.large]
        self.installation = Installation(folder, self.spans, known)
        self.flying = self.installation.app.state.callgate.in_flight = Flying()
        self.base = ""
        self.context: BrowserContext


def hostile_call(at: int) -> tuple[Span, Any]:
    span, payload = chat_call(at, seed=41)
    span.model = span.model_requested = span.tenant = span.user = HOSTILE
    span.input_preview = span.error_message = HOSTILE
    span.tags = {"feature": HOSTILE, f"k {SCRIPT}": "v"}
    payload.request_body = msgspec.json.encode(
        {
            "messages": [
                {"role": "user", "content": HOSTILE},
                {"role": SCRIPT, "content": [{"type": SCRIPT, "text": HOSTILE}]},
            ]
        }
    )
    payload.response_body, payload.response_content_type = HOSTILE.encode(), "text/html"
    payload.response_headers = [("content-type", SCRIPT)]
    return span, payload


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is absent: install the package chromium")
        pytest.skip(f"{CHROMIUM} is absent: install the package chromium to run this")
    made = World(tmp_path_factory.mktemp("data"))
    with serving(made.installation.app) as base, chromium() as browser:
        made.base = base
        made.context = browser.new_context(viewport={"width": 1440, "height": 900}, timezone_id="UTC")
        page = made.context.new_page()
        page.goto(base + made.installation.sign_in)
        page.close()
        yield made


@pytest.fixture
def page(world: World) -> Iterator[Page]:
    """Fails at its end if the page said anything in the console, asked another host, or ran what a stranger wrote."""
    page = world.context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda ask: None if ask.url.startswith((world.base, "data:", "blob:")) else said.append(ask.url))
    yield page
    assert page.title() != "owned"
    page.evaluate("localStorage.clear()")
    world.context.clear_cookies(name="callgate_columns")
    world.flying.running.clear()
    page.close()
    assert said == []


def heads(page: Page) -> list[str]:
    return [text.strip() for text in page.locator("#rows thead th").all_inner_texts()]


# ------------------------------------------------------------------------------------------------ the list


def test_columns_are_chosen_ordered_sized_and_remembered(world: World, page: Page) -> None:
    page.goto(world.base + "/requests")
    assert heads(page) == ["Time", "Status", "Model", "Tenant", "Request", "Cost", "Latency"]
    page.locator("#columns").click()
    page.locator("a.menu-item[data-cols]", has_text="Provider").click()
    expect(page.locator("#rows thead th", has_text="Provider")).to_be_visible()
    page.locator("#columns").click()
    page.get_by_role("link", name="Provider further left").click()
    expect(page.locator("#rows thead th").nth(6)).to_have_text("Provider")
    head = page.locator("#rows th[data-col=model]")
    before = head.bounding_box()
    grip = head.locator(".col-grip").bounding_box()
    assert before
    assert grip
    page.mouse.move(grip["x"] + 4, grip["y"] + 10)
    page.mouse.down()
    page.mouse.move(grip["x"] + 84, grip["y"] + 10, steps=5)
    page.mouse.up()
    wider = head.bounding_box()
    assert wider
    assert wider["width"] == pytest.approx(before["width"] + 80, abs=6)
    page.goto(world.base + "/requests")
    assert heads(page) == ["Time", "Status", "Model", "Tenant", "Request", "Cost", "Provider", "Latency"]
    again = page.locator("#rows th[data-col=model]").bounding_box()
    assert again
    assert again["width"] == pytest.approx(wider["width"], abs=2)
    page.locator("#columns").click()
    page.get_by_role("link", name="As at first").click()
    expect(page.locator("#rows thead th", has_text="Provider")).to_have_count(0)


def test_columns_are_moved_by_dragging(world: World, page: Page) -> None:
    page.goto(world.base + "/requests")
    page.locator("#rows th[data-col=latency]").drag_to(page.locator("#rows th[data-col=tenant]"))
    expect(page.locator("#rows thead th").nth(3)).to_have_text("Latency")


def test_is_not_and_ranges(world: World, page: Page) -> None:
    page.goto(world.base + "/requests")
    page.keyboard.press("f")
    page.keyboard.type("mod")
    expect(page.locator(".filters .menu-sub:visible")).to_have_count(1)
    page.locator(".menu-sub summary", has_text="Model").click()
    page.get_by_role("link", name="is not gpt-5-mini").click()
    expect(page.locator(".chip[data-not]")).to_contain_text("is not")
    assert "O\ngpt-5-mini" not in page.locator("tr[data-row] .model").all_inner_texts()
    page.get_by_role("link", name="Model is not: turn around").click()
    expect(page.locator(".chip[data-not]")).to_have_count(0)
    assert set(page.locator("tr[data-row] .model").all_inner_texts()) == {"O\ngpt-5-mini"}
    page.keyboard.press("f")
    page.locator(".menu-sub summary", has_text="Latency").click()
    page.get_by_label("Latency at least, ms").fill("1000")
    page.get_by_label("Latency at most, ms").fill("2000")
    page.get_by_label("Latency at most, ms").press("Enter")
    expect(page.locator(".chip")).to_have_count(4)  # model, at least, at most, add
    assert "min_latency_ms=1000" in page.url
    assert "max_latency_ms=2000" in page.url


def test_a_view_is_saved_and_found_again(world: World, page: Page) -> None:
    page.goto(world.base + "/requests?status=error&period=7d")
    page.locator("#views").click()
    page.get_by_label("Name of this view").fill("What fails")
    page.get_by_role("button", name="Save this view").click()
    page.goto(world.base + "/requests")
    page.locator("#views").click()
    page.locator(".menu-views a", has_text="What fails").click()
    expect(page.locator(".chip", has_text="failed")).to_be_visible()
    page.goto(world.base + "/")
    page.keyboard.press("Control+k")
    page.keyboard.type("what f")
    expect(page.locator("[data-palette-found] a", has_text="What fails")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**status=error**")
    page.locator("#views").click()
    page.get_by_role("button", name="Delete the view What fails").click()
    page.locator("#views").click()
    expect(page.get_by_text("None yet.")).to_be_visible()


def test_the_palette_finds_ids_and_values(world: World, page: Page) -> None:
    page.goto(world.base + "/requests")
    page.keyboard.press("Control+k")
    page.keyboard.insert_text(world.call.request_id)
    expect(page.locator("[data-palette-found] .is-active")).to_contain_text(world.call.request_id)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/requests/{world.call.request_id}")
    page.keyboard.press("Control+k")
    page.keyboard.type("fjord")
    page.locator("[data-palette-found] a", has_text="Tenant is fjord-bank").click()
    expect(page.locator(".chip", has_text="fjord-bank")).to_be_visible()


def test_keys_are_listed_and_do_what_they_say(world: World, page: Page) -> None:
    page.goto(world.base + "/requests?period=2d")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    first = page.locator("tr[data-row]").first.get_attribute("data-row") or ""
    page.keyboard.press("n")
    expect(page.locator(f"tr[data-row='{first}']")).to_have_count(0)
    page.keyboard.press("p")
    expect(page.locator(f"tr[data-row='{first}']")).to_have_count(1)
    page.goto(f"{world.base}/requests/{world.call.request_id}")
    page.keyboard.press("j")
    page.wait_for_url(lambda url: world.call.request_id not in url)
    page.keyboard.press("k")
    page.wait_for_url(f"**/requests/{world.call.request_id}*")
    page.keyboard.press("Escape")
    expect(page.locator("#rows")).to_be_visible()


def test_page_size_and_relative_times(world: World, page: Page) -> None:
    page.goto(world.base + "/requests")
    page.locator("#page-size").click()
    page.get_by_role("link", name="25 rows").click()
    expect(page.locator("tr[data-row]")).to_have_count(25)
    assert page.url.endswith("limit=25")
    page.locator("#columns").click()
    page.get_by_label("Times as").check()
    expect(page.locator("tr[data-row] time").first).to_contain_text("ago")
    assert page.locator("tr[data-row] time").first.get_attribute("title")
    page.get_by_label("Times as").uncheck()
    expect(page.locator("tr[data-row] time").first).not_to_contain_text("ago")


def test_live_can_be_paused(world: World, page: Page) -> None:
    page.goto(world.base + "/requests")
    expect(page.locator("[data-live-state]")).to_have_text("Live")
    page.keyboard.press("l")
    expect(page.locator("[data-live-state]")).to_have_text("Paused")
    call, payload = chat_call(time.time_ns() // 1000, seed=77)
    world.installation.add([call], {call.request_id: payload})
    page.keyboard.press("l")
    expect(page.locator("[data-live-state]")).to_have_text("Live")
    expect(page.locator(f"tr[data-row='{call.request_id}']")).to_be_visible(timeout=15_000)


def test_a_call_in_flight_is_stopped(world: World, page: Page) -> None:
    page.goto(world.base + "/requests")
    expect(page.locator("[data-flight]")).to_have_count(0)
    world.flying.running.append(
        InFlight(
            request_id="01a02c4e-61f1-7c3b-9d52-8e1f40b7c9aa",
            started_at=time.time_ns() // 1000 - 4_000_000,
            kind="llm",
            endpoint="POST /v1/chat/completions",
            stream=True,
            provider="openai",
            model_requested="gpt-5",
            model=HOSTILE,
            key_id=None,
            tenant="acme",
            environment="production",
            tags={},
            is_answering=True,
        )
    )
    row = page.locator("[data-flight]")
    expect(row).to_contain_text("answering", timeout=10_000)
    expect(row.locator("[data-since]")).not_to_have_text("0.0s")
    row.get_by_role("button", name="Stop").click()
    expect(page.locator("#toasts")).to_contain_text("Stopped")
    expect(page.locator("[data-flight]")).to_have_count(0)
    assert world.flying.running == []


@pytest.mark.parametrize("kind", ["CSV", "JSONL", "Parquet"])
def test_an_export_is_exactly_the_filter(world: World, page: Page, kind: str) -> None:
    page.goto(world.base + "/requests?provider=anthropic&period=7d")
    wanted = sum(span.provider == "anthropic" for span in world.spans)
    expect(page.get_by_role("heading", name=f"{wanted:,} requests")).to_be_visible()
    page.locator("#export").click()
    with page.expect_download() as download:
        page.locator("a[data-export]", has_text=kind).click()
    data = Path(download.value.path()).read_bytes()
    expect(page.locator("#toasts")).to_contain_text(f"Exported {wanted:,} rows")
    if kind == "JSONL":
        rows = [json.loads(line) for line in data.splitlines()]
        assert {row["provider"] for row in rows} == {"anthropic"}
        assert len(rows) == wanted
    elif kind == "Parquet":
        assert data[:4] == data[-4:] == b"PAR1"
    else:
        assert data.startswith(b"request_id,")


# ------------------------------------------------------------------------------------------------ one request


def test_a_diff_from_the_page_of_a_request(world: World, page: Page) -> None:
    page.goto(f"{world.base}/requests/{world.call.request_id}")
    page.get_by_role("link", name="Diff").click()
    page.get_by_label("Id of the other request").fill(world.hostile.request_id)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Messages")).to_be_visible()
    expect(page.locator(".sides mark").first).to_be_visible()
    expect(page.locator(".sides")).to_contain_text("漢字の請求書")


def test_a_replay_without_a_data_plane_says_so(world: World, page: Page) -> None:
    page.goto(f"{world.base}/requests/{world.call.request_id}")
    page.get_by_role("link", name="Replay").click()
    expect(page.get_by_label("Model")).to_have_value("smart")
    expect(page.get_by_text("2 secrets had been taken out")).to_be_visible()


def test_all_of_a_large_body_is_within_reach(world: World, page: Page) -> None:
    page.goto(f"{world.base}/requests/{world.large.request_id}?tab=request")
    assert page.evaluate("document.documentElement.outerHTML.length") < 2_000_000
    page.locator("[data-find]").fill("needle at the END")
    expect(page.locator("[data-found]")).to_have_text("1 found")
    expect(page.locator(".hits mark")).to_have_text("needle at the end")
    page.locator(".more-text").first.click()
    expect(page.locator(".whole")).to_contain_text("needle at the end", timeout=20_000)
    page.get_by_role("button", name="Unfold all").click()
    nodes = page.locator(".json li").count()
    page.locator(".more-nodes a").first.click()
    page.wait_for_function("before => document.querySelectorAll('.json li').length > before + 900", arg=nodes)


@pytest.mark.parametrize(
    "path",
    [
        "/requests",
        "/requests/ID",
        "/requests/ID?tab=request",
        "/requests/ID?tab=response",
        "/requests/ID?tab=headers",
        "/requests/ID/diff",
        "/requests/ID/replay",
        "/requests?peek=ID",
    ],
)
def test_what_strangers_wrote_is_text(world: World, page: Page, path: str) -> None:
    page.goto(world.base + path.replace("ID", world.hostile.request_id))
    expect(page.locator("main")).to_be_visible()
    html = page.evaluate("document.documentElement.outerHTML")
    assert "\x1b" not in html
    assert page.locator("main script, main [onerror]").count() == 0


def test_a_trace_has_its_page(world: World, page: Page) -> None:
    page.goto(f"{world.base}/requests/{world.call.request_id}")
    page.locator(".card-trace").get_by_role("link", name="Open").click()
    expect(page.locator(".trace-row[aria-selected=true]")).to_have_count(1)
    expect(page.locator(".trace-row[aria-level]")).to_have_count(4)


PATHS = (
    "/requests?peek=ID",
    "/requests/ID",
    "/requests/ID/diff?with=OTHER",
    "/requests/ID/diff",
    "/requests/ID/replay",
    f"/traces/{TRACE}",
)


def at(world: World, path: str) -> str:
    return world.base + path.replace("ID", world.call.request_id).replace("OTHER", world.other.request_id)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_finding_of_axe(world: World, page: Page, path: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.goto(at(world, path))
    page.evaluate(f"() => {{ {AXE} }}")
    found = page.evaluate("async () => (await axe.run()).violations")
    assert [
        f"{each['id']}: {each['help']}: {[node['target'] for node in each['nodes']][:3]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ] == []


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_wider_than_a_phone(world: World, page: Page, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(at(world, path))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_script_it_can_be_read_and_sorted(world: World) -> None:
    assert world.context.browser
    context = world.context.browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(world.base + world.installation.sign_in)
    page.goto(at(world, "/requests?cols=tenant,cost,request"))
    assert heads(page) == ["Time", "Status", "Model", "Tenant", "Cost", "Request"]
    page.locator("#views").click()
    page.get_by_label("Name of this view").fill("Plain")
    page.get_by_role("button", name="Save this view").click()
    page.locator("#views").click()
    expect(page.locator(".menu-views a", has_text="Plain")).to_be_visible()
    page.get_by_role("button", name="Delete the view Plain").click()
    page.goto(at(world, "/requests/ID/diff?with=OTHER"))
    expect(page.get_by_role("heading", name="Figures")).to_be_visible()
    page.goto(at(world, f"/traces/{TRACE}"))
    expect(page.locator(".trace-row[aria-level]")).to_have_count(4)
    context.close()
