"""What every handler starts from: who asks, for which period, zone and filters; and the frame around every page."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import cast

from msgspec import structs
from starlette.requests import Request

from gateway.api.access import MEMBERS, reader
from gateway.api.scope import scoped
from gateway.control.principal import Principal
from gateway.control.state import AppState
from gateway.core.key import Key
from gateway.dashboard import urls
from gateway.dashboard.filters import Filters, Pairs, from_query
from gateway.dashboard.format import moment
from gateway.dashboard.period import PRESETS, Period, parse, zone_of
from gateway.dashboard.query import span_filter
from gateway.dashboard.series import Palette
from gateway.dashboard.settings import urls as settings
from gateway.errors import StoreError
from gateway.store.base import SpanFilter, TagValue

ZONE_COOKIE = "callgate_zone"
ON_PHONE = (urls.OVERVIEW, urls.REQUESTS, urls.COSTS, settings.KEYS, urls.OPERATIONS)
"""A phone has room for five."""


@dataclass(frozen=True)
class NavItem:
    label: str
    icon: str
    href: str
    is_current: bool
    on_phone: bool = True


@dataclass(frozen=True)
class Choice:
    """A row of a menu."""

    label: str
    href: str
    is_current: bool
    note: str = ""


@dataclass(frozen=True)
class PeriodPicker:
    label: str
    presets: list[Choice]
    before: str
    after: str
    """Empty where the period ends now."""
    from_value: str
    to_value: str
    """For `datetime-local` fields, in the shown zone."""
    hidden: Pairs
    path: str
    zone: str
    utc_link: str


@dataclass(frozen=True)
class Shell:
    """The frame: navigation, top bar, and what a fragment leaves out."""

    title: str
    nav: list[tuple[str, list[NavItem]]]
    is_fragment: bool = False
    """Asked for by htmx: only the view, not the frame."""
    period: PeriodPicker | None = None
    environments: list[Choice] = field(default_factory=list)
    environment: str = ""
    who: str = ""
    """Name and role of the key that is logged in."""
    search_hidden: Pairs = ()
    version: str = ""
    has_frame: bool = True
    """Without navigation: the login page."""


@dataclass
class View:
    request: Request
    state: AppState
    principal: Principal
    now_us: int
    period: Period
    filters: Filters
    kept: Pairs = ()
    """What else the URL of this page holds, which its period and environment menus must keep."""
    problems: list[str] = field(default_factory=list)
    """Filters of the URL that could not be read, in words."""

    @property
    def scope(self) -> Pairs:
        """What links to other pages carry along: the period and the environment."""
        environments = tuple(("environment", value) for value in self.filters.values("environment"))
        return (*environments, *self.period.query.items())

    def which(self, *, period: bool = True) -> SpanFilter:
        """The filter of the URL, within what this person may see."""
        found, self.problems = span_filter(self.filters.pairs, now_us=self.now_us)
        if period:
            found = structs.replace(found, from_us=self.period.from_us, to_us=self.period.to_us)
        return self.own(found)

    def before(self) -> SpanFilter:
        from_us, to_us = self.period.before
        return structs.replace(self.which(), from_us=from_us, to_us=to_us)

    def own(self, which: SpanFilter) -> SpanFilter:
        return scoped(which, self.principal)

    def key_names(self) -> dict[str, str]:
        """By id, for people."""
        return {key.key_id: key.name for key in self.all_keys()}

    def key(self, key_id: str | None) -> Key | None:
        return next((key for key in self.all_keys() if key.key_id == key_id), None)

    def all_keys(self) -> list[Key]:
        keyring = self.state.keyring
        return keyring.keys()

    def palette(self) -> Palette:
        """One for the process, kept beside the application's state."""
        state = self.request.app.state
        if not hasattr(state, "dashboard_palette"):
            state.dashboard_palette = Palette()
        return cast(Palette, state.dashboard_palette)


def open_view(request: Request, *, path: str = urls.REQUESTS) -> View:
    now_us = time.time_ns() // 1000
    zone = zone_of(request.query_params.get("tz") or request.cookies.get(ZONE_COOKIE))
    period = parse(request.query_params, now_us=now_us, zone=zone)
    query = request.query_params.multi_items()
    extra = tuple(period.query.items())
    filters = from_query(query, extra=extra, path=path)
    return View(request, request.app.state.callgate, reader(request), now_us, period, filters)


