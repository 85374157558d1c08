"""`callgate privacy`: policies, erasing, the keys that seal bodies, and trying redaction."""

from __future__ import annotations

import asyncio
import base64
import secrets
import sys
from collections import Counter
from typing import Any

import click
import msgspec

from gateway.api.privacy import policy_records
from gateway.cli.keys import json_option
from gateway.cli.managed import actor, note
from gateway.cli.opened import opened
from gateway.cli.options import config_option, data_option, load_for
from gateway.cli.table import table
from gateway.config import Loaded
from gateway.control.erasure import Certificate, Erasure
from gateway.control.identity import Identity
from gateway.control.privacy import Policies
from gateway.control.secret import load_secret
from gateway.core.capture import LEVELS
from gateway.core.sealing import KEY_BYTES
from gateway.recorder.redaction import Redactor
from gateway.settings.privacy import PrivacyPolicy
from gateway.store.erasing import Resealed, Subject

STEP_ROWS = 500


@click.group()
def privacy() -> None:
    """Say what is kept of whose calls, seal it, erase it."""


# ------------------------------------------------------------------------------------------------ policies


@privacy.command("list")
@json_option
@config_option
@data_option
def list_policies(as_json: bool, config: str | None, data: str | None) -> None:
    """Show the policies: what is kept of whose calls, and how long."""
    loaded = load_for(config, data=data)
    records = policy_records(asyncio.run(_policies(loaded)))
    if as_json:
        for record in records:
            click.echo(msgspec.json.encode(record).decode())
        return
    if not records:
        click.echo("There are no policies: log.* holds for everybody. `callgate privacy set` makes one.")
        return
    rows = [
        (
            f"{each.scope} {each.match}",
            each.payloads or "–",
            str(each.retention_days or "–"),
            str(each.payload_retention_days or "–"),
            "configuration" if each.declared else "",
        )
        for each in records
    ]
    for line in table(("FOR", "CONTENT", "DAYS OF ROWS", "OF BODIES", "FROM"), rows):
        click.echo(line)


def _whose(command: Any) -> Any:
    for name in ("key", "environment", "tenant"):
        command = click.option(f"--{name}", metavar="NAME", help=f"For this {name}.")(command)
    return command


@privacy.command("set")
@_whose
@click.option("--payloads", type=click.Choice(LEVELS), help="What is kept of content; only less than log.payloads.")
@click.option("--retention-days", type=int, help="Days of rows, for a tenant; only fewer than for everybody.")
@click.option("--payload-retention-days", type=int, help="Days of bodies, for a tenant.")
@config_option
@data_option
def set_policy(config: str | None, data: str | None, **given: Any) -> None:
    """Make or change the policy of a tenant, an environment or a key.

    A running gateway takes it over within a second, the recorder's retention within a minute.
    """
    scope, match = _one_of(given)
    policy = PrivacyPolicy(scope=scope, match=match, **given)

    async def work() -> None:
        async with opened(loaded, create=True) as store:
            await Policies(loaded.settings, store).put(policy, actor=actor())

    loaded = load_for(config, data=data)
    asyncio.run(work())
    click.echo(f"The policy of the {scope} {match} is kept.")


@privacy.command("unset")
@_whose
@config_option
@data_option
def unset_policy(config: str | None, data: str | None, **given: Any) -> None:
    """Delete a policy: what holds for everybody holds again, for calls from now on."""
    scope, match = _one_of(given)

    async def work() -> None:
        async with opened(loaded) as store:
            await Policies(loaded.settings, store).delete(scope, match, actor=actor())

    loaded = load_for(config, data=data)
    asyncio.run(work())
    click.echo(f"The policy of the {scope} {match} is deleted.")


def _one_of(given: dict[str, Any]) -> tuple[Any, str]:
    """Takes the scope out of the options."""
    named = [(scope, given.pop(scope)) for scope in ("tenant", "environment", "key")]
    chosen = [(scope, name) for scope, name in named if name is not None]
    if len(chosen) != 1:
        raise click.UsageError("Give one of --tenant, --environment and --key.")
    return chosen[0]


async def _policies(loaded: Loaded) -> Policies:
    async with opened(loaded) as store:
        policies = Policies(loaded.settings, store)
        await policies.refresh()
        return policies


# ------------------------------------------------------------------------------------------------ erasing


@privacy.command("erase")
@click.option("--user", metavar="USER", help="As calls name them (userId), or a person's address.")
@click.option("--tenant", metavar="SLUG", help="The tenant.")
@click.option("--totals", is_flag=True, help="Also what was counted under the name; else it stays without the name.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@data_option
def erase(user: str | None, tenant: str | None, totals: bool, yes: bool, config: str | None, data: str | None) -> None:
    """Erase everything of a user or a tenant for good, and print the certificate of what went."""
    if (user is None) == (tenant is None):
        raise click.UsageError("Give either --user or --tenant.")
    subject = Subject("user", user) if user is not None else Subject("tenant", tenant or "")
    if not yes:
        click.confirm(f"Erase everything of the {subject.kind} {subject.value!r} for good?", abort=True)
    loaded = load_for(config, data=data)

    async def work() -> Certificate:
        async with opened(loaded) as store:
            secret = load_secret(loaded.data)
            identity = Identity(loaded.settings, secret, store, loaded.data)
            return await Erasure(store, identity, secret, loaded.data).erase(subject, by=actor(), totals=totals)

    certificate = asyncio.run(work())
    click.echo(msgspec.json.format(msgspec.json.encode(certificate)).decode())


# ------------------------------------------------------------------------------------------------ sealing


@privacy.command("key")
def make_key() -> None:
    """Print a new key for privacy.encryption.sealing_keys."""
    click.echo(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode())


@privacy.command("rotate")
@config_option
@data_option
def rotate(config: str | None, data: str | None) -> None:
    """Seal every body with the first of privacy.encryption.sealing_keys; open them all where there are none.

    Put a new key first, let the gateway say that it took the configuration over, run this, and take the old key out.
    """
    loaded = load_for(config, data=data)
    total = asyncio.run(_resealed(loaded))
    keys = loaded.settings.privacy.encryption.sealing_keys
    how = f"sealed with {keys[0].id}" if keys else "in the clear"
    click.echo(f"{total.seen} bodies: {total.changed} are {how} now, {total.seen - total.changed} needed nothing.")
    if total.unopened:
        click.echo(f"{total.unopened} are sealed with keys that are not here, and stayed as they are.", err=True)
        sys.exit(1)


async def _resealed(loaded: Loaded) -> Resealed:
    total = Resealed(0)
    async with opened(loaded) as store:
        while (step := await store.reseal(total.seen_to, limit=STEP_ROWS)).seen:
            total.seen_to = step.seen_to
            total.seen += step.seen
            total.changed += step.changed
            total.unopened += step.unopened
        counts = {"seen": total.seen, "changed": total.changed, "unopened": total.unopened}
        await note(store, "resealed", "bodies", "all", counts)
    return total


# ------------------------------------------------------------------------------------------------ redaction


@privacy.command("redact")
@config_option
def redact(config: str | None) -> None:
    """Print what redaction leaves of standard input, and on standard error what it took out."""
    counts: Counter[str] = Counter()
    text = sys.stdin.read()
    click.echo(Redactor(load_for(config).settings.log.redaction).text(text, counts), nl=False)
    for kind, count in counts.most_common():
        click.echo(f"{kind}: {count}", err=True)
