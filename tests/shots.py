"""Pictures of every page, to be looked at: `make shots` writes them to shots/ (not kept in git).

Much, little and no data; 1440 and 390 px; light and dark. The store is the real one, with the month of `callgate demo`.
`python -m tests.shots overview requests` takes only those.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, expect

from gateway.demo.month import Month, month
from pricing.catalog import Catalog
from tests.dashboard.browser import chromium, serving
from tests.dashboard.fakes import chat_call, traffic
from tests.dashboard.installation import Installation
from tests.dashboard.running import dress

OUT = Path(__file__).resolve().parents[1] / "shots"
HOUR = 3600 * 1_000_000
PAGES = {
    "overview": "/",
    "overview-30d": "/?period=30d",
    "requests": "/requests",
    "peek": "/requests?peek=ID",
    "empty-filter": "/requests?model=gpt-5&tag.feature=nobody",
    "request": "/requests/ID",
    "request-body": "/requests/ID?tab=request",
    "response-body": "/requests/ID?tab=response",
    "headers": "/requests/ID?tab=headers",
    "diff": "/requests/ID/diff",
    "replay": "/requests/ID/replay",
    "costs": "/costs?period=30d",
    "costs-user": "/costs?period=7d&by=user&a=acme-user-000&b=acme-user-001",
    "statement": "/costs/statement/acme",
    "alerts": "/alerts",
    "keys": "/settings/keys",
    "environments": "/settings/environments",
    "tenants": "/settings/tenants",
    "users": "/settings/users",
    "privacy": "/settings/privacy",
    "audit": "/settings/audit",
    "models": "/models?period=7d",
    "models-providers": "/models?period=7d&by=provider",
    "tags": "/tags?period=7d&of=feature",
    "tenants-usage": "/tenants?period=7d",
    "tenant": "/tenants/acme?period=7d",
    "operations": "/operations",
    "configuration": "/operations/configuration/2",
    "playground": "/playground",
    "components": "/dashboard/components",
    "error": "/nowhere",
}
ON_LITTLE = ("overview", "requests", "costs", "statement", "models", "tags", "tenants-usage", "tenant", "operations")
"""Those that look different with little or no data."""
AMOUNTS = {"much": 15_000, "little": 12, "nothing": 0}


def installation(folder: Path, amount: str) -> tuple[Installation, str]:
    """And the id of the request whose page is shown."""
    now_us = time.time_ns() // 1000
    call, payload = chat_call(now_us - 26_000_000)
    if not AMOUNTS[amount]:
        return Installation(folder), call.request_id
    payloads = {call.request_id: payload}
    if amount == "little":
        spans = traffic(AMOUNTS[amount], now_us=now_us, length_us=2 * HOUR)
    else:
        written = list(month(Month(AMOUNTS[amount], now_us), Catalog.load()))
        spans = [span for span, _ in written]
        payloads |= {span.request_id: body for span, body in written}
    return Installation(folder, [*spans, call], payloads), call.request_id


def take(browser: Browser, base: str, made: Installation, request_id: str, amount: str, names: list[str]) -> None:
    for scheme in ("light", "dark"):
        for width in (1440, 390):
            size = {"width": width, "height": 1000 if width > 400 else 844}
            context = browser.new_context(viewport=size, color_scheme=scheme, timezone_id="UTC")  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(base + "/login")
            shoot = f"{amount}-{width}-{scheme}.png"
            if amount == "much" and "login" in names:
                page.screenshot(path=OUT / f"login-{shoot}")
            page.goto(base + made.sign_in)
            for name in (name for name in names if name in PAGES):
                if amount != "much" and name not in ON_LITTLE:
                    continue
                page.goto(base + PAGES[name].replace("ID", request_id))
                page.wait_for_function("document.fonts.status === 'loaded'")
                expect(page.locator("main")).to_be_visible()
                page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
                page.screenshot(path=OUT / f"{name}-{shoot}", full_page=True)
            context.close()


def main() -> None:
    names = sys.argv[1:] or [*PAGES, "login"]
    OUT.mkdir(exist_ok=True)
    with chromium() as browser:
        for amount in AMOUNTS:
            with TemporaryDirectory() as folder:
                made, request_id = installation(Path(folder), amount)
                if amount == "much":
                    dress(made)
                with serving(made.app) as base:
                    take(browser, base, made, request_id, amount, names)


if __name__ == "__main__":
    main()
