"""`callgate prices`: explain a price, take over a newer price file, compare it, recompute the costs of the past."""

from __future__ import annotations

import asyncio
import ssl
import time
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

import click
import httpx

from gateway.cli.managed import note
from gateway.cli.options import config_option, data_option, load_for
from gateway.cli.price_check import check
from gateway.cli.price_sheet import calls, refresh_report, repricing_table, sheet
from gateway.config import Loaded
from gateway.control.catalog import load_catalog
from gateway.control.reprice import Preview, preview, write
from gateway.core.providers import KNOWN
from gateway.core.routing import Names
from gateway.store import open_store
from gateway.store.base import SpanFilter, Store
from pricing import Catalog, Price
from pricing.edition import prices_path
from pricing.refresh import commit, prepare

PRICE_LIST = "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json"
_LARGEST_FILE = 64 * 1024 * 1024
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

when = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.group()
def prices() -> None:
    """Explain prices, refresh and compare them, recompute costs."""


prices.add_command(check)


@prices.command()
@click.argument("model")
@click.option("--provider", metavar="NAME", help="Whose price; else the first provider that has the model.")
@click.option("--at", "at", type=when, metavar="DATE", help="The price of that time (UTC), instead of now's.")
@config_option
@data_option
def show(model: str, provider: str | None, at: datetime | None, config: str | None, data: str | None) -> None:
    """Explain the price of MODEL (a name, an alias, or provider/name)."""
    loaded = load_for(config, data=data)
    catalog = _catalog(loaded)
    owner, name = _resolved(loaded, catalog, model, provider)
    price = catalog.find(owner, name, _microseconds(at) if at else time.time_ns() // 1000)
    if price is None:
        raise click.ClickException(_unknown(catalog, owner, name, at))
    for line in sheet(price, catalog.source, _other_times(catalog, owner, name, price)):
        click.echo(line)


@prices.command()
@click.option("--from", "source", metavar="FILE|URL", default=PRICE_LIST, help="Default: litellm's current price file.")
@config_option
@data_option
def refresh(source: str, config: str | None, data: str | None) -> None:
    """Take over a newer price file, after checking it.

    Prices that change keep their old value for the calls of the past. A file that is damaged, too short or states
    impossible prices is refused and changes nothing.
    """
    folder = load_for(config, data=data).data
    content = _fetched(source) if "://" in source else _read(Path(source))
    try:
        taken = prepare(folder, content, source, time.time_ns() // 1000)
    except ValueError as error:
        raise click.ClickException(f"{source} is refused, nothing was changed:\n{error}") from error
    commit(folder, taken)
    for line in refresh_report(taken):
        click.echo(line)
    click.echo(
        f"In force from now on, in {prices_path(folder)}. A running gateway takes it over when it reloads (SIGHUP)."
    )


@prices.command()
@click.option("--since", type=when, required=True, metavar="DATE", help="Calls from this time on (UTC).")
@click.option("--until", type=when, metavar="DATE", help="Calls before this time (UTC).")
@click.option("--model", multiple=True, metavar="NAME", help="Only calls that asked for or were answered by it.")
@click.option("--yes", is_flag=True, help="Write without asking.")
@config_option
@data_option
def reprice(
    since: datetime,
    until: datetime | None,
    model: tuple[str, ...],
    yes: bool,
    config: str | None,
    data: str | None,
) -> None:
    """Recompute costs from stored usage, with the price valid at the time of each call.

    Shows the difference, by model, and writes only after a yes.
    """
    loaded = load_for(config, data=data)
    catalog = _catalog(loaded)
    end = _microseconds(until) if until else time.time_ns() // 1000
    which = SpanFilter(from_us=_microseconds(since), to_us=end, model=model)
    asyncio.run(_reprice(loaded, catalog, which, yes=yes))


async def _reprice(loaded: Loaded, catalog: Catalog, which: SpanFilter, *, yes: bool) -> None:
    store = open_store(loaded.settings.store.url, loaded.data)
    await store.connect()
    try:
        await _reprice_in(store, loaded, catalog, which, yes=yes)
    finally:
        await store.close()


async def _reprice_in(store: Store, loaded: Loaded, catalog: Catalog, which: SpanFilter, *, yes: bool) -> None:
    markup = loaded.settings.prices.markup_percent
    found = await preview(store, catalog, markup, which)
    _show_preview(found)
    if not found.total.calls:
        return
    if not yes and not await asyncio.to_thread(click.confirm, "Write these costs?"):
        click.echo("Nothing was written.")
        return
    written = await write(store, catalog, markup, which)
    days = [f"{datetime.fromtimestamp(us / 1_000_000, UTC):%Y-%m-%d}" for us in (which.from_us, which.to_us) if us]
    await note(store, "repriced", "costs", " to ".join(days), {"calls": written, "models": list(which.model)})
    click.echo(f"New costs written: {calls(written)}.")


def _show_preview(found: Preview) -> None:
    click.echo(f"{calls(found.seen)} with usage; another cost for {found.total.calls:,} of them.")
    for line in repricing_table(found):
        click.echo(line)


def _catalog(loaded: Loaded) -> Catalog:
    catalog = load_catalog(loaded.settings, loaded.data)
    if catalog.problem:
        click.echo(f"warning: {catalog.problem}", err=True)
    return catalog


def _resolved(loaded: Loaded, catalog: Catalog, model: str, provider: str | None) -> tuple[str, str]:
    """(provider, its name for the model), as the gateway would route it; then any provider it knows of."""
    model = Names(loaded.settings.models).meaning(model).name
    if provider is not None:
        return provider, model
    prefix, _, rest = model.partition("/")
    if rest and (prefix in loaded.settings.providers or prefix in KNOWN):
        return prefix, rest
    candidates = dict.fromkeys([*loaded.settings.providers, *KNOWN])
    return catalog.claims(model, candidates) or loaded.settings.default_provider or "", model


def _unknown(catalog: Catalog, provider: str, model: str, at: datetime | None) -> str:
    then = f" on {at:%Y-%m-%d}" if at else ""
    of = f" of {provider!r}" if provider else ""
    near = get_close_matches(model, catalog.models(provider), n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return (
        f"no price is known for {model!r}{of}{then}: its calls are counted as unpriced.{hint}"
        f" State one under prices.overrides, or run `callgate prices refresh`."
    )


def _other_times(catalog: Catalog, provider: str, model: str, shown: Price) -> list[Price]:
    found = [price for period in catalog.periods(provider, model) for price in (period.price, period.cheap) if price]
    return [price for price in found if price.price_id != shown.price_id]


def _microseconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp()) * 1_000_000


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}") from error


def _fetched(url: str) -> bytes:
    """The file behind an https address. Raises ClickException with the reason where it cannot be had."""
    try:
        address = urlsplit(url)
    except ValueError as error:
        raise click.ClickException(f"{url} is no address: {error}") from error
    if address.scheme != "https" and address.hostname not in _LOOPBACK:
        raise click.ClickException(f"{url}: prices are money; only https is trusted with them")
    try:
        with httpx.stream(
            "GET", url, timeout=30, follow_redirects=False, verify=ssl.create_default_context()
        ) as answer:
            if answer.status_code != httpx.codes.OK:
                raise click.ClickException(f"{url} answered {answer.status_code}; the prices stay as they are")
            data = bytearray()
            for chunk in answer.iter_bytes():
                data += chunk
                if len(data) > _LARGEST_FILE:
                    raise click.ClickException(f"{url} is larger than any price file; the prices stay as they are")
            return bytes(data)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise click.ClickException(f"{url} cannot be reached: {error}; the prices stay as they are") from error
