"""Where a model lives: settings compiled into what a call needs, so that nothing is looked up twice."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote, urlsplit

import msgspec

from gateway.core.health import ProviderHealth
from gateway.core.providers import DEMO, auth_of, known
from gateway.core.proxies import Proxies
from gateway.errors import CallError
from gateway.proxy.connect import Connector, Origin, proxy_authorization
from gateway.proxy.pool import Pool
from gateway.settings import Provider, Settings, Timeout
from pricing import Catalog

_MOST_REMEMBERED = 10_000

_AUTH_LINES = {
    "bearer": b"authorization: Bearer %b\r\n",
    "x-api-key": b"x-api-key: %b\r\n",
    "x-goog-api-key": b"x-goog-api-key: %b\r\n",
    "api-key": b"api-key: %b\r\n",
}


class Upstream(msgspec.Struct, frozen=True):
    """A provider, ready to be called."""

    name: str
    pool: Pool
    path_prefix: bytes
    """What comes before the client's path, e.g. `/openai` or an absolute `http://…` through a proxy."""
    drops_v1: bool
    """Whether its base URL already ends where OpenAI's `/v1` does."""
    head: bytes
    """Header lines of every request: host, and what the configuration adds."""
    credentials: Iterator[bytes]
    """The key's header line; the next one for each call where there are several keys."""
    timeout: Timeout
    drains: bool
    asks_usage: bool
    strips_metadata: bool
    price_provider: str
    health: ProviderHealth

    def __repr__(self) -> str:
        return f"Upstream({self.name})"

    def target(self, path: bytes, query: bytes) -> bytes:
        """The request target for the client's path (`/v1/chat/completions`)."""
        if self.drops_v1 and path.startswith(b"/v1/"):
            path = path[3:]
        target = self.path_prefix + path
        return target + b"?" + query if query else target


class Target(msgspec.Struct, frozen=True):
    """One place a call can go: a provider and the model's name there (None for calls without a model)."""

    upstream: Upstream
    model: str | None
    name: str
    """`provider/model`, for permissions."""
    head: bytes
    """Header lines of every answer from here."""
    model_json: msgspec.Raw
    """The model's name as a JSON string."""


class Table:
    """Settings, compiled. Replaced whole on a reload; connection pools live on in `pools`."""

    def __init__(self, settings: Settings, proxies: Proxies, catalog: Catalog, pools: Pools) -> None:
        self.settings = settings
        self.catalog = catalog
        self.upstreams = {
            name: _upstream(name, provider, proxies, pools) for name, provider in settings.providers.items()
        }
        if DEMO not in self.upstreams:
            self.upstreams[DEMO] = _upstream(DEMO, Provider(), proxies, pools)
        self.default = self.upstreams.get(settings.default_provider) if settings.default_provider else None
        self._declared = {
            model: name for name, provider in reversed(settings.providers.items()) for model in provider.models
        }
        self._order = [name for name in self.upstreams if name != DEMO]
        self._resolved: dict[str, Target] = {}

    def resolve(self, model: str) -> Target:
        """The target of a model name: an alias, `provider/name`, declared by a provider, in the catalogue under a
        configured provider, or as it stands at the default provider. CallError 404 where nobody claims it."""
        target = self._resolved.get(model)
        if target is None:
            target = self._find(model)
            if len(self._resolved) >= _MOST_REMEMBERED:
                self._resolved.clear()
            self._resolved[model] = target
        return target

    def markup_percent(self, tenant: str | None) -> float:
        markups = self.settings.prices.markup_percent
        if not markups:
            return 0.0
        return markups.get(tenant or "", markups.get("*", 0.0))

    def without_model(self) -> Target:
        """Where a path without a model goes: the default provider. CallError 404 without one."""
        if self.default is None:
            raise CallError(
                404,
                "model_not_found",
                "This path names no model and there is no default provider. Set `default_provider`, or call "
                "/p/{provider}/… to say which provider is meant.",
                error_type="invalid_request",
            )
        return _target(self.default, None)

    def named(self, provider: str) -> Target:
        upstream = self.upstreams.get(provider)
        if upstream is None:
            raise CallError(
                404,
                "provider_not_found",
                f"No provider is called {provider!r}. There are: {', '.join(sorted(self.upstreams))}.",
                error_type="invalid_request",
            )
        return _target(upstream, None)

    def _find(self, model: str) -> Target:
        model = self.settings.models.get(model, model)
        provider, slash, name = model.partition("/")
        if slash and name and provider in self.upstreams:
            return self._target(provider, name)
        owner = self._declared.get(model) or self.catalog.claims(model, self._order)
        if owner is not None:
            return self._target(owner, model)
        if self.default is not None:
            return self._target(self.default.name, model)
        raise CallError(
            404,
            "model_not_found",
            f"No provider serves the model {model!r}. Write `provider/model`, add an alias under `models`, or set "
            f"`default_provider`. Providers: {', '.join(sorted(self.upstreams))}.",
            error_type="invalid_request",
            param="model",
        )

    def _target(self, provider: str, model: str) -> Target:
        return _target(self.upstreams[provider], model)