async def make_shell(view: View, title: str, current: str, *, has_period: bool = True) -> Shell:
    environments = await _environments(view) if has_period else []
    chosen = view.filters.values("environment")
    return Shell(
        title=title,
        nav=_nav(view, current),
        is_fragment=view.request.headers.get("hx-target") == "view",
        period=_picker(view) if has_period else None,
        environments=environments,
        environment=chosen[0] if len(chosen) == 1 else f"{len(chosen)} environments" if chosen else "All environments",
        who=f"{view.principal.name} · {view.principal.role}",
        search_hidden=view.scope,
        version=view.state.version,
    )


def bare_shell(title: str) -> Shell:
    """For pages that stand alone: login, and errors before anybody is known."""
    return Shell(title=title, nav=[], has_frame=False)


def _nav(view: View, current: str) -> list[tuple[str, list[NavItem]]]:
    scope = view.scope
    system = [] if view.principal.is_bound else [("System", "Operations", "pulse", urls.OPERATIONS, urls.operations())]
    if not view.principal.is_bound:
        system.append(("System", "Alerts", "bell", urls.ALERTS, urls.alerts()))
    pages = [
        ("", "Overview", "home", urls.OVERVIEW, urls.overview(scope)),
        ("", "Requests", "list", urls.REQUESTS, urls.requests(scope)),
        ("", "Costs", "coins", urls.COSTS, urls.costs(scope)),
        ("", "Models", "spark", urls.MODELS, urls.models(scope)),
        ("", "Tags", "filter", urls.TAGS, urls.tags(scope)),
        ("", "Tenants", "users", urls.TENANTS, urls.tenants(scope)),
        ("Settings", "Keys", "key", settings.KEYS, settings.KEYS),
        ("Settings", "Environments", "gauge", settings.ENVIRONMENTS, settings.ENVIRONMENTS),
        ("Settings", "Tenants", "inbox", settings.TENANTS, settings.TENANTS),
        *system,
        ("System", "API", "term", urls.API_DOCS, urls.API_DOCS),
        ("System", "Components", "cols", urls.COMPONENTS, urls.components()),
    ]
    if view.principal.role in MEMBERS:
        pages.insert(-1, ("", "Playground", "play", urls.PLAYGROUND, urls.playground()))
    if view.principal.role == "admin" and not view.principal.is_bound:
        pages.append(("Settings", "Users", "users", settings.USERS, settings.USERS))
        pages.append(("Settings", "Privacy", "scale", settings.PRIVACY, settings.PRIVACY))
        pages.append(("Settings", "Audit", "doc", settings.AUDIT, settings.AUDIT))
    if view.principal.user_id is not None:
        pages.append(("Settings", "Account", "gear", settings.ACCOUNT, settings.ACCOUNT))
    groups: dict[str, list[NavItem]] = {}
    for group, label, icon, path, href in pages:
        groups.setdefault(group, []).append(NavItem(label, icon, href, path == current, path in ON_PHONE))
    return list(groups.items())


def _picker(view: View) -> PeriodPicker:
    period, filters, path = view.period, view.filters, view.request.url.path
    kept = (*filters.pairs, *view.kept)
    local = "%Y-%m-%dT%H:%M"
    ends_now = period.is_sliding or period.to_us >= view.now_us
    return PeriodPicker(
        label=period.label,
        presets=[
            Choice(p.label, urls.with_query(path, (*kept, ("period", p.key))), p.key == period.key) for p in PRESETS
        ],
        before=urls.with_query(path, (*kept, *period.shifted(-1).items())),
        after="" if ends_now else urls.with_query(path, (*kept, *period.shifted(1).items())),
        from_value=format(moment(period.from_us, period.zone), local),
        to_value=format(moment(period.to_us, period.zone), local),
        hidden=kept,
        path=path,
        zone=period.zone.key,
        utc_link=urls.with_query(urls.PREFERENCES, {"zone": "UTC", "next": _here(view.request)}),
    )


def _here(request: Request) -> str:
    return urls.with_query(request.url.path, request.query_params.multi_items())


async def _environments(view: View) -> list[Choice]:
    values = await listed_values(view, "environment")
    if not values:
        return []
    rest = (*view.filters.query(without=("environment",)), *view.period.query.items(), *view.kept)
    path = view.request.url.path
    chosen = view.filters.values("environment")
    everything = Choice("All environments", urls.with_query(path, rest), not chosen)
    return [everything] + [
        Choice(v.value, urls.with_query(path, (("environment", v.value), *rest)), chosen == [v.value]) for v in values
    ]


async def listed_values(view: View, name: str) -> list[TagValue]:
    """Of a field, for a menu; nothing while the store is down, since a menu must not take the page with it."""
    try:
        return await view.state.store.field_values(name)
    except StoreError:
        return []
