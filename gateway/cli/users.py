"""`callgate users`: people who sign in to the dashboard; also the way back in for who forgot the only password."""

from __future__ import annotations

import asyncio

import click
import msgspec

from gateway.api.filters import iso_time
from gateway.api.identity_record import user_record
from gateway.cli.keys import json_option
from gateway.cli.managed import actor, with_identity
from gateway.cli.options import config_option, data_option, load_for
from gateway.cli.table import table
from gateway.control.directory import User
from gateway.control.identity import Identity
from gateway.control.people import PERSON_ROLES, UNSET
from gateway.control.signed_in import SignedIn

ROLE_HELP = "admin does everything; member reads and makes keys for applications; viewer reads."
password_option = click.option("--password", help="At least 12 characters; asked for where it is not given.")


@click.group()
def users() -> None:
    """Add, list, change, sign out and delete people; set their passwords.

    A running gateway takes changes over within a second. People declared in the configuration are changed there.
    """


@users.command()
@click.argument("email")
@click.option("--role", type=click.Choice(PERSON_ROLES), default="viewer", show_default=True, help=ROLE_HELP)
@click.option("--name", default="", help="What pages call them.")
@click.option("--tenant", metavar="SLUG", help="Sees this tenant only.")
@click.option("--no-password", is_flag=True, help="They come in by single sign-on.")
@password_option
@config_option
@data_option
def create(
    email: str,
    role: str,
    name: str,
    tenant: str | None,
    no_password: bool,
    password: str | None,
    config: str | None,
    data: str | None,
) -> None:
    """Add the person with the address EMAIL."""
    chosen = None if no_password else password or _asked()

    async def work(identity: Identity) -> User:
        return await identity.people.create(email, role=role, name=name, tenant=tenant, password=chosen, actor=actor())

    user = asyncio.run(with_identity(load_for(config, data=data), work, create=True))
    click.echo(f"Added {user.email} ({user.role}).")


@users.command("list")
@json_option
@config_option
@data_option
def list_users(as_json: bool, config: str | None, data: str | None) -> None:
    """Show the people."""

    async def work(identity: Identity) -> Identity:
        return identity

    found = asyncio.run(with_identity(load_for(config, data=data), work)).directory.users.values()
    records = [user_record(user) for user in sorted(found, key=lambda user: user.email)]
    if as_json:
        for record in records:
            click.echo(msgspec.json.encode(record).decode())
        return
    if not records:
        click.echo("There is nobody yet. `callgate users create EMAIL --role admin` adds somebody.")
        return
    rows = [
        (
            each.email,
            each.name,
            each.role,
            each.tenant or "everything",
            "disabled" if each.disabled else "active",
            "configuration" if each.declared else (each.created_at or "")[:10],
        )
        for each in records
    ]
    for line in table(("E-MAIL", "NAME", "ROLE", "SEES", "STATE", "FROM"), rows):
        click.echo(line)


@users.command()
@click.argument("email")
@click.option("--role", type=click.Choice(PERSON_ROLES), help=ROLE_HELP)
@click.option("--name", help="What pages call them.")
@click.option("--tenant", metavar="SLUG", help="Sees this tenant only; an empty one: everything.")
@click.option("--disable/--enable", "disabled", default=None, help="Whether they may sign in.")
@config_option
@data_option
def change(
    email: str,
    role: str | None,
    name: str | None,
    tenant: str | None,
    disabled: bool | None,
    config: str | None,
    data: str | None,
) -> None:
    """Change what somebody may do."""

    async def work(identity: Identity) -> User:
        return await identity.people.change(
            email, role=role, name=name, tenant=UNSET if tenant is None else tenant, disabled=disabled, actor=actor()
        )

    user = asyncio.run(with_identity(load_for(config, data=data), work))
    state = "disabled" if user.disabled_at is not None else "active"
    click.echo(f"{user.email} is {user.role}, sees {user.tenant or 'everything'}, and is {state}.")


@users.command()
@click.argument("email")
@password_option
@config_option
@data_option
def password(email: str, password: str | None, config: str | None, data: str | None) -> None:
    """Set somebody's password; their sessions end."""
    chosen = password or _asked()

    async def work(identity: Identity) -> User:
        return await identity.people.set_password(email, chosen, actor=actor())

    user = asyncio.run(with_identity(load_for(config, data=data), work))
    click.echo(f"{user.email} has a new password.")


@users.command()
@click.argument("email")
@json_option
@config_option
@data_option
def sessions(email: str, as_json: bool, config: str | None, data: str | None) -> None:
    """Show where somebody is signed in to the dashboard."""

    async def work(identity: Identity) -> list[SignedIn]:
        return await identity.sessions.book.of(identity.people.get(email))

    found = asyncio.run(with_identity(load_for(config, data=data), work))
    if as_json:
        for each in found:
            click.echo(msgspec.json.encode(each).decode())
        return
    if not found:
        click.echo(f"{email} is signed in nowhere.")
        return
    rows = [
        (each.browser or "unknown", each.address, f"{iso_time(each.began_at)[:16]}Z", each.session_id) for each in found
    ]
    for line in table(("BROWSER", "ADDRESS", "SINCE", "ID"), rows):
        click.echo(line)


@users.command("sign-out")
@click.argument("email")
@click.option("--session", "session_id", metavar="ID", help="This one only; without it, everywhere.")
@config_option
@data_option
def sign_out(email: str, session_id: str | None, config: str | None, data: str | None) -> None:
    """End the sessions of somebody, or one of them. API tokens stay."""

    async def work(identity: Identity) -> User:
        user = identity.people.get(email)
        if session_id is None:
            return await identity.people.end_sessions(user.user_id, actor=actor())
        await identity.sessions.book.end(user, session_id, actor=actor())
        return user

    user = asyncio.run(with_identity(load_for(config, data=data), work))
    what = "everywhere" if session_id is None else f"of {session_id}"
    click.echo(f"{user.email} is signed out {what}. A running gateway goes by it within a second.")


@users.command()
@click.argument("email")
@config_option
@data_option
def delete(email: str, config: str | None, data: str | None) -> None:
    """Delete a person with their sessions, API tokens and playground conversations."""

    async def work(identity: Identity) -> User:
        return await identity.people.delete(email, actor=actor())

    user = asyncio.run(with_identity(load_for(config, data=data), work))
    click.echo(f"Deleted {user.email}.")


def _asked() -> str:
    answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return answer
