"""The playground in a real browser, before a real gateway: what is said, shown, kept and never run."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from gateway.dashboard.format import duration, money
from tests.dashboard.browser import CHROMIUM, chromium
from tests.e2e.harness import Gateway, configuration, wait_for

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HOSTILE = (
    '<script>window.ran = 1</script><img src=x onerror="window.ran = 2"> [a](javascript:window.ran=3) '
    "![i](https://elsewhere.example/i.png) [ok](https://example.com/) \u202egnp.exe \x1b[31mred **bold** 🦊 שלום"
)
World = tuple[Gateway, BrowserContext]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is absent: install the package chromium")
        pytest.skip(f"{CHROMIUM} is absent: install the package chromium to run this")
    config = configuration(providers={"demo": {"headers": {"x-demo": "ttft-ms=0, tps=60"}}})
    gateway = Gateway(tmp_path_factory.mktemp("playground") / "data", config).start()
    link = wait_for(lambda: re.search(r"/login\?token=\S+", "".join(gateway.output)), "the link to sign in with")[0]
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1440, "height": 900}, timezone_id="UTC")
        page = context.new_page()
        page.goto(gateway.url + link)
        page.close()
        yield gateway, context
    assert gateway.stop() == 0


@pytest.fixture
def page(world: World) -> Iterator[Page]:
    """Fails at its end if the page said anything in the console or asked another host."""
    gateway, context = world
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda each: None if each.url.startswith((gateway.url, "data:")) else said.append(each.url))
    yield page
    page.close()
    assert said == []


def begin(world: World, page: Page, *models: str) -> None:
    """A new conversation with these models."""
    page.add_init_script(f"localStorage.setItem('callgate.playground.models', {json.dumps(json.dumps(models))})")
    page.goto(world[0].url + "/playground")
    page.wait_for_selector("[data-ready]")


def kept(world: World, page: Page, models: list[str], *rounds: dict[str, Any]) -> str:
    """The page of a conversation of the person who is signed in."""
    page.goto(world[0].url + "/playground")
    made = page.evaluate(
        "async (talk) => (await (await fetch('/api/playground/conversations', {method: 'POST', "
        "body: JSON.stringify({talk})})).json()).id",
        {"models": models, "rounds": list(rounds)},
    )
    page.goto(f"{world[0].url}/playground/{made}")
    page.wait_for_selector("[data-ready]")
    return str(made)


def say(page: Page, text: str) -> None:
    page.get_by_label("Message").fill(text)
    page.get_by_label("Message").press("Enter")


def done(page: Page, answers: int = 1) -> None:
    """Everything that was asked is answered and kept."""
    expect(page.locator("[data-answer][aria-busy=false]")).to_have_count(answers, timeout=20_000)
    expect(page.locator("[data-send]")).to_be_visible()
    expect(page.locator("#talks .talks-item[aria-current]")).to_be_visible()


def test_a_first_message_is_answered_titled_and_kept(world: World, page: Page) -> None:
    begin(world, page, "demo/echo")
    expect(page.get_by_text("Ask a model, or several side by side")).to_be_visible()
    say(page, "# Of spans\n\n- one\n- **two**\n\n```py\nprint(1)\n```")
    done(page)
    said = page.locator("[data-said-text]")
    expect(said.locator("h4")).to_have_text("Of spans")
    expect(said.locator("li strong")).to_have_text("two")
    expect(said.locator("pre code")).to_have_text("print(1)\n")
    figures = page.locator("[data-figures]")
    for words in ("tokens in", "tokens out", "$0.0000", "latency", "first token"):
        expect(figures).to_contain_text(words)
    expect(figures).not_to_contain_text("≈")
    assert re.search(r"/playground/[0-9a-f-]{36}$", page.url)
    shown = said.inner_html()
    page.reload()
    page.wait_for_selector("[data-ready]")
    assert said.inner_html() == shown
    request_id = (page.get_by_role("link", name="Request", exact=True).get_attribute("href") or "").rpartition("/")[2]
    row = world[0].row(request_id)
    assert (row["feature"], row["session"]) == ("playground", page.url.rpartition("/")[2])
    page.get_by_role("link", name="Request", exact=True).click()
    expect(page.get_by_text("Of spans").first).to_be_visible()


def test_what_the_server_lays_out_is_what_the_script_lays_out(world: World, page: Page) -> None:
    """Read without script or with it: the same."""
    text = "# A\n\nB *c* ~~d~~ `e`\n\n1. f\n2. g\n\n> h\n\n| i | j |\n|---|---|\n| k | l |\n\n" + HOSTILE
    made = kept(world, page, ["demo/echo"], {"text": "x", "answers": [{"model": "demo/echo", "text": text}]})
    scripted = page.locator("[data-said-text]").inner_html()
    plain = page.request.get(f"{world[0].url}/playground/{made}").text()
    page.evaluate("html => { window.plain = new DOMParser().parseFromString(html, 'text/html'); }", plain)
    served = page.evaluate("window.plain.querySelector('[data-said-text]').innerHTML")
    assert scripted.replace(' tabindex="0"', "").strip() == served.strip()


def test_the_script_writes_numbers_as_the_pages_do(world: World, page: Page) -> None:
    amounts = [
        0,
        1,
        9,
        10,
        285,
        2850,
        99_960,
        123_456,
        1_860_000,
        18_639_600,
        99_949_999,
        999_499_999,
        10**9,
        1_234_567_890_123,
    ]
    times_us = [
        1_000,
        9_994,
        41_300,
        99_700,
        412_000,
        998_000,
        1_240_000,
        9_123_000,
        59_900_000,
        120_000_000,
        754_000_000,
    ]
    page.goto(world[0].url + "/playground")
    source = page.locator("script[src$='/playground.js']").get_attribute("src") or ""
    said = page.evaluate(
        "async ([source, amounts, times]) => { const {money, duration} = await import(source); "
        "return [amounts.map(money), times.map((us) => duration(us / 1000))]; }",
        [source.replace("playground.js", "playground_figures.js"), amounts, times_us],
    )
    assert said == [[str(money(each)) for each in amounts], [str(duration(each)) for each in times_us]]


def test_nothing_that_is_said_runs_or_is_loaded(world: World, page: Page) -> None:
    begin(world, page, "demo/echo")
    say(page, HOSTILE)
    done(page)
    said = page.locator("[data-said-text]")
    assert page.evaluate("window.ran") is None
    assert said.locator("script, img, iframe, style, svg").count() == 0
    assert said.locator("a").evaluate_all("links => links.map(link => link.href)") == ["https://example.com/"]
    assert said.locator("a").get_attribute("rel") == "noopener noreferrer nofollow"
    for place in (said, page.locator("[data-asked-text]")):
        text = place.text_content() or ""
        assert "<script>" in text
        assert not {"\u202e", "\x1b"} & set(text)
    expect(page.locator("[data-talk-title]")).to_contain_text("<script>")


def test_models_answer_side_by_side_and_each_has_its_own_past(world: World, page: Page) -> None:
    begin(world, page, "demo/echo")
    page.locator("[data-picker] > summary").click()
    page.get_by_label("Find a model").fill("echo think")
    page.get_by_label("Find a model").press("Enter")
    page.keyboard.press("Escape")
    say(page, "First")
    done(page, 2)
    expect(page.locator("[data-said-model]")).to_have_text(["demo/echo", "demo/echo-thinking"])
    boxes = [box.bounding_box() for box in page.locator("[data-answer]").all()]
    assert boxes[0]
    assert boxes[1]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] < boxes[1]["x"]
    say(page, "Second")
    done(page, 4)
    links = page.get_by_role("link", name="Request", exact=True)
    for at in (2, 3):
        row = world[0].row((links.nth(at).get_attribute("href") or "").rpartition("/")[2])
        assert [each["content"] for each in row["request_body"]["messages"]] == ["First", "First", "Second"]


def test_stopping_keeps_what_was_said_and_what_it_cost(world: World, page: Page) -> None:
    begin(world, page, "demo/lorem")
    say(page, "Go on")
    expect(page.locator("[data-said-text]")).not_to_be_empty()
    expect(page.locator("[data-figures]")).to_contain_text("≈")
    page.keyboard.press("Escape")
    done(page)
    expect(page.locator("[data-figures]")).to_contain_text("stopped")
    expect(page.locator("[data-figures]")).to_contain_text("tokens out", timeout=15_000)  # once the log has it
    request_id = (page.get_by_role("link", name="Request", exact=True).get_attribute("href") or "").rpartition("/")[2]
    assert world[0].row(request_id)["error_type"] == "cancelled"


def test_an_edited_message_replaces_what_followed(world: World, page: Page) -> None:
    begin(world, page, "demo/echo")
    for number, text in enumerate(("One", "Two"), 1):
        say(page, text)
        done(page, number)
    page.locator("[data-round]").first.hover()
    page.locator("[data-edit]").first.click()
    expect(page.locator("[data-editing]")).to_contain_text("the one after it")
    expect(page.get_by_label("Message")).to_have_value("One")
    say(page, "Three")
    done(page)
    expect(page.locator("[data-asked-text]")).to_have_text(["Three"])
    first = page.get_by_role("link", name="Request", exact=True).get_attribute("href")
    page.get_by_role("button", name="Answer again").click()
    expect(page.get_by_role("link", name="Request", exact=True)).not_to_have_attribute("href", first or "")
    done(page)
    expect(page.locator("[data-said-text]")).to_have_text("Three")


def test_parameters_are_sent_and_what_is_no_json_is_not(world: World, page: Page) -> None:
    begin(world, page, "demo/echo")
    page.locator("[data-settings-toggle]").click()
    page.get_by_label("System").fill("Be brief")
    page.get_by_label("Temperature").fill("0.3")
    page.get_by_label("Most tokens").fill("50")
    page.get_by_label("Tags").fill("team=a ticket=42")
    page.locator("[name=answer_format]").select_option("json_schema")
    page.get_by_label("JSON schema").fill("{oops")
    say(page, "Hello")
    expect(page.locator("[data-schema] [data-problem]")).to_contain_text("The schema is not JSON")
    expect(page.get_by_label("JSON schema")).to_be_focused()
    expect(page.locator("[data-round]")).to_have_count(0)
    page.get_by_label("JSON schema").fill('{"type": "object"}')
    page.get_by_label("Message").press("Enter")
    done(page)
    expect(page.locator("[data-settings-words]")).to_have_text("Parameters · 6")
    request_id = (page.get_by_role("link", name="Request", exact=True).get_attribute("href") or "").rpartition("/")[2]
    row = world[0].row(request_id)
    body = row["request_body"]
    assert (body["temperature"], body["max_tokens"], body["messages"][0]) == (
        0.3,
        50,
        {"role": "system", "content": "Be brief"},
    )
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert (row["tags"]["team"], row["tags"]["ticket"]) == ("a", "42")
    page.reload()
    expect(page.get_by_label("Temperature")).to_have_value("0.3")


def test_the_result_of_a_tool_goes_with_the_next_message(world: World, page: Page) -> None:
    begin(world, page, "demo/echo")
    page.locator("[data-settings-toggle]").click()
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
    page.get_by_label("Tools").fill(json.dumps([tool]))
    say(page, "Use look_up: where is it?")
    done(page)
    expect(page.locator("[data-tool-name]")).to_have_text("look_up")
    page.get_by_label("Result of the tool").fill("In the cellar")
    page.get_by_label("Message").press("Enter")
    done(page, 2)
    href = page.get_by_role("link", name="Request", exact=True).nth(1).get_attribute("href") or ""
    messages = world[0].row(href.rpartition("/")[2])["request_body"]["messages"]
    assert [each["role"] for each in messages] == ["user", "assistant", "tool"]
    assert messages[2]["content"] == "In the cellar"
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"]


def test_images_are_shown_sent_and_kept(world: World, page: Page) -> None:
    begin(world, page, "demo/echo")
    files: list[Any] = [{"name": name, "mimeType": "image/gif", "buffer": PIXEL} for name in ("a.gif", "b.gif")]
    page.locator("[data-attach]").set_input_files(files)
    expect(page.get_by_alt_text("Image to send")).to_have_count(2)
    page.get_by_label("Leave this image out").first.click()
    say(page, "What is this?")
    done(page)
    page.reload()
    expect(page.get_by_alt_text("Attached image")).to_have_count(1)
    href = page.get_by_role("link", name="Request", exact=True).get_attribute("href") or ""
    content = world[0].row(href.rpartition("/")[2])["request_body"]["messages"][0]["content"]
    assert [each["type"] for each in content] == ["text", "image_url"]


def test_a_failure_is_the_answer_and_says_why(world: World, page: Page) -> None:
    kept(world, page, ["demo/echo:error-after=3", "demo/echo"], {"text": "Before"})
    say(page, "Go on then, and say a few more words than three")
    done(page, 2)
    failed, fine = page.locator("[data-answer]").all()
    expect(failed.locator("[data-error]")).to_be_visible()
    assert failed.locator("[data-error-text]").text_content()
    expect(fine.locator("[data-error]")).to_be_hidden()


def test_a_conversation_is_renamed_found_and_deleted(world: World, page: Page) -> None:
    made = kept(world, page, ["demo/echo"], {"text": "About the zeppelin"})
    manage = page.get_by_label("Rename or delete")
    manage.click()
    page.get_by_label("Title").fill("Airships")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator("[data-talk-title]")).to_have_text("Airships")
    for words, count in (("zeppelin", 1), ("airships", 1), ("submarine", 0)):
        page.get_by_label("Find a conversation").fill(words)
        page.get_by_label("Find a conversation").press("Enter")
        page.wait_for_url(f"**q={words}")
        expect(page.locator(".talks-item")).to_have_count(count)
    expect(page.get_by_text("No conversation has “submarine”.")).to_be_visible()
    manage.click()
    page.get_by_role("button", name="Delete this conversation").click()
    page.wait_for_url("**/playground")
    assert page.request.get(f"{world[0].url}/playground/{made}", headers={"accept": "text/html"}).status == 404


def test_it_is_read_without_script(world: World) -> None:
    gateway, context = world
    scripted = context.new_page()
    made = kept(
        world, scripted, ["demo/echo"], {"text": "Hi", "answers": [{"model": "demo/echo", "text": "**Hello**"}]}
    )
    scripted.close()
    assert context.browser
    plain = context.browser.new_context(java_script_enabled=False, storage_state=context.storage_state())
    page = plain.new_page()
    page.goto(f"{gateway.url}/playground/{made}")
    expect(page.locator("[data-said-text] strong")).to_have_text("Hello")
    expect(page.get_by_text("Writing here needs JavaScript")).to_be_visible()
    expect(page.locator("[data-composer]")).to_be_hidden()
    plain.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_no_serious_finding_of_axe_and_nothing_too_wide(world: World, page: Page, scheme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    long = "a" * 400 + "\n\n```\n" + "b" * 400 + "\n```"
    answers = [{"model": "demo/echo", "text": long, "error": "It broke off.", "latency_ms": 12.5}] * 2
    kept(world, page, ["demo/echo", "demo/lorem"], {"text": long, "answers": answers})
    page.locator("[data-settings-toggle]").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(f"() => {{ {AXE} }}")
    found = page.evaluate("async () => (await axe.run()).violations")
    serious = [
        f"{each['id']}: {each['help']}: {[node['target'] for node in each['nodes']][:3]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_on_a_phone_the_list_is_a_button_away(world: World, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    made = kept(world, page, ["demo/echo"], {"text": "On the phone"})
    expect(page.locator("#talks")).to_be_hidden()
    page.get_by_role("button", name="Conversations").click()
    expect(page.locator(f"#talks a[href='/playground/{made}']")).to_be_visible()
    page.get_by_role("button", name="Conversations").click()
    say(page, "Hello")
    done_on_phone = page.locator("[data-answer][aria-busy=false]")
    expect(done_on_phone).to_have_count(1, timeout=20_000)
