"""Pictures of every page, to be looked at: `make shots` writes them to shots/ (not kept in git).

Much, little and no data; 1440 and 390 px; light and dark. The store is the real one, with the month of `callgate demo`.
`python -m tests.shots overview requests` takes only those, `python -m tests.shots README` those of docs/images/.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, expect

from gateway.demo.month import Month, month
from pricing.catalog import Catalog
from tests.dashboard.agent import agent_trace
from tests.dashboard.browser import chromium, serving
from tests.dashboard.fakes import chat_call, traffic
from tests.dashboard.installation import Installation
from tests.dashboard.running import dress
from tests.dashboard.tour import BEFORE_SIGNING_IN, PAGES, TRACE, furnish, set_up, sign_in

OUT = Path(__file__).resolve().parents[1] / "shots"
HOUR = 3600 * 1_000_000
ON_LITTLE = (
    "overview",
    "requests",
    "costs",
    "statement",
    "models",
    "tags",
    "tenants-usage",
    "tenant-usage",
    "operations",
)
ON_LITTLE += ("keys", "environments", "tenants", "users", "privacy", "audit", "alerts", "playground", "trace")
"""Those that look different with little or no data."""
FRONT = {
    "overview": "/?period=7d",
    "requests": "/requests?peek={request}",
    "request": "/requests/{request}",
    "costs": "/costs?period=7d",
}
"""What the README shows."""
IMAGES = OUT.parent / "docs" / "images"
AMOUNTS = {"much": 15_000, "little": 12, "nothing": 0}


def installation(folder: Path, amount: str) -> tuple[Installation, str]:
    """And the id of the request whose page is shown."""
    now_us = time.time_ns() // 1000
    call, payload = chat_call(now_us - 26_000_000)
    call.trace_id = TRACE
    if not AMOUNTS[amount]:
        return Installation(folder), call.request_id
    payloads = {call.request_id: payload}
    if amount == "little":
        spans = traffic(AMOUNTS[amount], now_us=now_us, length_us=2 * HOUR)
    else:
        written = list(month(Month(AMOUNTS[amount], now_us), Catalog.load()))
        spans = [span for span, _ in written]
        payloads |= {span.request_id: body for span, body in written}
    return Installation(folder, [*spans, *agent_trace(call), call], payloads), call.request_id


def take(browser: Browser, base: str, made: Installation, request_id: str, amount: str, names: list[str]) -> None:
    with browser.new_context() as first:
        set_up(made, base, first)
        named = furnish(base, first, request_id) if amount == "much" else {"request": request_id, "trace": TRACE}
    shown = [name for name in names if amount == "much" or name in ON_LITTLE]
    for scheme in ("light", "dark"):
        for width in (1440, 390):
            size = {"width": width, "height": 1000 if width > 400 else 844}
            context = browser.new_context(viewport=size, color_scheme=scheme, timezone_id="UTC")  # type: ignore[arg-type]
            page = context.new_page()
            for each in (BEFORE_SIGNING_IN, PAGES):
                for name in (name for name in shown if name in each):
                    page.goto(base + each[name].format_map(named))
                    drawn(page)
                    page.screenshot(path=OUT / f"{name}-{amount}-{width}-{scheme}.png", full_page=True)
                sign_in(base, context)
            context.close()


def take_front(browser: Browser, base: str, made: Installation, request_id: str) -> None:
    with browser.new_context(viewport={"width": 1440, "height": 900}, timezone_id="UTC") as context:
        set_up(made, base, context)
        page = context.new_page()
        for name, path in FRONT.items():
            page.goto(base + path.format(request=request_id))
            drawn(page)
            page.screenshot(path=IMAGES / f"{name}.png")
            make_small(IMAGES / f"{name}.png")


def make_small(image: Path) -> None:
    """To a third, by fewer colours; left as it is where `pngquant` is not installed."""
    if shutil.which("pngquant"):
        subprocess.run(
            ["pngquant", "--force", "--skip-if-larger", "--speed", "1", "--output", image, image], check=True
        )


def drawn(page: Page) -> None:
    """Fonts and charts are there."""
    page.wait_for_function("document.fonts.status === 'loaded'")
    expect(page.locator("main")).to_be_visible()
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def main() -> None:
    names = sys.argv[1:] or [*BEFORE_SIGNING_IN, *PAGES]
    OUT.mkdir(exist_ok=True)
    with chromium() as browser:
        for amount in ("much",) if names == ["README"] else AMOUNTS:
            with TemporaryDirectory() as folder:
                made, request_id = installation(Path(folder), amount)
                if amount == "much":
                    dress(made)
                with serving(made.app) as base:
                    if names == ["README"]:
                        take_front(browser, base, made, request_id)
                    else:
                        take(browser, base, made, request_id, amount, names)


if __name__ == "__main__":
    main()
