"""What must hold between settings, beyond each being of its type: names that point somewhere, addresses, no doubles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from urllib.parse import urlsplit

import msgspec
import re2

from gateway.core.conform import unknown
from gateway.core.document import Path, Problem
from gateway.core.providers import DEMO, DIALECTS, known, nearest
from gateway.settings import ApiKey, PriceOverride, Provider, Settings
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
    for alias, target in settings.models.items():
        problems += _alias(alias, target, settings)
    problems += _keys(settings.keys)
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
        yield Problem(("default_provider",), _nowhere(name, settings))


def _alias(alias: str, target: str, settings: Settings) -> Iterator[Problem]:
    at = ("models", alias)
    provider, slash, model = target.partition("/")
    if target in settings.models and target != alias:
        yield Problem(at, f"points to the alias {target}; write what that stands for: {settings.models[target]}")
    elif not target.strip() or (slash and not (provider and model)):
        yield Problem(at, f"'{target}' is not a model; write provider/model")
    elif not slash and target in settings.providers:
        yield Problem(at, f"'{target}' is a provider; write {target}/MODEL")
    elif slash and provider not in settings.providers and not _served(target, settings):
        yield Problem(at, _nowhere(provider, settings))


def _served(target: str, settings: Settings) -> bool:
    """Whether a model whose name has a slash of its own is claimed by a provider, or goes to the default one."""
    if any(target in provider.models for provider in settings.providers.values()):
        return True
    prefix = target.partition("/")[0]
    return settings.default_provider is not None and not get_close_matches(prefix, settings.providers, n=1, cutoff=0.8)


def _nowhere(name: str, settings: Settings) -> str:
    row = known(name)
    if row is not None and row.key_variables:
        return f"points to {name}, which is not configured; set {row.key_variables[0]} or add it under providers"
    if row is not None:
        return f"points to {name}, which is not configured; add `{name}: {{}}` under providers"
    others = [provider for provider in settings.providers if provider != DEMO]
    close = next(iter(get_close_matches(name, [*others, DEMO], n=1)), None) or nearest(name)
    if close:
        return f"points to {name}, which is no provider; did you mean {close}?"
    return f"points to {name}, which is no provider; there are: {', '.join([*others, DEMO])}"


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


def _redaction(rules: dict[str, str]) -> Iterator[Problem]:
    options = re2.Options()
    options.log_errors = False
    for name, pattern in rules.items():
        at = ("log", "redaction", "rules", name)
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
