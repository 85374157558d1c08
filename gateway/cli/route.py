"""`callgate route`: where calls go. Asks the running gateway, since only it knows how its targets are doing."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import click

from gateway.banner import reachable
from gateway.cli.options import config_option, load_for
from gateway.cli.table import table
from gateway.errors import CallgateError

HEAD = ("", "provider", "model", "chance", "state", "first byte", "in flight", "keys", "why")
RIGHT = ("", "chance", "first byte", "in flight")
TIMEOUT_S = 10
TOKEN_HELP = "A gateway key that may read (role viewer or admin). Default: $CALLGATE_KEY."  # noqa: S105  # a help text


def with_gateway_options(command: Any) -> Any:
    """What it takes to ask the running gateway."""
    for option in (
        click.option("--url", metavar="URL", help="Where the gateway is. Default: as the configuration says."),
        click.option("--token", envvar="CALLGATE_KEY", metavar="KEY", help=TOKEN_HELP),
        click.option("--json", "as_json", is_flag=True, help="The answer as it is."),
        config_option,
    ):
        command = option(command)
    return command


@click.group()
def route() -> None:
    """Say where calls go, and why."""


@route.command()
@click.argument("model")
@click.option("--key", metavar="NAME", help="As a call with this gateway key: its permissions hold.")
@click.option("--session", help="As a call of this session, for sticky routes.")
@click.option("--cache-key", help="As a call with this prompt-cache key, for sticky routes.")
@click.option("--region", help="As a call that asks for this region.")
@click.option("--tokens", type=click.IntRange(0), help="As a call about this long.")
@with_gateway_options
def explain(
    model: str, config: str | None, url: str | None, token: str | None, as_json: bool, **about: str | int | None
) -> int:
    """Say which target a call for MODEL would take, why, and what would come after.

    Exits with 1 when the call would be refused.
    """
    parameters = {"model": model, **{name: str(value) for name, value in about.items() if value is not None}}
    answer = ask(config, url, token, "/api/routes/explain?" + urlencode(parameters))
    if as_json:
        click.echo(json.dumps(answer, indent=2, ensure_ascii=False))
    elif answer["refused"]:
        click.echo(f"{answer['refused']['status']} {answer['refused']['code']}: {answer['refused']['message']}")
    else:
        click.echo("\n".join(lines_of(answer["route"], asked=model)))
    return 1 if answer["refused"] else 0


@route.command("list")
@with_gateway_options
def list_routes(config: str | None, url: str | None, token: str | None, as_json: bool) -> None:
    """Show every route, and how its targets are doing."""
    answer = ask(config, url, token, "/api/routes")
    if as_json:
        click.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    if not answer["items"]:
        click.echo("No routes. Name one under `models` in the configuration.")
    for number, found in enumerate(answer["items"]):
        click.echo(("\n" if number else "") + "\n".join(lines_of(found, asked=found["name"])))


def ask(config: str | None, url: str | None, token: str | None, path: str) -> Any:
    """The JSON answer of the gateway. Raises CallgateError with the way out when there is none."""
    server = load_for(config).settings.server
    base = (url or f"http://{reachable(server.host, server.port)}").rstrip("/")
    if not base.startswith(("http://", "https://")):
        raise CallgateError(f"--url {base!r} is no address like http://127.0.0.1:4000.")
    if not token:
        raise CallgateError(
            "no gateway key. Set CALLGATE_KEY or --token; `callgate keys create --role viewer` makes one."
        )
    request = urllib.request.Request(base + path, headers={"authorization": f"Bearer {token}"})  # noqa: S310  # checked
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise CallgateError(_message(error)) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise CallgateError(f"no gateway answers at {base} ({reason}). Start it, or name it with --url.") from error


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"]["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"the gateway answered {error.code} {error.reason}"


def lines_of(found: dict[str, Any], *, asked: str) -> Iterator[str]:
    """A route as text: what it is, then its targets in the order in which they would be tried."""
    through = "" if found["name"] == asked else f" → {found['name']}"
    details = [found["strategy"]]
    if found["sticky"] != "none":
        details.append(f"sticky by {found['sticky']}")
    if found["region"]:
        details.append(f"{found['region']} first")
    details.append(f"{found['retries']} retries" if found["retries"] != 1 else "1 retry")
    yield f"{asked}{through}  ({', '.join(details)})"
    for line in table(HEAD, [_row(number, target) for number, target in enumerate(found["targets"], 1)], right=RIGHT):
        yield f"  {line}"


def _row(number: int, target: dict[str, Any]) -> tuple[str, ...]:
    wait = target["ready_in_ms"]
    return (
        str(number),
        target["provider"],
        target["model"],
        f"{target['chance']:.1%}" if target["chance"] else "–",
        target["state"] + (f" for {wait / 1000:.1f} s" if wait else ""),
        "–" if target["latency_ms"] is None else f"{target['latency_ms']:,.0f} ms",
        str(target["in_flight"]),
        f"{target['keys_ready']}/{target['keys']}",
        target["why"],
    )
