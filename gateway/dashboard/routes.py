"""The addresses of the dashboard, what answers them, and who may use them."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from gateway.api.access import READ, READERS, Rule
from gateway.dashboard import assets, urls
from gateway.dashboard.components import components
from gateway.dashboard.detail import body, request_page
from gateway.dashboard.login import login, logout, preferences
from gateway.dashboard.overview import overview
from gateway.dashboard.requests import filter_values, peek, requests

RULES = (
    Rule(urls.STATIC, (), page=True),
    Rule(urls.LOGIN, (), methods=(*READ, "POST"), page=True),
    Rule(urls.LOGOUT, (), methods=("POST",), page=True),
    Rule(urls.PREFERENCES, (), page=True),
    Rule(urls.OVERVIEW, READERS, page=True),
    Rule(urls.REQUESTS, READERS, page=True),
    Rule(urls.FILTER_MENU, READERS, page=True),
    Rule(urls.REQUEST, READERS, page=True),
    Rule(urls.PEEK, READERS, page=True),
    Rule(urls.BODY, READERS, page=True),
    Rule(urls.COMPONENTS, READERS, page=True),
)
"""For the access middleware; a test finds routes that none of these covers."""


def routes() -> list[BaseRoute]:
    return [
        Route(urls.STATIC, assets.serve),
        Route(urls.LOGIN, login, methods=["GET", "POST"]),
        Route(urls.LOGOUT, logout, methods=["POST"]),
        Route(urls.PREFERENCES, preferences),
        Route(urls.OVERVIEW, overview),
        Route(urls.REQUESTS, requests),
        Route(urls.FILTER_MENU, filter_values),
        Route(urls.REQUEST, request_page),
        Route(urls.PEEK, peek),
        Route(urls.BODY, body),
        Route(urls.COMPONENTS, components),
    ]
