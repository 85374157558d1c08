"""`callgate tenants` and `callgate environments`: whose calls they are, and the secrets of production and the like."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click
import msgspec

from gateway.api.identity_record import environment_record, tenant_record
from gateway.cli.keys import OVERLAP_HELP, Duration, json_option
from gateway.cli.managed import actor, with_identity
from gateway.cli.options import config_option, data_option, load_for
from gateway.cli.table import table
from gateway.control.directory import Environment
from gateway.control.identity import Identity

tenant_option = click.option("--tenant", metavar="SLUG", help="Of this tenant; without it, of none.")


@click.group()
def tenants() -> None:
    """Create, list, change, suspend and delete tenants.

    A running gateway takes changes over within a second. Tenants declared in the configuration are changed there.
    """


@tenants.command("create")
@click.argument("slug")
@click.option("--name", default="", help="What people call it; SLUG, without one.")
@click.option("--note", default="", help="Whom to ask, what it is for.")
@config_option
@data_option
def create_tenant(slug: str, name: str, note: str, config: str | None, data: str | None) -> None:
    """Make the tenant SLUG, as keys, tags and the log call it."""

    async def work(identity: Identity) -> None:
        await identity.tenants.create(slug, name=name, note=note, actor=actor())

    asyncio.run(with_identity(load_for(config, data=data), work, create=True))
    click.echo(f"Made the tenant {slug}. `callgate keys create NAME --tenant {slug}` makes it a key.")


@tenants.command("list")
@json_option
@config_option
@data_option
def list_tenants(as_json: bool, config: str | None, data: str | None) -> None:
    """Show the tenants."""

    async def work(identity: Identity) -> Identity:
        return identity

    found = asyncio.run(with_identity(load_for(config, data=data), work)).directory.tenants
    records = [tenant_record(each) for _, each in sorted(found.items())]
    if as_json:
        for record in records:
            click.echo(msgspec.json.encode(record).decode())
        return
    rows = [
        (
            each.slug,
            each.name,
            "suspended" if each.suspended else "active",
            _source(each.declared, each.created_at),
            each.note,
        )
        for each in records
    ]
    _show(
        ("TENANT", "NAME", "STATE", "FROM", "NOTE"),
        rows,
        "There are no tenants. `callgate tenants create SLUG` makes one.",
    )


@tenants.command("change")
@click.argument("slug")
@click.option("--name", help="What people call it.")
@click.option("--note", help="Whom to ask, what it is for.")
@config_option
@data_option
def change_tenant(slug: str, name: str | None, note: str | None, config: str | None, data: str | None) -> None:
    """Change the name or note of a tenant."""

    async def work(identity: Identity) -> None:
        await identity.tenants.change(slug, name=name, note=note, actor=actor())

    asyncio.run(with_identity(load_for(config, data=data), work))
    click.echo(f"Changed {slug}.")


@tenants.command("suspend")
@click.argument("slug")
@config_option
@data_option
def suspend_tenant(slug: str, config: str | None, data: str | None) -> None:
    """Refuse all keys of a tenant until it is resumed. Calls under way end as they would."""

    async def work(identity: Identity) -> None:
        await identity.tenants.suspend(slug, actor=actor())

    asyncio.run(with_identity(load_for(config, data=data), work))
    click.echo(f"Suspended {slug}. A running gateway refuses its keys within a second.")


@tenants.command("resume")
@click.argument("slug")
@config_option
@data_option
def resume_tenant(slug: str, config: str | None, data: str | None) -> None:
    """Take the keys of a suspended tenant again."""

    async def work(identity: Identity) -> None:
        await identity.tenants.resume(slug, actor=actor())

    asyncio.run(with_identity(load_for(config, data=data), work))
    click.echo(f"Resumed {slug}. A running gateway takes its keys within a second.")


@tenants.command("delete")
@click.argument("slug")
@config_option
@data_option
def delete_tenant(slug: str, config: str | None, data: str | None) -> None:
    """Delete a tenant that has no keys, environments and people left. The log keeps its calls."""

    async def work(identity: Identity) -> None:
        await identity.tenants.delete(slug, actor=actor())

    asyncio.run(with_identity(load_for(config, data=data), work))
    click.echo(f"Deleted {slug}.")


# ------------------------------------------------------------------------------------------------ environments


@click.group()
def environments() -> None:
    """Create, list, rotate and delete environments.

    Each has one secret of its own, besides the keys that are made with names.
    """


@environments.command("create")
@click.argument("name")
@tenant_option
@click.option("--note", default="", help="What it is for.")
@config_option
@data_option
def create_environment(name: str, tenant: str | None, note: str, config: str | None, data: str | None) -> None:
    """Make the environment NAME and print its secret, which is shown this once."""

    async def work(identity: Identity) -> tuple[str, Environment]:
        return await identity.environments.create(name, tenant=tenant, note=note, actor=actor())

    _show_secret(asyncio.run(with_identity(load_for(config, data=data), work, create=True)))


@environments.command("list")
@json_option
@config_option
@data_option
def list_environments(as_json: bool, config: str | None, data: str | None) -> None:
    """Show the environments; never their secrets."""

    async def work(identity: Identity) -> Identity:
        return identity

    found = asyncio.run(with_identity(load_for(config, data=data), work)).directory.environments
    records = [environment_record(each) for _, each in sorted(found.items())]
    if as_json:
        for record in records:
            click.echo(msgspec.json.encode(record).decode())
        return
    rows = [(each.tenant or "any", each.name, _source(each.declared, each.created_at), each.note) for each in records]
    empty = "There are no environments. `callgate environments create NAME` makes one."
    _show(("TENANT", "ENVIRONMENT", "FROM", "NOTE"), rows, empty)


@environments.command("rotate")
@click.argument("name")
@tenant_option
@click.option("--overlap", type=Duration(), default="24h", show_default=True, metavar="FOR", help=OVERLAP_HELP)
@config_option
@data_option
def rotate_environment(name: str, tenant: str | None, overlap: int, config: str | None, data: str | None) -> None:
    """Give an environment a new secret and print it."""

    async def work(identity: Identity) -> tuple[str, Environment]:
        return await identity.environments.rotate(tenant, name, overlap_s=overlap, actor=actor())

    _show_secret(asyncio.run(with_identity(load_for(config, data=data), work)))


@environments.command("delete")
@click.argument("name")
@tenant_option
@config_option
@data_option
def delete_environment(name: str, tenant: str | None, config: str | None, data: str | None) -> None:
    """Delete an environment; its secret ends. The log keeps its calls."""

    async def work(identity: Identity) -> None:
        await identity.environments.delete(tenant, name, actor=actor())

    asyncio.run(with_identity(load_for(config, data=data), work))
    click.echo(f"Deleted {name}. A running gateway refuses its secret within a second.")


def _show_secret(made: tuple[str, Environment]) -> None:
    token, environment = made
    click.echo(token)
    click.echo(f"\nThe secret of {environment.id.lstrip('/')}. It is shown this once: only its hash is kept.", err=True)


def _source(declared: bool, created_at: str | None) -> str:
    return "configuration" if declared else (created_at or "")[:10]


def _show(head: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    if not rows:
        click.echo(empty)
        return
    for line in table(head, rows):
        click.echo(line)
