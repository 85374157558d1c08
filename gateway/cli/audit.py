"""`callgate audit`: who changed what, on the terminal and as a file."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import msgspec

from gateway.api.audit import as_csv, as_json_lines, exported
from gateway.api.filters import iso_time
from gateway.api.identity_record import audit_record
from gateway.cli.keys import json_option
from gateway.cli.opened import opened
from gateway.cli.options import config_option, data_option, load_for
from gateway.cli.table import table
from gateway.config import Loaded
from gateway.store.documents import AuditEntry

FORMATS = {"jsonl": as_json_lines, "csv": as_csv}


@click.group()
def audit() -> None:
    """List and export who changed what."""


@audit.command("list")
@click.option("--kind", metavar="KIND", help="Only of these: key, tenant, environment, user, session, …")
@click.option("--id", "doc_id", metavar="ID", help="Only of this one, e.g. a key's id or a tenant's slug.")
@click.option("--actor", metavar="WHO", help="Only by them: user:ID, key:NAME, cli:LOGIN, operator or system.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many, newest first.")
@json_option
@config_option
@data_option
def list_entries(
    kind: str | None,
    doc_id: str | None,
    actor: str | None,
    limit: int,
    as_json: bool,
    config: str | None,
    data: str | None,
) -> None:
    """Show the newest changes."""

    async def read(loaded: Loaded) -> list[AuditEntry]:
        async with opened(loaded) as store:
            return await store.audit(limit=limit, kind=kind, doc_id=doc_id, actor=actor)

    found = asyncio.run(read(load_for(config, data=data)))
    if as_json:
        for each in found:
            click.echo(msgspec.json.encode(audit_record(each)).decode())
        return
    if not found:
        click.echo("There is no such entry.")
        return
    rows = [
        (f"{iso_time(each.at)[:19]}Z", each.actor, each.action.replace("_", " "), each.kind, each.id, _changes(each))
        for each in found
    ]
    for line in table(("AT", "WHO", "DID", "WHAT", "ID", "CHANGES"), rows):
        click.echo(line)


@audit.command()
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="jsonl", show_default=True, help="What lines are."
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Else standard output.")
@config_option
@data_option
def export(form: str, output: Path | None, config: str | None, data: str | None) -> None:
    """Write all of it, newest first."""

    async def write(loaded: Loaded) -> None:
        with output.open("wb") if output is not None else nullcontext(sys.stdout.buffer) as file:
            async with opened(loaded) as store:
                async for piece in exported(store, FORMATS[form], head=form == "csv"):
                    file.write(piece)

    asyncio.run(write(load_for(config, data=data)))


def _changes(entry: AuditEntry) -> str:
    """`models: ["*"] → ["gpt-*"]` of what was changed; nothing of what was made or went."""
    if entry.before is None or entry.after is None:
        return ""
    before, after = (_fields(body) for body in (entry.before, entry.after))
    names = [name for name in after if after[name] != before.get(name)]
    shown = (f"{name}: {_said(name, before.get(name))} → {_said(name, after[name])}" for name in names)
    return ", ".join(shown)


def _fields(body: bytes) -> dict[str, Any]:
    found = msgspec.json.decode(body)
    return found if isinstance(found, dict) else {}


def _said(name: str, value: Any) -> str:
    if name.endswith("_at") and isinstance(value, int):
        return f"{iso_time(value)[:19]}Z"
    return msgspec.json.encode(value).decode()
