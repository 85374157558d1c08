"""`callgate demo`: a month of made-up traffic, written the way real traffic is."""

from __future__ import annotations

import asyncio
import time
from itertools import islice
from pathlib import Path

import click

from gateway.cli.options import config_option, data_option, load_for
from gateway.control.catalog import load_catalog
from gateway.demo.month import Month, month
from gateway.store import open_store
from gateway.store.base import Batch, SpanWrite, Store
from pricing import Catalog

BATCH = 1000


@click.command()
@click.option("--calls", type=click.IntRange(1), default=20_000, show_default=True, help="How many calls.")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, help="Over how many days, to now.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same traffic.")
@config_option
@data_option
def demo(calls: int, days: int, seed: int, config: str | None, data: str | None) -> None:
    """Fill a store with a month of made-up traffic, to look at the dashboard.

    What is in the store stays; give --data to keep it apart from the real log.
    """
    settings = load_for(config, data=data).settings
    folder = Path(settings.server.data)
    plan = Month(calls, time.time_ns() // 1000, days, seed)
    began = time.monotonic()
    written = asyncio.run(_fill(open_store(settings.store.url, folder), plan, load_catalog(settings, folder)))
    took = max(time.monotonic() - began, 1e-3)
    click.echo(f"{written:,} calls over {days} days in {folder} ({written / took:,.0f} rows/s).")
    click.echo(f"Look at them: callgate serve{f' --data {data}' if data else ''}")


async def _fill(store: Store, plan: Month, catalog: Catalog) -> int:
    await store.connect()
    written = 0
    try:
        calls = month(plan, catalog)
        while batch := [SpanWrite(span, payload) for span, payload in islice(calls, BATCH)]:
            written += (await store.write(Batch(spans=batch))).new
    finally:
        await store.close()
    return written
