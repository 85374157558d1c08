"""Pages out of templates. A page is a dataclass that names its template; its fields are all the template may use."""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from typing import Any, ClassVar, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from gateway.api.access import SECURITY_HEADERS
from gateway.dashboard import assets, format, urls  # noqa: A004 - the module of numbers
from gateway.dashboard.bodies import tree_of
from gateway.dashboard.failures import status as status_of
from gateway.dashboard.prose import visible
from gateway.dashboard.shapes import provider_tile

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data:",
        "media-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    **SECURITY_HEADERS,  # the page of an unexpected error is made outside the middleware that adds them
    "content-security-policy": POLICY,
    "vary": "hx-request, hx-target, cookie",
}


class Page(Protocol):
    template: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


def _shown(value: Any) -> Any:
    """Every string a template prints, before it is escaped: names and tags come from strangers as well."""
    return visible(value) if type(value) is str else value


@lru_cache(maxsize=1)
def environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(assets.folder("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.globals.update(urls=urls, provider_tile=provider_tile, status_of=status_of, number=format, tree_of=tree_of)
    return found


def html(page: Page) -> str:
    # not asdict(): that copies deeply, and templates want the objects
    context = {name.name: getattr(page, name.name) for name in fields(page)}
    return environment().get_template(page.template).render(context)


def respond(page: Page, status: int = 200, headers: dict[str, str] | None = None) -> HTMLResponse:
    return HTMLResponse(html(page), status, {**HEADERS, **(headers or {})})