def _target(upstream: Upstream, model: str | None) -> Target:
    head = b"x-callgate-provider: %b\r\n" % upstream.name.encode()
    if model is not None:
        head += b"x-callgate-model: %b\r\n" % _header_value(model)
    head += b"x-callgate-attempts: 1\r\nx-callgate-cache: bypass\r\n"
    name = upstream.name if model is None else f"{upstream.name}/{model}"
    return Target(upstream, model, name, head, msgspec.Raw(msgspec.json.encode(model)))


def _header_value(text: str) -> bytes:
    """A client's text as a header value: what could break out of one is percent-encoded."""
    return quote(text, safe="/:@._-+ ").encode("ascii")[:500]


class Pools:
    """The connection pools of a worker, by origin, and how providers do: both outlive a reload of the settings."""

    def __init__(self, connector: Connector, dial_demo: Callable[[], socket.socket]) -> None:
        self._connector = connector
        self._dial_demo = dial_demo
        self._by_origin: dict[Origin, Pool] = {}
        self._health: dict[str, ProviderHealth] = {}

    def get(self, origin: Origin, limit: int) -> Pool:
        pool = self._by_origin.get(origin)
        if pool is None:
            pool = self._by_origin[origin] = Pool(origin, self._connector, limit)
        pool.limit = limit
        return pool

    def demo(self, limit: int) -> Pool:
        return self.get(Origin(DEMO, 0, tls=False, dial=self._dial_demo), limit)

    def health(self, provider: str) -> ProviderHealth:
        return self._health.setdefault(provider, ProviderHealth())

    def sweep(self, now: float) -> None:
        for pool in self._by_origin.values():
            pool.sweep(now)

    def close(self) -> None:
        for pool in self._by_origin.values():
            pool.close()

    def connections(self) -> Mapping[str, int]:
        """Open connections by origin, for the metrics."""
        return {f"{origin.host}:{origin.port}": pool.connections for origin, pool in self._by_origin.items()}


def _upstream(name: str, provider: Provider, proxies: Proxies, pools: Pools) -> Upstream:
    row = known(name)
    dialect = provider.dialect or (row.dialect if row else "openai")
    auth = provider.auth or (row.auth if row and not provider.dialect else auth_of(dialect))
    url = urlsplit(provider.base_url or (row.base_url if row else ""))
    tls = url.scheme == "https"
    host, port = url.hostname or "", url.port or (443 if tls else 80)
    proxy = None if name == DEMO else proxies.proxy_for(url.scheme, host, port)
    if name == DEMO and provider.base_url is None:
        pool = pools.demo(provider.max_connections)
    else:
        pool = pools.get(Origin(host, port, tls, provider.verify_tls, proxy), provider.max_connections)
    prefix = url.path.rstrip("/").encode()
    head = b"host: %b\r\n" % url.netloc.rpartition("@")[2].encode()
    if proxy and not tls:  # an absolute target and the proxy's own credentials; a tunnel needs neither
        prefix = f"http://{url.netloc}".encode() + prefix
        if credentials := proxy_authorization(proxy):
            head += b"proxy-authorization: %b\r\n" % credentials
    for header, value in provider.headers.items():
        head += b"%b: %b\r\n" % (header.lower().encode("latin-1"), value.encode("latin-1"))
    return Upstream(
        name=name,
        pool=pool,
        path_prefix=prefix,
        drops_v1=dialect == "openai",
        head=head,
        credentials=itertools.cycle(_credentials(provider.api_key, auth)),
        timeout=provider.timeout,
        drains=provider.on_disconnect == "drain",
        asks_usage=(row.ask_usage if row else dialect == "openai")
        if provider.ask_usage is None
        else provider.ask_usage,
        strips_metadata=provider.metadata == "strip",
        price_provider=row.name if row else name,
        health=pools.health(name),
    )


def _credentials(api_key: str | list[str] | None, auth: str) -> list[bytes]:
    keys = [api_key] if isinstance(api_key, str) else api_key or []
    return [_AUTH_LINES[auth] % key.encode("latin-1") for key in keys if key and key != "none"] or [b""]
