"""`callgate keys`: make, list, change, rotate and revoke gateway keys, in the store of this machine.

A running gateway takes over what changes within a second.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Set
from typing import TypeVar

import click
import msgspec
from msgspec import UNSET

from gateway.api.filters import iso_time
from gateway.api.identity_record import key_record
from gateway.cli.managed import actor, with_identity
from gateway.cli.options import config_option, data_option, load_for
from gateway.cli.table import facts, table
from gateway.config import Loaded
from gateway.control.key_bounds import Bounds
from gateway.control.keys import Keyring, key_state, now_us
from gateway.core.key import ALL, ROLES, Key

T = TypeVar("T")
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d{1,6})([smhdw])\Z")


class Duration(click.ParamType[int]):
    """`90s`, `15m`, `12h`, `30d`, `2w`, as seconds."""

    name = "duration"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if value == "0":
            return 0
        match = _DURATION.match(value)
        if match is None:
            self.fail(f"{value!r} is no duration. Write it as 90s, 15m, 12h, 30d or 2w.", param, ctx)
        return int(match[1]) * UNITS_S[match[2]]


class Expiry(Duration):
    """A duration, or `never`."""

    name = "expiry"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return NEVER if value == "never" else super().convert(value, param, ctx)


NEVER = -1
ROLE_HELP = "app calls models and reads its own requests; viewer reads; admin does everything."
OVERLAP_HELP = "How long the old secret still works; 0 ends it now."
json_option = click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")


@click.group()
def keys() -> None:
    """Create, list, change, rotate and revoke gateway keys.

    A running gateway takes changes over within a second. Keys declared in the configuration are changed there.
    """


@keys.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="app", show_default=True, help=ROLE_HELP)
@click.option("--tenant", metavar="NAME", help="Its calls belong to this tenant, and it sees no other.")
@click.option("--environment", metavar="NAME", help="As --tenant, for the environment.")
@click.option("--model", "models", multiple=True, metavar="PATTERN", help="Models it may use, e.g. 'gpt-*'.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Default tags of its calls.")
@click.option("--endpoint", "endpoints", multiple=True, metavar="PATTERN", help="Paths it may call: /v1/embeddings.")
@click.option("--allow-config", "configs", multiple=True, metavar="PATTERN", help="Configs it may be served with.")
@click.option("--network", "networks", multiple=True, metavar="RANGE", help="Where it may be used: 10.0.0.0/8.")
@click.option("--expires", type=Duration(), metavar="IN", help="How long it works, e.g. 30d.")
@json_option
@config_option
@data_option
def create(
    name: str,
    role: str,
    tenant: str | None,
    environment: str | None,
    models: tuple[str, ...],
    tags: tuple[str, ...],
    endpoints: tuple[str, ...],
    configs: tuple[str, ...],
    networks: tuple[str, ...],
    expires: int | None,
    as_json: bool,
    config: str | None,
    data: str | None,
) -> None:
    """Make a key named NAME and print its secret, which is shown this once."""

    async def work(keyring: Keyring) -> tuple[str, Key]:
        return await keyring.create(
            name,
            role=role,
            tenant=tenant,
            environment=environment,
            models=models or ("*",),
            tags=_tags(tags),
            expires_at=None if expires is None else now_us() + expires * 1_000_000,
            endpoints=endpoints or ("*",),
            configs=configs or ("*",),
            networks=networks,
            actor=actor(),
        )

    token, key = asyncio.run(_with(load_for(config, data=data), work, create=True))
    _show_secret(token, key, as_json)


@keys.command("list")
@click.option("--all", "everything", is_flag=True, help="Revoked and expired ones too.")
@json_option
@config_option
@data_option
def list_keys(everything: bool, as_json: bool, config: str | None, data: str | None) -> None:
    """Show the keys; never their secrets, only the last four characters."""

    async def work(keyring: Keyring) -> tuple[list[Key], Set[str]]:
        return keyring.keys(), keyring.suspended

    at = now_us()
    found, suspended = asyncio.run(_with(load_for(config, data=data), work))
    shown = [key for key in found if everything or key_state(key, at) == "active"]
    if as_json:
        for key in shown:
            click.echo(msgspec.json.encode(key_record(key, {})).decode())
        return
    if not shown:
        click.echo("There are no keys. `callgate keys create NAME` makes one.")
        return
    rows = [
        (
            key.name,
            key.role,
            key.tenant or "any",
            key.environment or "any",
            " ".join(key.models),
            f"…{key.hint}",
            "tenant suspended" if key.tenant in suspended else _until(key, at),
            "configuration" if key.declared else iso_time(key.created_at)[:10],
            key.key_id,
        )
        for key in shown
    ]
    for line in table(("NAME", "ROLE", "TENANT", "ENVIRONMENT", "MODELS", "KEY", "STATE", "FROM", "ID"), rows):
        click.echo(line)
    if len(shown) < len(found):
        click.echo(f"\n{len(found) - len(shown)} revoked or expired; --all shows them.")


@keys.command()
@click.argument("which", metavar="NAME|ID")
@click.option("--name", metavar="NAME", help="What it is called from now on.")
@click.option(
    "--model", "models", multiple=True, metavar="PATTERN", help="Models it may use, in place of those before."
)
@click.option("--endpoint", "endpoints", multiple=True, metavar="PATTERN", help="Paths it may call, likewise.")
@click.option("--allow-config", "configs", multiple=True, metavar="PATTERN", help="Configs it may be served with.")
@click.option("--network", "networks", multiple=True, metavar="RANGE", help="Where it may be used; 'any' for anywhere.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Default tags; 'none' for none.")
@click.option("--expires", type=Expiry(), metavar="IN", help="How long it works from now, e.g. 30d; 'never'.")
@json_option
@config_option
@data_option
def change(
    which: str,
    name: str | None,
    models: tuple[str, ...],
    endpoints: tuple[str, ...],
    configs: tuple[str, ...],
    networks: tuple[str, ...],
    tags: tuple[str, ...],
    expires: int | None,
    as_json: bool,
    config: str | None,
    data: str | None,
) -> None:
    """Change what a key may do. What is not given stays; its secret, role, tenant and environment do in any case."""
    bounds = Bounds(
        name=UNSET if name is None else name,
        models=models or UNSET,
        endpoints=endpoints or UNSET,
        configs=configs or UNSET,
        networks=() if networks == ("any",) else networks or UNSET,
        tags={} if tags == ("none",) else _tags(tags) or UNSET,
        expires_at=UNSET if expires is None else _expiry(expires),
    )
    if bounds == Bounds():
        raise click.UsageError("Say what is to change, e.g. --model 'gpt-*'. `--help` shows what can.")

    async def work(keyring: Keyring) -> Key:
        return await keyring.change(which, bounds, actor=actor())

    key = asyncio.run(_with(load_for(config, data=data), work))
    if as_json:
        click.echo(msgspec.json.encode(key_record(key, {})).decode())
        return
    click.echo(f"Changed {key.name} (…{key.hint}). A running gateway goes by it within a second.")
    for line in facts(_bounds(key), indent="  "):
        click.echo(line)


@keys.command()
@click.argument("which", metavar="NAME|ID")
@config_option
@data_option
def revoke(which: str, config: str | None, data: str | None) -> None:
    """End a key, and the sessions signed in with it."""

    async def work(keyring: Keyring) -> Key:
        return await keyring.revoke(which, actor=actor())

    key = asyncio.run(_with(load_for(config, data=data), work))
    click.echo(f"Revoked {key.name} (…{key.hint}). A running gateway refuses it within a second.")


@keys.command()
@click.argument("which", metavar="NAME|ID")
@click.option("--overlap", type=Duration(), default="24h", show_default=True, metavar="FOR", help=OVERLAP_HELP)
@json_option
@config_option
@data_option
def rotate(which: str, overlap: int, as_json: bool, config: str | None, data: str | None) -> None:
    """Give a key a new secret. Its id stays, so that the log and limits go on under it."""

    async def work(keyring: Keyring) -> tuple[str, Key]:
        return await keyring.rotate(which, overlap_s=overlap, actor=actor())

    token, key = asyncio.run(_with(load_for(config, data=data), work))
    _show_secret(token, key, as_json)
    if not as_json:
        ends = iso_time(now_us() + overlap * 1_000_000)[:19]
        click.echo(f"The old secret works until {ends}Z." if overlap else "The old secret has ended.")


async def _with(loaded: Loaded, work: Callable[[Keyring], Awaitable[T]], *, create: bool = False) -> T:
    return await with_identity(loaded, lambda identity: work(identity.keyring), create=create)


def _tags(pairs: tuple[str, ...]) -> dict[str, str]:
    split = [pair.partition("=") for pair in pairs]
    wrong = next(("".join(parts) for parts in split if not parts[0] or not parts[1]), None)
    if wrong is not None:
        raise click.BadParameter(f"{wrong!r} is no tag. Write it as KEY=VALUE.", param_hint="--tag")
    return {name: value for name, _, value in split}


def _expiry(seconds: int) -> int | None:
    """µs UTC; None for never."""
    return None if seconds == NEVER else now_us() + seconds * 1_000_000


def _bounds(key: Key) -> list[tuple[str, str | None]]:
    return [
        ("role", key.role),
        ("tenant", key.tenant),
        ("environment", key.environment),
        ("models", None if key.models == ALL else " ".join(key.models)),
        ("endpoints", None if key.endpoints == ALL else " ".join(key.endpoints)),
        ("configs", None if key.configs == ALL else " ".join(key.configs)),
        ("networks", " ".join(key.networks) or None),
        ("tags", " ".join(f"{name}={value}" for name, value in key.tags.items()) or None),
        ("expires", None if key.expires_at is None else f"{iso_time(key.expires_at)[:19]}Z"),
        ("id", key.key_id),
    ]


def _show_secret(token: str, key: Key, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode({"secret": token, **msgspec.to_builtins(key_record(key, {}))}).decode())
        return
    click.echo(token)
    click.echo(err=True)
    for line in facts([("name", key.name), *_bounds(key)], indent="  "):
        click.echo(line, err=True)
    click.echo("\nThe line above is the secret. It is shown this once: only its hash is kept.", err=True)


def _until(key: Key, at_us: int) -> str:
    state = key_state(key, at_us)
    if state == "active" and key.expires_at is not None:
        return f"until {iso_time(key.expires_at)[:16]}Z"
    return state
