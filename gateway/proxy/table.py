"""Where a model lives: settings compiled into what a call needs, so that nothing is looked up twice."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote, urlsplit

import msgspec

from gateway.core.health import ProviderHealth
from gateway.core.providers import DEMO, Evidence, auth_of, known
from gateway.core.proxies import Proxies
from gateway.core.routing import Breaker, KeyRing, Member, Route, RoutePolicy, TargetState
from gateway.core.routing.build import CircleError, Place, UnroutableError, breaker_of, route_of
from gateway.core.routing.names import Names
from gateway.dialects import DECIDED, Dialect
from gateway.errors import CallError
from gateway.proxy.connect import Connector, Origin, proxy_authorization
from gateway.proxy.outbox import Outbox
from gateway.proxy.pool import Pool
from gateway.proxy.signing import Signer, signer_for
from gateway.settings import Provider, Settings, Timeout
from gateway.translation import FAMILIES, Line, Translator, backend_of, can_translate
from pricing import Catalog, Usage

_MOST_REMEMBERED = 10_000
_A_THOUSAND_EACH = Usage(input_tokens=1000, output_tokens=1000)

_FROM_ROOT = (b"/openai/", b"/v1/projects/", b"/v1beta1/projects/")
"""How paths of Azure and Vertex begin that are meant from the host's root."""
_BELOW_ROOT = re.compile(rb"/openai/v1$|/v1(?:beta1)?/projects/.*")
"""The part of their base URLs that such a path does not want."""

ON_VERTEX = b"/publishers/google"
"""How the base URL ends of Gemini's own surface on Vertex."""

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
    root: bytes
    """What comes before a path that is beside the base URL's, as Azure's deployments are beside its `/openai/v1`."""
    drops: bytes
    """What clients put before a path and its base URL stands for: OpenAI's `/v1`, Gemini's `/v1beta` on Vertex."""
    head: bytes
    """Header lines of every request: host, and what the configuration adds."""
    key_lines: tuple[bytes, ...]
    """The header line of each of its keys; one empty line where it needs none."""
    keys: KeyRing
    """Which of them to use next."""
    speaks: frozenset[str]
    """Families of dialects it understands; empty for all."""
    timeout: Timeout
    drains: bool
    asks_usage: bool
    strips_metadata: bool
    price_provider: str
    health: ProviderHealth
    signer: Signer | None = None
    """Makes the header lines that carry credentials, for each attempt anew, where a key does not do."""
    evidence: Evidence | None = None
    """Where its answers say what they cost."""

    def __repr__(self) -> str:
        return f"Upstream({self.name})"

    def target(self, path: bytes, query: bytes) -> bytes:
        """The request target for the client's path (`/v1/chat/completions`)."""
        if path.startswith(_FROM_ROOT):
            target = self.root + path
        elif self.drops and path.startswith(self.drops + b"/"):
            target = self.path_prefix + path[len(self.drops) :]
        else:
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
    head_alone: bytes
    """The same with those of a call that was tried once and asked no cache."""
    model_json: msgspec.Raw
    """The model's name as a JSON string."""
    timeout: Timeout
    first_token_s: float | None = None
    """Within which a stream must say something, where there is another target to turn to."""


class Way(msgspec.Struct, frozen=True):
    """What a model's name stands for."""

    targets: tuple[Target, ...]
    """By `routing.Member.index`."""
    route: Route
    lone: Target | None
    """Set where there is nothing to choose and nothing to repeat: one target, one key, no retry."""


