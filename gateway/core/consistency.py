"""What must hold between settings, beyond each being of its type: names that point somewhere, addresses, no doubles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlsplit

import msgspec
import re2

from gateway.core.alerts.check import misalerted
from gateway.core.conform import unknown
from gateway.core.destinations import misrouted, nowhere
from gateway.core.document import Path, Problem
from gateway.core.key import wrong_networks
from gateway.core.providers import DEMO, DIALECTS, known, nearest
from gateway.settings import ApiKey, OwnPattern, PriceOverride, Provider, Settings
from pricing.override import read_overrides

FRAMING_HEADERS = {
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
"""Headers that belong to the connection; a provider entry may not set them."""

STORES = ("sqlite",)
"""Schemes of `store.url`."""


def inconsistencies(settings: Settings) -> list[Problem]:
    """Of settings whose providers are complete."""
    problems: list[Problem] = []
    for name, provider in settings.providers.items():
        problems += _provider(name, provider)
    problems += _default_provider(settings)
    problems += misrouted(settings)
    if (wrong := wrong_networks(tuple(settings.server.trusted_proxies))) is not None:
        problems.append(Problem(("server", "trusted_proxies"), f"'{wrong}' is no address and no range (10.0.0.0/8)"))
    problems += _keys(settings.keys)
    problems += _environments(settings)
    problems += _identity(settings)
    problems += misalerted(settings)
    problems += _redaction(settings.log.redaction.rules)
    problems += _store(settings.store.url)
    for model, terms in settings.prices.overrides.items():
        problems += _prices(model, terms)
    return problems


def _provider(name: str, provider: Provider) -> Iterator[Problem]:
    at = ("providers", name)
    if not name or "/" in name or name != name.strip():
        yield Problem(at, "is no name for a provider: `provider/model` is split at the first slash")
    if provider.dialect is None:
        yield Problem((*at, "dialect"), _incomplete(name, f"set what it speaks: {', '.join(DIALECTS)}"))
    elif provider.dialect not in DIALECTS:
        yield Problem((*at, "dialect"), f"'{provider.dialect}' {unknown('dialect', provider.dialect, list(DIALECTS))}")
    if provider.base_url is None and name != DEMO:
        yield Problem((*at, "base_url"), _incomplete(name, "set its address, as its own SDK takes it"))
    elif provider.base_url is not None:
        yield from _base_url(provider.base_url, (*at, "base_url"))
    if (provider.aws_access_key_id is None) != (provider.aws_secret_access_key is None):
        yield Problem((*at, "aws_secret_access_key"), "and aws_access_key_id belong together; set both or neither")
    keys = provider.api_key if isinstance(provider.api_key, list) else [provider.api_key or ""]
    if any(not key.isascii() or not key.isprintable() or " " in key for key in keys):
        yield Problem((*at, "api_key"), "has white space, a line break or a non-ASCII character in it")
    for header, value in provider.headers.items():
        yield from _header(header, value, (*at, "headers", header))


def _incomplete(name: str, way_out: str) -> str:
    close = nearest(name)
    hint = f"; or did you mean {close}?" if close and not known(name) else ""
    return f"is missing: {name} is not known by name, so {way_out}{hint}"


def _base_url(url: str, at: Path) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        yield Problem(at, "is not an address like https://host/v1")
        return
    if not valid or any(character.isspace() for character in url):
        yield Problem(at, "is not an address like https://host/v1")
    elif parts.query or parts.fragment:
        yield Problem(at, "has a ? or # part; put what follows it into `headers` or leave it out")
    elif parts.username or parts.password:
        yield Problem(at, "has a user or password in it; use `api_key` or `headers`")


def _header(name: str, value: str, at: Path) -> Iterator[Problem]:
    if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
        yield Problem(at, "is no header name: letters, digits, - and _")
    elif name.lower() in FRAMING_HEADERS:
        yield Problem(at, "belongs to the connection and is set by the gateway; leave it out")
    if any(character in value for character in "\r\n\0"):
        yield Problem(at, "has a line break in its value")


def _default_provider(settings: Settings) -> Iterator[Problem]:
    name = settings.default_provider
    if name is not None and name not in settings.providers:
        yield Problem(("default_provider",), nowhere(name, settings))


def _keys(keys: list[ApiKey]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    names = Counter(key.name for key in keys)
    for index, key in enumerate(keys):
        if key.key in first:
            yield Problem(("keys", index, "key"), f"is the same as that of '{first[key.key]}'; each needs its own")
        elif not key.key.isascii() or not key.key.isprintable() or " " in key.key:
            yield Problem(("keys", index, "key"), "has white space, a line break or a non-ASCII character in it")
        first.setdefault(key.key, key.name)
        if not key.name.strip():
            yield Problem(("keys", index, "name"), "is empty; the log needs a name for it")
        elif names[key.name] > 1 and any(earlier.name == key.name for earlier in keys[:index]):
            yield Problem(("keys", index, "name"), f"'{key.name}' is taken; the log could not tell the two apart")
        wrong = wrong_networks(tuple(key.networks))
        if wrong is not None:
            message = f"'{wrong}' is no address or range; write it as 10.1.2.3, 10.0.0.0/8 or 2001:db8::/32"
            yield Problem(("keys", index, "networks", key.networks.index(wrong)), message)
        if key.expires_at is not None and not _is_moment(key.expires_at):
            yield Problem(("keys", index, "expires_at"), f"'{key.expires_at}' is no ISO date or time, as 2027-01-31")


def _environments(settings: Settings) -> Iterator[Problem]:
    names = {key.name for key in settings.keys}
    secrets = {key.key: key.name for key in settings.keys}
    for index, environment in enumerate(settings.environments):
        at, label = ("environments", index), environment.label
        if label in names:
            yield Problem((*at, "name"), f"'{label}' is taken by a key or an environment before it")
        if environment.key in secrets:
            message = f"is the same as that of '{secrets[environment.key]}'; each needs its own"
            yield Problem((*at, "key"), message)
        elif not environment.key.isascii() or not environment.key.isprintable() or " " in environment.key:
            yield Problem((*at, "key"), "has white space, a line break or a non-ASCII character in it")
        names.add(label)
        secrets.setdefault(environment.key, label)


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _identity(settings: Settings) -> Iterator[Problem]:
    slugs = [tenant.slug for tenant in settings.tenants]
    for index, slug in enumerate(slugs):
        if slug in slugs[:index]:
            yield Problem(("tenants", index, "slug"), f"'{slug}' is there twice")
    addresses = [user.email.lower() for user in settings.users]
    for index, address in enumerate(addresses):
        if address in addresses[:index]:
            yield Problem(("users", index, "email"), f"'{address}' is there twice")
    for index, rule in enumerate(settings.sign_in.oidc.rules if settings.sign_in.oidc else []):
        at = ("sign_in", "oidc", "rules", index)
        if rule.domain is None and rule.claim is None:
            yield Problem(at, "fits everybody: name a domain or a claim")
        if (rule.claim is None) != (rule.value is None):
            yield Problem(at, "needs a claim and its value together")


def _redaction(rules: dict[str, str | OwnPattern]) -> Iterator[Problem]:
    options = re2.Options()
    options.log_errors = False
    for name, rule in rules.items():
        at = ("log", "redaction", "rules", name)
        pattern = rule if isinstance(rule, str) else rule.pattern
        try:
            compiled = re2.compile(pattern, options)
        except re2.error as error:
            reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
            yield Problem(at, f"is no regular expression that RE2 takes: {reason}")
            continue
        if compiled.search(""):
            yield Problem(at, "matches nothing at all (the empty text), so it would match everywhere")


def _store(url: str) -> Iterator[Problem]:
    scheme = url.partition(":")[0]
    if "://" not in url or scheme not in STORES:
        yield Problem(("store", "url"), f"is no address of a store; this version takes {STORES[0]}:///file.db")
    elif url.removeprefix("sqlite://").strip("/") in ("", ":memory:"):
        yield Problem(("store", "url"), "names no file; sqlite:///callgate.db is relative to server.data")


def _prices(model: str, terms: PriceOverride | list[PriceOverride]) -> Iterator[Problem]:
    try:
        read_overrides({model: msgspec.to_builtins(terms)})
    except ValueError as error:  # begins with the path: `prices.overrides.m[0].tiers[1]: …`
        where, _, message = str(error).removeprefix(f"prices.overrides.{model}").partition(": ")
        yield Problem(("prices", "overrides", f"{model}{where}"), message)
