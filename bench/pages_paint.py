"""What a person waits for: the first contentful paint of every page over ten million calls, in Chromium."""

from __future__ import annotations

import msgspec

from bench import generators
from bench.effort import Effort
from bench.fill import CALLS
from bench.lab import Lab
from bench.pages import prepare, serving
from bench.report import Claim, Section, Table, number
from bench.templates import ADMIN_KEY

FIRST_PAINT_MS = 1000
MONTH = "period=30d"
PAGES = [
    "/",
    f"/?{MONTH}",
    "/requests",
    f"/requests?{MONTH}&model=qwen3-8b-tuned",
    f"/requests?{MONTH}&order=costliest",
    "/costs",
    f"/costs?{MONTH}",
    f"/costs?{MONTH}&by=tenant",
    "/costs/statement/acme",
    "/models",
    f"/models?{MONTH}",
    "/tags",
    f"/tags?{MONTH}",
    "/tenants",
    "/tenants/acme",
    "/operations",
    "/alerts",
    "/playground",
    "/settings/keys",
    "/settings/environments",
    "/settings/tenants",
    "/settings/users",
    "/settings/privacy",
    "/settings/audit",
    "/api/docs",
    "/dashboard/components",
]
SECONDS = 150.0


class Plan(msgspec.Struct):
    origin: str
    key: str
    paths: list[str]
    rounds: int


class Painted(msgspec.Struct):
    ms: dict[str, list[float]]
    """By path, in order of the rounds; `sign in` is the page that follows the form."""


def run(lab: Lab, effort: Effort) -> Section:
    prepare()
    rounds = 3 if effort.name == "full" else 1
    with serving(lab) as gateway:
        plan = Plan(f"http://127.0.0.1:{gateway.port}", ADMIN_KEY, PAGES, rounds)
        with generators.under_way("bench.painter", plan, seconds=SECONDS) as painting:
            painted = painting.result(Painted)
    rows = [(path, *(number(round(ms)) for ms in (min(each), max(each)))) for path, each in painted.ms.items()]
    slowest = max(max(each) for each in painted.ms.values())
    return Section(
        "First paint",
        f"{CALLS:,} calls in SQLite; Chromium without a window, 1440 × 900, a context of its own for every page, so "
        f"that nothing is in its cache; `first-contentful-paint` as the browser says it, {rounds} times.",
        [Table(("page", "fastest ms", "slowest ms"), rows)],
        [Claim("slowest first contentful paint", slowest, FIRST_PAINT_MS, "ms")],
    )
