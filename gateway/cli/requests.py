"""`callgate requests`: list, show, follow and export what is in the log, from the store of this machine.

Filters are those of the API's query strings, one `name=value` a word (`gateway.api.filters`).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO

import click

from gateway.api.export import FORMATS, exported
from gateway.api.filters import ORDERS, parse_filter
from gateway.api.matching import matches
from gateway.api.record import detail_of, encode, record_of
from gateway.cli.lazy import Lazy, LazyGroup
from gateway.cli.opened import opened
from gateway.cli.options import config_option, data_option, load_for
from gateway.cli.request_sheet import HEAD, RIGHT, WIDTHS, row, sheet
from gateway.cli.table import table
from gateway.config import Loaded
from gateway.control.keys import now_us
from gateway.core.span import Span
from gateway.store.base import SpanDetail, SpanFilter, Store

FILTER_HELP = """

    FILTER is name=value, as in the API: model, provider, tenant, environment, status (ok, error, 429, 5xx, timeout),
    stream, kind, user, session, trace, key, min_latency_ms, min_cost_usd, min_input_tokens (and max_…), q (free text),
    tag.KEY, and for the time period=24h or from= and to=. The same name twice: either value.
"""
FILE = click.Path(dir_okay=False, path_type=Path)
PAGE = 1000
DEADLETTER = "Rows that the store refused: see what they are, try them again."


def with_filter_help(command: Callable[..., None]) -> Callable[..., None]:
    command.__doc__ = (command.__doc__ or "") + FILTER_HELP
    return command


filters_argument = click.argument("filters", metavar="[FILTER]...", nargs=-1)
json_option = click.option("--json", "as_json", is_flag=True, help="Records as JSON, one a line.")


@click.group(
    cls=LazyGroup,
    lazy={
        "list": Lazy("gateway.cli.requests:list_requests", "Show the newest calls."),
        "show": Lazy("gateway.cli.requests:show", "Show one call with its bodies."),
        "tail": Lazy("gateway.cli.requests:tail", "Follow calls as they are written to the log."),
        "export": Lazy("gateway.cli.requests:export", "Write all calls of a filter to a file."),
        "deadletter": Lazy("gateway.cli.deadletter:deadletter", DEADLETTER),
    },
)
def requests() -> None:
    """List, show, follow and export what is in the log."""


@click.command("list")
@filters_argument
@click.option("-n", "--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many.")
@click.option("--order", type=click.Choice(ORDERS), default="newest", show_default=True, help="Which first.")
@json_option
@config_option
@data_option
@with_filter_help
def list_requests(
    filters: tuple[str, ...], limit: int, order: str, as_json: bool, config: str | None, data: str | None
) -> None:
    """Show the newest calls, or the slowest or costliest."""
    which = read_filter(filters)
    spans, more = asyncio.run(_list(load_for(config, data=data), which, limit, order))
    if as_json:
        for span in spans:
            click.echo(encode(record_of(span)))
        return
    if not spans:
        click.echo("No calls match." if which != SpanFilter() else "No calls yet.")
        return
    for line in table(HEAD, map(row, spans), right=RIGHT):
        click.echo(line)
    if more:
        click.echo(f"\n{limit} shown, there are more: -n shows more, `callgate requests export` writes all.", err=True)


@click.command()
@click.argument("request_id", metavar="ID")
@click.option("--full", is_flag=True, help="Whole bodies, not only their beginning.")
@click.option("--json", "as_json", is_flag=True, help="The record as JSON, bodies included.")
@config_option
@data_option
def show(request_id: str, full: bool, as_json: bool, config: str | None, data: str | None) -> None:
    """Show one call: what was asked and answered, tokens, cost, attempts, times."""

    async def work(store: Store) -> SpanDetail | None:
        return await store.span(request_id.strip())

    detail = asyncio.run(_with(load_for(config, data=data), work))
    if detail is None:
        raise click.ClickException(
            f"there is no call {request_id!r} in the log. `callgate requests list` shows ids; a call is written up to "
            "log.flush_interval_ms after its end."
        )
    if as_json:
        click.echo(encode(detail_of(detail)))
        return
    for line in sheet(detail, full=full):
        click.echo(line)


@click.command()
@filters_argument
@click.option("-n", "--last", type=click.IntRange(0, PAGE), default=10, show_default=True, help="Show these before.")
@json_option
@config_option
@data_option
@with_filter_help
def tail(filters: tuple[str, ...], last: int, as_json: bool, config: str | None, data: str | None) -> None:
    """Follow calls as they are written to the log, until interrupted."""
    which = read_filter(filters)
    asyncio.run(_tail(load_for(config, data=data), which, last, as_json))


@click.command()
@filters_argument
@click.option("--format", "form", type=click.Choice(tuple(FORMATS)), help="Default: by FILE's name, else jsonl.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Default: standard output."
)
@config_option
@data_option
@with_filter_help
def export(
    filters: tuple[str, ...], form: str | None, output: Path | None, config: str | None, data: str | None
) -> None:
    """Write all calls of a filter as CSV, JSON lines or Parquet."""
    named = output.suffix.lstrip(".").lower() if output else ""
    chosen = form or (named if named in FORMATS else "jsonl")
    if output is None and chosen == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for terminals: name a file with --output, or send it to one.")
    loaded, which = load_for(config, data=data), read_filter(filters)
    if output is None:
        asyncio.run(_export(loaded, which, chosen, sys.stdout.buffer))
        return
    draft = output.with_name(output.name + ".part")
    try:
        with draft.open("wb") as file:
            asyncio.run(_export(loaded, which, chosen, file))
        draft.replace(output)  # a file of that name is whole
    except OSError as exc:
        raise click.ClickException(f"{output} cannot be written: {exc.strerror or exc}") from exc
    finally:
        draft.unlink(missing_ok=True)


def read_filter(words: tuple[str, ...]) -> SpanFilter:
    """Raises UsageError for a word without `=`, CallError for what a parameter cannot mean."""
    for word in words:
        if "=" not in word:
            raise click.UsageError(f"{word!r} is no filter. Write name=value, e.g. model=gpt-5 or q={word!r}.")
    pairs = [word.partition("=") for word in words]
    return parse_filter([(name, value) for name, _, value in pairs], now_us=now_us())


async def _with(loaded: Loaded, work: Callable[[Store], Any]) -> Any:
    async with opened(loaded) as store:
        return await work(store)


async def _list(loaded: Loaded, which: SpanFilter, limit: int, order: str) -> tuple[list[Span], bool]:
    spans: list[Span] = []
    cursor: str | None = None
    async with opened(loaded) as store:
        while len(spans) < limit:
            page = await store.spans(which, limit=min(PAGE, limit - len(spans)), cursor=cursor, order=order)
            spans += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
    return spans, cursor is not None


async def _tail(loaded: Loaded, which: SpanFilter, last: int, as_json: bool) -> None:
    head_shown = False
    async with opened(loaded) as store:
        async for spans in _written(store, which, last):
            if as_json:
                for span in spans:
                    click.echo(encode(record_of(span)))
            else:
                # Columns have a least width, since nobody knows yet how wide the next call's will be.
                lines = table(HEAD, map(row, spans), right=RIGHT, least=WIDTHS)
                click.echo("\n".join(lines[1 if head_shown else 0 :]))
                head_shown = True


async def _written(store: Store, which: SpanFilter, last: int, interval_s: float = 0.5) -> AsyncIterator[list[Span]]:
    """The last calls, then those that are written, as they are."""
    mark = (await store.tail(None)).mark
    if last:
        before = (await store.spans(which, limit=last)).items
        if before:
            yield before[::-1]
    while True:
        found = await store.tail(mark, limit=PAGE)
        spans = [span for _, span in found.items if matches(which, span)]
        if spans:
            yield spans
        mark = found.mark
        if len(found.items) < PAGE:
            await asyncio.sleep(interval_s)


async def _export(loaded: Loaded, which: SpanFilter, form: str, out: BinaryIO) -> None:
    async with opened(loaded) as store:
        async for chunk in exported(store, which, FORMATS[form]):
            out.write(chunk)
    out.flush()
