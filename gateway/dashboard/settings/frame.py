"""What the pages of Settings share: their tabs, a secret that is shown once, forms that come back with a problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.control.identity import Identity
from gateway.control.principal import Principal, SignInRefused, small_form
from gateway.control.state import AppState
from gateway.dashboard.format import moment
from gateway.dashboard.settings import urls
from gateway.dashboard.view import Choice, Shell, View, make_shell, open_view
from gateway.errors import ControlError


@dataclass(frozen=True)
class Secret:
    """Shown on the answer to the form that made it, and never again."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Frame:
    """The part of a page's context that all of them have."""

    tabs: list[Choice]
    problem: str = ""
    secret: Secret | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    """What was filled in, to be put right."""


@dataclass
class Desk:
    """What a handler works with."""

    view: View
    shell: Shell
    tabs: list[Choice]

    @property
    def principal(self) -> Principal:
        return self.view.principal

    @property
    def state(self) -> AppState:
        return self.view.state

    @property
    def identity(self) -> Identity:
        return self.view.state.identity

    @property
    def is_manager(self) -> bool:
        """May make keys and environments."""
        return self.principal.role in ("member", "admin")

    @property
    def is_admin(self) -> bool:
        """Of everything."""
        return self.principal.role == "admin" and not self.principal.is_bound

    def frame(self, problem: str = "", secret: Secret | None = None, form: Mapping[str, str] | None = None) -> Frame:
        return Frame(self.tabs, problem, secret, form or {})

    def when(self, us: int | None) -> str:
        """Date and time in the zone that is shown; empty for never."""
        return f"{moment(us, self.view.period.zone):%Y-%m-%d %H:%M}" if us else ""

    def day(self, us: int | None) -> str:
        return self.when(us)[:10]


async def desk(request: Request, title: str, current: str) -> Desk:
    view = open_view(request, path=current)
    shell = await make_shell(view, title, current, has_period=False)
    return Desk(view, shell, _tabs(view.principal, current))


def _tabs(principal: Principal, current: str) -> list[Choice]:
    pages = [("Keys", urls.KEYS), ("Environments", urls.ENVIRONMENTS), ("Tenants", urls.TENANTS)]
    if principal.role == "admin" and not principal.is_bound:
        pages += [("Users", urls.USERS), ("Privacy", urls.PRIVACY), ("Audit", urls.AUDIT)]
    if principal.user_id is not None:
        pages.append(("Account", urls.ACCOUNT))
    return [Choice(label, path, path == current) for label, path in pages]


async def form_of(request: Request) -> dict[str, str]:
    """Raises ControlError for one that cannot be read."""
    try:
        return await small_form(request)
    except SignInRefused as exc:
        raise ControlError(str(exc)) from exc


def words(text: str) -> list[str]:
    """Of a field that takes several, apart by commas, spaces or lines."""
    return text.replace(",", " ").split()


def done(path: str) -> Response:
    """See the change: a reload repeats the look, not the change."""
    return RedirectResponse(path, 303)
