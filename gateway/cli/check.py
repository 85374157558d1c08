"""`callgate check`: validate the configuration and print what it comes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

import click

from gateway.cli.options import config_option, load_for
from gateway.config import Loaded
from gateway.core.providers import DEMO, KNOWN
from gateway.core.proxies import shown_proxy
from gateway.core.routing import KeyRing, Meaning, Names, Place, TargetState, route_of
from gateway.core.routing.route import fractions
from gateway.settings import ApiKey, Provider
from gateway.settings.routes import ModelRoute


@click.command()
@config_option
def check(config: str | None) -> None:
    """Validate the configuration and print what it comes to.

    Exits with 1 and `file:path: message` for each problem when it does not hold together.
    """
    loaded = load_for(config)
    click.echo(f"{loaded.source}: holds together")
    for title, rows in _sections(loaded):
        click.echo(f"\n{title}")
        for line in aligned(rows):
            click.echo(f"  {line}")
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)


def _sections(loaded: Loaded) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    settings = loaded.settings
    yield (
        "server",
        [
            ("listens on", f"{settings.server.host}:{settings.server.port}"),
            ("workers", str(settings.server.workers)),
            ("data", str(loaded.data)),
            ("store", settings.store.url),
        ],
    )
    yield "providers", [_provider_row(loaded, name, provider) for name, provider in settings.providers.items()]
    yield "models", list(_model_rows(loaded))
    if settings.keys:
        yield "keys", [_key_row(key) for key in settings.keys]
    if settings.tenants:
        yield "tenants", [(each.slug, each.name, "suspended" if each.suspended else "") for each in settings.tenants]
    if settings.environments:
        yield "environments", [(each.label, each.note) for each in settings.environments]


def _provider_row(loaded: Loaded, name: str, provider: Provider) -> tuple[str, ...]:
    if name == DEMO and provider.base_url is None:
        return name, "openai", "built in", ""
    address = urlsplit(provider.base_url or "")
    proxy = loaded.proxy_for(address.scheme, address.hostname or "", address.port)
    through = f", through {shown_proxy(proxy)}" if proxy else ""
    return name, provider.dialect or "", provider.base_url or "", key_state(name, provider) + through


def key_state(name: str, provider: Provider) -> str:
    """How many keys there are; never the keys."""
    row = KNOWN.get(name)
    match provider.api_key:
        case None:
            return "no key" if row is None or row.key_variables else "needs no key"
        case "none":
            return "needs no key"
        case str():
            return "1 key"
        case several:
            return f"{len(several)} keys in rotation"


def _model_rows(loaded: Loaded) -> Iterator[tuple[str, ...]]:
    settings = loaded.settings
    names = Names(settings.models)
    for name, value in settings.models.items():
        yield from _route_rows(name, value, names) if isinstance(value, ModelRoute) else [(name, f"→ {value}")]
    for name, provider in settings.providers.items():
        for model in provider.models:
            yield model, f"→ {name}/{model}"
    yield "PROVIDER/MODEL", "→ that provider"
    yield "others", "→ the provider that has it in the price catalogue"
    unclaimed = f"→ {settings.default_provider}, as they are" if settings.default_provider else "→ 404 model_not_found"
    yield "unclaimed", unclaimed


def _route_rows(name: str, route: ModelRoute, names: Names) -> Iterator[tuple[str, ...]]:
    """The name with how its targets are chosen, then a line for each target with its part of the calls."""
    sticky = f", sticky by {route.sticky}" if route.sticky != "none" else ""
    yield name, f"{route.strategy}{sticky}, {route.retries} {'retry' if route.retries == 1 else 'retries'}"
    resolved = route_of(Meaning(name, route, (name,)), names, lambda _: Place(TargetState(), KeyRing()))
    parts = dict(zip(resolved.tiers[0], fractions([resolved.members[i] for i in resolved.tiers[0]]), strict=True))
    for member in resolved.members:
        about = [f"fallback {member.tier}"] if member.tier else []
        if not member.tier and route.strategy == "weighted":
            about.append(f"{100 * parts[member.index]:.3g} %")
        if member.region:
            about.append(f"in {member.region}")
        yield "", f"→ {member.model}" + (f"  ({', '.join(about)})" if about else "")


def _key_row(key: ApiKey) -> tuple[str, ...]:
    bound = [f"{what} {value}" for what, value in (("tenant", key.tenant), ("environment", key.environment)) if value]
    return key.name, key.role, ", ".join(bound), f"models {', '.join(key.models)}"


def aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Columns as wide as their widest cell, two spaces between them."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=False)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in table]
