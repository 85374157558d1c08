"""The addresses of the dashboard, what answers them, and who may use them."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from gateway.api.access import READERS, Rule
from gateway.dashboard import assets, urls
from gateway.dashboard.overview import overview

RULES = (
    Rule(urls.STATIC, (), page=True),
    Rule(urls.OVERVIEW, READERS, page=True),
)
"""For the access middleware; a test finds routes that none of these covers."""


def routes() -> list[BaseRoute]:
    return [
        Route(urls.STATIC, assets.serve),
        Route(urls.OVERVIEW, overview),
    ]
