"""`callgate alerts`: rules, what fires, silences, and a test of who is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import click
import msgspec

from gateway.api.alerts import notice_record, rule_record, silence_record
from gateway.cli.keys import Duration, json_option
from gateway.cli.managed import actor
from gateway.cli.opened import opened
from gateway.cli.options import config_option, data_option, load_for
from gateway.cli.table import table
from gateway.control.alerts import Alerts
from gateway.control.alerts_kept import Kept
from gateway.control.keys import now_us
from gateway.core.alerts.metric import METRICS, limit_of
from gateway.core.alerts.notice import said
from gateway.errors import CallgateError, Missing
from gateway.settings.alerts import AlertRule

T = TypeVar("T")


@click.group()
def alerts() -> None:
    """List rules and what fires, silence, and test who is told.

    A running gateway takes changes over at its next look. Rules and receivers declared in the configuration are changed
    there.
    """


@alerts.command("list")
@json_option
@config_option
@data_option
def list_rules(as_json: bool, config: str | None, data: str | None) -> None:
    """Show the rules, and how each is."""

    async def work(found: Alerts) -> list[tuple[AlertRule, str, str]]:
        rules, book = await found.rules(), await found.book()
        records = [rule_record(rule, book, declared=name in found.declared) for name, rule in rules.items()]
        if as_json:
            for record in records:
                click.echo(msgspec.json.encode(record).decode())
        return [
            (each.rule, each.state, ", ".join(watch.of or "" for watch in each.watches) or (each.problem or ""))
            for each in records
        ]

    found = _run(config, data, work)
    if as_json:
        return
    rows = [(state, rule.name, condition(rule), rule.severity, what) for rule, state, what in found]
    empty = "There are no rules. Declare some under alerts.rules, or `callgate alerts create NAME --metric …`."
    _show(("STATE", "RULE", "WHEN", "SEVERITY", "WHAT"), rows, empty)


@alerts.command("create")
@click.argument("name")
@click.option("--metric", required=True, type=click.Choice(list(METRICS)), help="What is watched.")
@click.option("--above", type=float, help="Too much is more than this.")
@click.option("--below", type=float, help="Too little is less than this.")
@click.option("--clear", type=float, help="It is over only when it is back to this.")
@click.option("--window", "window_min", type=float, default=10, show_default=True, help="Minutes of calls.")
@click.option("--for", "for_min", type=float, default=0, show_default=True, help="Minutes it must hold.")
@click.option("--each", default="", help="Every tenant, environment, provider, model, key or prompt by itself.")
@click.option("--tenant", multiple=True, help="Only calls of this one; may be given again.")
@click.option("--provider", multiple=True, help="Only calls to this one; may be given again.")
@click.option("--severity", default="warning", show_default=True, help="info, warning, error or critical.")
@config_option
@data_option
def create_rule(name: str, config: str | None, data: str | None, **given: object) -> None:
    """Make the rule NAME."""
    fields = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}
    try:
        rule = msgspec.convert({"name": name, **fields}, AlertRule)
    except msgspec.ValidationError as exc:
        raise CallgateError(f"this is no rule: {exc}") from exc

    async def work(found: Alerts) -> None:
        await found.create(rule, actor=actor())

    _run(config, data, work, create=True)
    click.echo(f"Made {name}: {condition(rule)}.")


@alerts.command("delete")
@click.argument("name")
@config_option
@data_option
def delete_rule(name: str, config: str | None, data: str | None) -> None:
    """Delete a rule; what fires by it is over."""

    async def work(found: Alerts) -> None:
        await found.delete(name, actor=actor())

    _run(config, data, work)
    click.echo(f"Deleted {name}.")


@alerts.command("test")
@click.argument("name")
@config_option
@data_option
def test(name: str, config: str | None, data: str | None) -> None:
    """Tell a receiver (a name under `notifications`), or all that a rule tells, that this is a test."""

    async def work(found: Alerts) -> tuple[str, ...]:
        receivers = (name,) if name in found.settings.notifications else found.receivers(await found.rule(name))
        if not receivers:
            raise Missing(f"The rule {name!r} tells nobody: there is nothing under notifications.")
        for receiver in receivers:
            await found.test(receiver, actor=actor())
        return receivers

    for receiver in _run(config, data, work, create=True):
        click.echo(f"{receiver} took it.")


@alerts.command("history")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="How many.")
@json_option
@config_option
@data_option
def history(limit: int, as_json: bool, config: str | None, data: str | None) -> None:
    """Show what was said, newest first, and to whom."""

    async def work(found: Alerts) -> list[Kept]:
        return (await found.history(limit=limit))[0]

    found = _run(config, data, work)
    if as_json:
        for each in found:
            click.echo(msgspec.json.encode(notice_record(each)).decode())
        return
    rows = [(_when(each.notice.at_us), each.notice.title, _told(each), each.notice.text) for each in found]
    _show(("TIME", "NOTICE", "TOLD", "WHAT"), rows, "Nothing was said yet.")


@alerts.command("silence")
@click.argument("rule")
@click.option("--for", "for_s", type=Duration(), default="2h", show_default=True, help="How long, as 30m, 2h or 7d.")
@click.option("--of", default="*", show_default=True, help="Only this value of what the rule tells apart; a pattern.")
@click.option("--note", default="", help="Why.")
@config_option
@data_option
def silence(rule: str, for_s: int, of: str, note: str, config: str | None, data: str | None) -> None:
    """Send nothing of RULE (a pattern; budget:NAME and runaway too) for a while. The history keeps it."""

    async def work(found: Alerts) -> tuple[str, int]:
        key, made = await found.silence(rule, of, now_us() + for_s * 1_000_000, note=note, actor=actor())
        return key, made.until_us

    key, until = _run(config, data, work, create=True)
    click.echo(f"Silent until {_when(until)}. `callgate alerts unsilence {key}` ends it.")


@alerts.command("silences")
@json_option
@config_option
@data_option
def silences(as_json: bool, config: str | None, data: str | None) -> None:
    """Show the silences in force."""

    async def work(found: Alerts) -> list[tuple[str, ...]]:
        there = await found.silences()
        if as_json:
            for key, each in there.items():
                click.echo(msgspec.json.encode(silence_record(key, each)).decode())
        return [(_when(each.until_us), each.rule, each.of, each.by, each.note, key) for key, each in there.items()]

    rows = _run(config, data, work)
    if not as_json:
        _show(("UNTIL", "RULE", "OF", "BY", "NOTE", "ID"), rows, "Nothing is silenced.")


@alerts.command("unsilence")
@click.argument("silence_id")
@config_option
@data_option
def unsilence(silence_id: str, config: str | None, data: str | None) -> None:
    """End a silence; what still fires is told then."""

    async def work(found: Alerts) -> None:
        await found.unsilence(silence_id, actor=actor())

    _run(config, data, work)
    click.echo("Ended.")


def condition(rule: AlertRule) -> str:
    """`error_rate above 10 % for each provider`"""
    way = "above" if rule.above is not None else "below"
    each = f" for each {rule.each}" if rule.each else ""
    return f"{rule.metric} {way} {said(rule.metric, limit_of(rule))}{each}"


def _run(config: str | None, data: str | None, work: Callable[[Alerts], Awaitable[T]], *, create: bool = False) -> T:
    loaded = load_for(config, data=data)

    async def run() -> T:
        async with opened(loaded, create=create) as store:
            return await work(Alerts(loaded.settings, store))

    return asyncio.run(run())


def _told(kept: Kept) -> str:
    if kept.notice.silenced:
        return "silenced"
    return ", ".join(f"{name}: {each.state}" for name, each in kept.sent.items()) or "nobody"


def _when(at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us / 1_000_000, UTC):%Y-%m-%d %H:%M} UTC"


def _show(head: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    if not rows:
        click.echo(empty)
        return
    for line in table(head, rows):
        click.echo(line)
