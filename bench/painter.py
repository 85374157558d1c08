"""First contentful paint of pages in Chromium, as the browser itself times it (PerformancePaintTiming), each with a
cold cache.

Run as a process of its own, so that the bench needs no browser otherwise: `python -m bench.painter '<Plan as JSON>'`
prints a `Painted` as JSON.
"""

from __future__ import annotations

import sys

import msgspec
from playwright.sync_api import Browser, Page, StorageState, ViewportSize, sync_playwright

from bench.pages_paint import Painted, Plan

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]
FIRST_PAINT = """() => new Promise(resolve => {
  const painted = () => performance.getEntriesByName("first-contentful-paint")[0];
  if (painted()) { resolve(painted().startTime); return; }
  new PerformanceObserver((_, observer) => {
    if (painted()) { observer.disconnect(); resolve(painted().startTime); }
  }).observe({ type: "paint", buffered: true });
})"""
VIEWPORT: ViewportSize = {"width": 1440, "height": 900}


def painted_ms(page: Page) -> float:
    found: float = page.evaluate(FIRST_PAINT)
    return found


def signed_in(browser: Browser, plan: Plan) -> tuple[float, StorageState]:
    """How long the page after the form took to show anything, and what signs in."""
    context = browser.new_context(viewport=VIEWPORT)
    page = context.new_page()
    page.goto(f"{plan.origin}/login")
    page.locator("#key").fill(plan.key)
    with page.expect_navigation(url=f"{plan.origin}/"):
        page.locator("#key").press("Enter")
    took = painted_ms(page)
    state = context.storage_state()
    context.close()
    return took, state


def paint(browser: Browser, plan: Plan) -> Painted:
    ms: dict[str, list[float]] = {"sign in": []}
    for _ in range(plan.rounds):
        took, state = signed_in(browser, plan)
        ms["sign in"].append(took)
        for path in plan.paths:
            context = browser.new_context(viewport=VIEWPORT, storage_state=state)
            page = context.new_page()
            page.goto(f"{plan.origin}{path}", wait_until="commit")
            ms.setdefault(path, []).append(painted_ms(page))
            context.close()
    return Painted(ms)


def main() -> None:
    plan = msgspec.json.decode(sys.argv[1], type=Plan)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        print(msgspec.json.encode(paint(browser, plan)).decode())
        browser.close()


if __name__ == "__main__":
    main()
