"""Everything that is not model traffic, as one ASGI application: in the workers, and in the annex."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware

from gateway import api, dashboard
from gateway.annex.way import AnnexMiddleware, Way
from gateway.api import models
from gateway.api.access import DELEGATED, AccessMiddleware
from gateway.control.state import AppState


def make_app(state: AppState, way: Way | None = None) -> Starlette:
    """With a way to the annex, what it can answer is left to it."""
    rules = [*dashboard.RULES, *api.RULES, *DELEGATED]
    middleware = [Middleware(AccessMiddleware, rules=rules, not_found=dashboard.not_found)]
    if way is not None:
        middleware.append(Middleware(AnnexMiddleware, way=way))
    app = Starlette(
        routes=[*api.routes(), *models.routes(), *dashboard.routes()],
        middleware=middleware,
        exception_handlers=dict(dashboard.exception_handlers()),
    )
    app.state.callgate = state
    api.answer_others(app)
    return app
