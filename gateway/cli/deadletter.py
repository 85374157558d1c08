"""`callgate requests deadletter`: the rows that the store refused, and another try for them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import click
import msgspec

from gateway.cli.managed import note
from gateway.cli.options import config_option, data_option, load_for
from gateway.config import Loaded
from gateway.recorder.deadletter import DeadLetter, DeadLetters
from gateway.store import open_store
from gateway.store.sealing import sealer_of


@click.group()
def deadletter() -> None:
    """Rows that the store refused: see what they are, try them again."""


@deadletter.command("list")
@click.option("--json", "as_json", is_flag=True, help="Whole rows, one JSON object a line.")
@config_option
@data_option
def list_letters(as_json: bool, config: str | None, data: str | None) -> None:
    """List them, oldest first, with the reason."""
    letters = DeadLetters(load_for(config, data=data).data).read()
    for letter in letters:
        click.echo(msgspec.json.encode(letter).decode() if as_json else _line(letter))
    if not letters:
        click.echo("There are none: every row is in the store.", err=as_json)


@deadletter.command()
@config_option
@data_option
def retry(config: str | None, data: str | None) -> int:
    """Write them to the store again. What it still refuses stays."""
    loaded = load_for(config, data=data)
    stored, left = asyncio.run(_retry(loaded))
    click.echo(f"{stored} rows are in the store now, {left} stay.")
    return 1 if left else 0


async def _retry(loaded: Loaded) -> tuple[int, int]:
    store = open_store(loaded.settings.store.url, loaded.data, sealer_of(loaded.settings.privacy.encryption))
    await store.connect()
    try:
        stored, left = await DeadLetters(loaded.data).retry(store)
        await note(store, "retried", "dead_letters", "all", {"stored": stored, "left": left})
        return stored, left
    finally:
        await store.close()


def _line(letter: DeadLetter) -> str:
    at = datetime.fromtimestamp(letter.at / 1_000_000, UTC).isoformat(timespec="seconds")
    if letter.row is None:
        return f"{at}  {len(letter.frame or b'')} bytes of the journal  {letter.error}"
    span = letter.row.span
    return f"{at}  {span.request_id}  {span.model or span.model_requested or '-'}  {letter.error}"