class Table:
    """Settings, compiled. Replaced whole on a reload; connection pools and what is known of targets live on in
    `pools`."""

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
        self.spoken = {
            name: dialect for name, provider in settings.providers.items() if (dialect := DECIDED.get(provider.dialect))
        }
        """The dialects of providers that are told by the provider, not by the path."""
        self._order = [name for name in self.upstreams if name != DEMO]
        self._pools = pools
        self._proxies = proxies
        self._translated: dict[str, Upstream] = {}
        self._names = Names(settings.models)
        self.has_limits = bool(settings.limits or settings.budgets or settings.runaway)
        self._breaker = breaker_of(settings.cooldown)
        self._resolved: dict[str, Way] = {}
        self._without_model: dict[str, Way] = {}

    def resolve(self, model: str) -> Way:
        """What a model's name stands for: a route, an alias, `provider/name`, declared by a provider, in the catalogue
        under a configured provider, or as it stands at the default provider. CallError 404 where nobody claims it."""
        way = self._resolved.get(model)
        if way is None:
            way = self._find(model)
            if len(self._resolved) >= _MOST_REMEMBERED:
                self._resolved.clear()
            self._resolved[model] = way
        return way

    def markup_percent(self, tenant: str | None) -> float:
        markups = self.settings.prices.markup_percent
        if not markups:
            return 0.0
        return markups.get(tenant or "", markups.get("*", 0.0))

    def without_model(self) -> Way:
        """Where a path without a model goes: the default provider. CallError 404 without one."""
        if self.default is None:
            raise CallError(
                404,
                "model_not_found",
                "This path names no model and there is no default provider. Set `default_provider`, or call "
                "/p/{provider}/… to say which provider is meant.",
                error_type="invalid_request",
            )
        return self.named(self.default.name, None)

    def named(self, provider: str, model: str | None) -> Way:
        """A provider that a path names, and the model there, if there is one. CallError 404 for an unknown provider."""
        upstream = self.upstreams.get(provider)
        if upstream is None:
            raise CallError(
                404,
                "provider_not_found",
                f"No provider is called {provider!r}. There are: {', '.join(sorted(self.upstreams))}.",
                error_type="invalid_request",
            )
        if model is not None:
            return self._alone(target_of(upstream, model))
        way = self._without_model.get(provider)
        if way is None:
            way = self._without_model[provider] = self._alone(target_of(upstream, None))
        return way

    def _find(self, model: str) -> Way:
        try:
            return self._way(route_of(self._names.meaning(model), self._names, self._place))
        except (CircleError, UnroutableError) as exc:
            raise CallError(
                404, "model_not_found", f"The model {model!r} {exc}. Mend `models`.", error_type="invalid_request"
            ) from exc

    def _way(self, route: Route) -> Way:
        targets = tuple(
            _within(self.target(member.model), member.first_token_s, member.idle_s) for member in route.members
        )
        is_lone = route.is_lone and not route.policy.retries and len(targets[0].upstream.key_lines) == 1
        return Way(targets, route, targets[0] if is_lone else None)

    def _place(self, model: str) -> Place:
        target = self.target(model)
        price = (
            self.catalog.find(target.upstream.price_provider, target.model, time.time_ns() // 1000)
            if target.model
            else None
        )
        cost = price.cost(_A_THOUSAND_EACH) if price is not None else None
        return Place(
            self._pools.target_state(target.name, self._breaker),
            target.upstream.keys,
            cost.total_nanousd if cost is not None else None,
        )

    def target(self, model: str) -> Target:
        """One place for a model's name, aliases followed. CallError 404 where nobody claims it."""
        provider, slash, name = model.partition("/")
        if slash and name and provider in self.upstreams:
            return target_of(self.upstreams[provider], name)
        owner = self._declared.get(model) or self.catalog.claims(model, self._order)
        if owner is not None:
            return target_of(self.upstreams[owner], model)
        if self.default is not None:
            return target_of(self.default, model)
        raise CallError(
            404,
            "model_not_found",
            f"No provider serves the model {model!r}. Write `provider/model`, add an alias under `models`, or set "
            f"`default_provider`. Providers: {', '.join(sorted(self.upstreams))}.",
            error_type="invalid_request",
            param="model",
        )

    def translated(self, target: Target, dialect: Dialect) -> Target:
        """The same place, reached through the translator where its provider does not speak the client's dialect."""
        upstream = target.upstream
        if not upstream.speaks or not dialect.family or dialect.family in upstream.speaks:
            return target
        translator = self._pools.translator
        provider = self.settings.providers.get(upstream.name)
        if translator is None or provider is None or not can_translate(dialect.name, *upstream.speaks):
            return target
        through = self._translated.get(upstream.name)
        if through is None:
            through = _through(translator, upstream, provider, self._proxies, self._pools)
            self._translated[upstream.name] = through
        return msgspec.structs.replace(target, upstream=through)

    def _alone(self, target: Target) -> Way:
        place = Place(self._pools.target_state(target.name, self._breaker), target.upstream.keys)
        member = Member(index=0, model=target.name, state=place.state, keys=place.keys)
        route = Route(target.name, (member,), RoutePolicy())
        return Way((target,), route, target if len(target.upstream.key_lines) == 1 else None)


def _within(target: Target, first_token_s: float | None, idle_s: float | None) -> Target:
    """The target with a route's own limits in time."""
    if first_token_s is None and idle_s is None:
        return target
    timeout = target.timeout if idle_s is None else msgspec.structs.replace(target.timeout, idle_s=idle_s)
    return msgspec.structs.replace(target, timeout=timeout, first_token_s=first_token_s)


def target_of(upstream: Upstream, model: str | None) -> Target:
    head = b"x-callgate-provider: %b\r\n" % upstream.name.encode()
    if model is not None:
        head += b"x-callgate-model: %b\r\n" % _header_value(model)
    name = upstream.name if model is None else f"{upstream.name}/{model}"
    return Target(
        upstream,
        model,
        name,
        head,
        head + b"x-callgate-attempts: 1\r\nx-callgate-cache: bypass\r\n",
        msgspec.Raw(msgspec.json.encode(model)),
        upstream.timeout,
    )


def _header_value(text: str) -> bytes:
    """A client's text as a header value: what could break out of one is percent-encoded."""
    return quote(text, safe="/:@._-+ ").encode("ascii")[:500]


class Pools:
    """The connection pools of a worker, by origin, and how providers do: both outlive a reload of the settings."""

    def __init__(
        self, connector: Connector, dial_demo: Callable[[], socket.socket], translator: Translator | None = None
    ) -> None:
        self.translator = translator
        """None where nothing is translated."""
        self.outbox = Outbox()
        self._connector = connector
        self._dial_demo = dial_demo
        self._by_origin: dict[Origin, Pool] = {}
        self._health: dict[str, ProviderHealth] = {}
        self._targets: dict[str, TargetState] = {}
        self._keys: dict[str, KeyRing] = {}
        self._tokens: dict[str, tuple[Proxies, Signer | None]] = {}

    def get(self, origin: Origin, limit: int) -> Pool:
        pool = self._by_origin.get(origin)
        if pool is None:
            pool = self._by_origin[origin] = Pool(origin, self._connector, limit, self.outbox)
        pool.limit = limit
        return pool

    def demo(self, limit: int) -> Pool:
        return self.get(Origin(DEMO, 0, tls=False, dial=self._dial_demo), limit)

    def health(self, provider: str) -> ProviderHealth:
        return self._health.setdefault(provider, ProviderHealth())

    def target_state(self, name: str, breaker: Breaker) -> TargetState:
        """How `provider/model` has been doing, and whether it is left alone for now."""
        state = self._targets.get(name)
        if state is None:
            if len(self._targets) >= _MOST_REMEMBERED:
                self._targets.clear()
            state = self._targets[name] = TargetState()
        state.breaker = breaker
        return state

    def keys(self, provider: str, size: int) -> KeyRing:
        """Whose turn it is among the keys of a provider, and which rest."""
        ring = self._keys[provider] = self._keys.get(provider, KeyRing(size)).resized(size)
        return ring

    def signer(self, provider: Provider, proxies: Proxies) -> Signer | None:
        """What makes a provider's credentials, where they are made. Tokens outlive a reload, by whom they are for."""
        if not provider.google_credentials:
            return signer_for(provider, proxies)
        known = self._tokens.get(provider.google_credentials)
        if known is None or known[0] != proxies:
            known = self._tokens[provider.google_credentials] = (proxies, signer_for(provider, proxies))
        return known[1]

    def sweep(self, now: float) -> None:
        for pool in self._by_origin.values():
            pool.sweep(now)

    def close(self) -> None:
        for pool in self._by_origin.values():
            pool.close()
        for _, signer in self._tokens.values():
            if signer is not None:
                signer.close()

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
    key_lines = _credentials(provider.api_key, auth)
    return Upstream(
        name=name,
        pool=pool,
        path_prefix=prefix,
        root=_BELOW_ROOT.sub(b"", prefix),
        drops=b"/v1" if dialect == "openai" else b"/v1beta" if prefix.endswith(ON_VERTEX) else b"",
        head=head,
        key_lines=key_lines,
        keys=pools.keys(name, len(key_lines)),
        speaks=frozenset() if name == DEMO else frozenset((dialect,)),
        timeout=provider.timeout,
        drains=provider.on_disconnect == "drain",
        asks_usage=(row.ask_usage if row else dialect == "openai")
        if provider.ask_usage is None
        else provider.ask_usage,
        strips_metadata=provider.metadata == "strip",
        price_provider=row.name if row else name,
        health=pools.health(name),
        signer=pools.signer(provider, proxies),
        evidence=row.evidence if row else None,
    )


def _through(
    translator: Translator, upstream: Upstream, provider: Provider, proxies: Proxies, pools: Pools
) -> Upstream:
    """The provider as the translator's clients see it: it speaks theirs, and needs no signature from here."""
    (dialect,) = upstream.speaks
    url = urlsplit(provider.base_url or "")
    proxy = proxies.proxy_for(url.scheme, url.hostname or "", url.port)
    line = Line(translator, backend_of(upstream.name, provider, dialect, proxy))
    return msgspec.structs.replace(
        upstream,
        pool=pools.get(Origin(f"translation.{upstream.name}", 0, tls=False, dial=line), provider.max_connections),
        path_prefix=b"",
        drops=b"",
        head=b"host: translation.invalid\r\n",
        speaks=FAMILIES,
        asks_usage=True,
        signer=upstream.signer if upstream.signer is not None and upstream.signer.carries_on else None,
        evidence=None,
    )


def _credentials(api_key: str | list[str] | None, auth: str) -> tuple[bytes, ...]:
    keys = [api_key] if isinstance(api_key, str) else api_key or []
    lines = tuple(_AUTH_LINES[auth] % key.encode("latin-1") for key in keys if key and key != "none")
    return lines or (b"",)
