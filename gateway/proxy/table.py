"""Where a model lives: settings compiled into what a call needs, so that nothing is looked up twice."""

from __future__ import annotations

import time

import msgspec

from gateway.core.providers import DEMO
from gateway.core.proxies import Proxies
from gateway.core.routing import Member, Route, RoutePolicy
from gateway.core.routing.build import CircleError, Place, UnroutableError, breaker_of, route_of
from gateway.core.routing.names import Names
from gateway.dialects import DECIDED, Dialect
from gateway.errors import CallError
from gateway.proxy.pools import Pools
from gateway.proxy.providers import through_translator, upstream_of
from gateway.proxy.target import Target, Upstream, Way, target_of
from gateway.settings import Provider, Settings
from gateway.translation import can_translate
from pricing import Catalog, Usage

_MOST_REMEMBERED = 10_000
_A_THOUSAND_EACH = Usage(input_tokens=1000, output_tokens=1000)


class Table:
    """Settings, compiled. Replaced whole on a reload; connection pools and what is known of targets live on in
    `pools`."""

    def __init__(self, settings: Settings, proxies: Proxies, catalog: Catalog, pools: Pools) -> None:
        self.settings = settings
        self.catalog = catalog
        self.upstreams = {
            name: upstream_of(name, provider, proxies, pools) for name, provider in settings.providers.items()
        }
        if DEMO not in self.upstreams:
            self.upstreams[DEMO] = upstream_of(DEMO, Provider(), proxies, pools)
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

    def without_model(self, family: str = "") -> Way:
        """Where a path without a model goes: the default provider, or where that does not speak the path's family of
        dialects the first one that does. CallError 404 without either."""
        default = self.default
        if family and (default is None or (default.speaks and family not in default.speaks)):
            speaks = (self.upstreams[name] for name in self._order if family in self.upstreams[name].speaks)
            default = next(speaks, default)
        if default is None:
            raise CallError(
                404,
                "model_not_found",
                "This path names no model and there is no default provider. Set `default_provider`, or call "
                "/p/{provider}/… to say which provider is meant.",
                error_type="invalid_request",
            )
        return self.named(default.name, None)

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
            through = through_translator(translator, upstream, provider, self._proxies, self._pools)
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
