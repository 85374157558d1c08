"""Whether what `models` says leads somewhere: to providers that are there, not in circles, with parts that add up."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from gateway.core.document import Path, Problem
from gateway.core.providers import DEMO, known, nearest
from gateway.core.routing import CircleError, Names
from gateway.core.routing.build import UnroutableError, as_target, stops
from gateway.settings import Settings
from gateway.settings.routes import ModelRoute, RouteTarget


def misrouted(settings: Settings) -> Iterator[Problem]:
    """Of `models`. Everything that can be known before a client asks is said here."""
    names = Names(settings.models)
    for name, value in settings.models.items():
        at = ("models", name)
        if not name.strip() or name.count("*") > 1:
            yield Problem(at, "is no name for a model; a pattern has one *, as in anthropic/*")
            continue
        if isinstance(value, ModelRoute):
            found = list(_route(name, value, settings, at))
            yield from found or _ways(name, value, names, at)
            continue
        problems = list(_destination(name, value, settings, at))
        try:
            names.followed(value if "*" in name else name)
        except CircleError as circle:
            if name == min(circle.path[circle.path.index(circle.path[-1]) :]):  # said once, not of each name in it
                problems.append(Problem(at, f"{circle}; let one of them be provider/model"))
        yield from problems


def _route(name: str, route: ModelRoute, settings: Settings, at: Path) -> Iterator[Problem]:
    seen: set[str] = set()
    for part, written in (("targets", route.targets), ("fallbacks", route.fallbacks)):
        for index, target in enumerate(written):
            model = as_target(target).model
            yield from _destination(name, model, settings, _model_at(target, (*at, part, index)))
            if model in seen:
                yield Problem((*at, part, index), f"{model} is there twice; keep one, with the weight of both")
            seen.add(model)
    targets = [as_target(target) for target in route.targets]
    shares = sum(target.share or 0 for target in targets)
    if shares > 1 + 1e-9:
        yield Problem((*at, "targets"), f"have shares of {shares:g} together; they are parts of all calls, at most 1")
    if not any(target.weight or target.share for target in targets):
        yield Problem((*at, "targets"), "have no weight at all; give one of them more than 0")
    if route.region is not None and not any(target.region == route.region for target in targets):
        yield Problem((*at, "region"), f"is {route.region}, where no target is; add `region: {route.region}` to one")


def _ways(name: str, route: ModelRoute, names: Names, at: Path) -> Iterator[Problem]:
    """What is wrong with a route once its aliases are followed."""
    try:
        stops(route, names, (name,))
    except CircleError as circle:
        yield Problem(at, f"{circle}; take one of them out")
    except UnroutableError as error:
        yield Problem((*at, "targets"), str(error))


def _model_at(target: RouteTarget | str, at: Path) -> Path:
    return at if isinstance(target, str) else (*at, "model")


def _destination(name: str, target: str, settings: Settings, at: Path) -> Iterator[Problem]:
    provider, slash, model = target.partition("/")
    if "*" in target and "*" not in name:
        yield Problem(at, f"'{target}' has a *, but {name} has none that it could take over")
    elif target.count("*") > 1:
        yield Problem(at, f"'{target}' has more than one *")
    elif target in settings.models:
        return  # an alias or route, checked on its own; one of the same name is the model itself
    elif not target.strip() or (slash and not (provider and model)):
        yield Problem(at, f"'{target}' is not a model; write provider/model")
    elif not slash and target in settings.providers:
        yield Problem(at, f"'{target}' is a provider; write {target}/MODEL")
    elif slash and "*" not in provider and provider not in settings.providers and not _served(target, settings):
        yield Problem(at, nowhere(provider, settings))


def _served(target: str, settings: Settings) -> bool:
    """Whether a model whose name has a slash of its own is claimed by a provider, or goes to the default one."""
    if any(target in provider.models for provider in settings.providers.values()):
        return True
    prefix = target.partition("/")[0]
    return settings.default_provider is not None and not get_close_matches(prefix, settings.providers, n=1, cutoff=0.8)


def nowhere(name: str, settings: Settings) -> str:
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
