"""The addresses of the dashboard, what answers them, and who may use them."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from gateway.api.access import ADMINS, MEMBERS, READ, READERS, Rule
from gateway.dashboard import assets, urls
from gateway.dashboard.alert_rule import alert_rule_action, alert_rule_page
from gateway.dashboard.alerts import alerts_action, alerts_page
from gateway.dashboard.api_docs import api_docs
from gateway.dashboard.components import components
from gateway.dashboard.costs import costs
from gateway.dashboard.detail import request_page
from gateway.dashboard.filter_menu import filter_values
from gateway.dashboard.flight import in_flight, stop
from gateway.dashboard.jump import jump
from gateway.dashboard.login import login, logout, preferences, setup, single_sign_on
from gateway.dashboard.media import media
from gateway.dashboard.models import models
from gateway.dashboard.operations import configuration_page, operations_page, retry_action
from gateway.dashboard.overview import overview
from gateway.dashboard.playground import delete_conversation, playground, rename_conversation
from gateway.dashboard.raw import body, find, node
from gateway.dashboard.repeat import diff_page, replay_page
from gateway.dashboard.requests import peek, requests
from gateway.dashboard.settings import routes as settings
from gateway.dashboard.statement import statement_page
from gateway.dashboard.tags import tags
from gateway.dashboard.tenant import tenant_page
from gateway.dashboard.tenants import tenants_page
from gateway.dashboard.trace import trace_page
from gateway.dashboard.views import delete, save

RULES = (
    *settings.RULES,
    Rule(urls.STATIC, (), page=True),
    Rule(urls.LOGIN, (), methods=(*READ, "POST"), page=True),
    Rule(urls.SINGLE_SIGN_ON, (), page=True),
    Rule(urls.LOGOUT, READERS, methods=("POST",), page=True),
    Rule(urls.SETUP, ADMINS, methods=(*READ, "POST"), page=True, unbound=True),
    Rule(urls.PREFERENCES, READERS, page=True),
    Rule(urls.OVERVIEW, READERS, page=True),
    Rule(urls.REQUESTS, READERS, page=True),
    Rule(urls.FILTER_MENU, READERS, page=True),
    Rule(urls.REQUEST, READERS, page=True),
    Rule(urls.PEEK, READERS, page=True),
    Rule(urls.BODY, READERS, page=True),
    Rule(urls.IN_FLIGHT, READERS, page=True),
    Rule(urls.JUMP, READERS, page=True),
    Rule(urls.VIEWS, READERS, methods=("POST",), page=True),
    Rule(urls.VIEW, READERS, methods=("POST",), page=True),
    Rule(urls.NODE, READERS, page=True),
    Rule(urls.FIND, READERS, page=True),
    Rule(urls.MEDIA, READERS, page=True),
    Rule(urls.DIFF, READERS, page=True),
    Rule(urls.REPLAY, ADMINS, methods=(*READ, "POST"), page=True),  # it costs money
    Rule(urls.STOP, ADMINS, methods=("POST",), page=True),
    Rule(urls.TRACE, READERS, page=True),
    Rule(urls.COSTS, READERS, page=True),
    Rule(urls.ALERTS, READERS, page=True, unbound=True),
    Rule(urls.ALERTS_ACTION, ADMINS, methods=("POST",), page=True, unbound=True),
    Rule(urls.ALERT_RULE, READERS, page=True, unbound=True),
    Rule(urls.ALERT_RULE_ACTION, ADMINS, methods=("POST",), page=True, unbound=True),
    Rule(urls.STATEMENT, READERS, page=True),
    Rule(urls.MODELS, READERS, page=True),
    Rule(urls.TAGS, READERS, page=True),
    Rule(urls.TENANTS, READERS, page=True),
    Rule(urls.TENANT, READERS, page=True),
    Rule(urls.OPERATIONS, READERS, page=True, unbound=True),
    Rule(urls.RETRY_LETTERS, ADMINS, methods=("POST",), page=True, unbound=True),
    Rule(urls.CONFIGURATION, READERS, page=True, unbound=True),
    Rule(urls.PLAYGROUND, MEMBERS, page=True),
    Rule(urls.CONVERSATION, MEMBERS, page=True),
    Rule(urls.RENAME_CONVERSATION, MEMBERS, methods=("POST",), page=True),
    Rule(urls.DELETE_CONVERSATION, MEMBERS, methods=("POST",), page=True),
    Rule(urls.API_DOCS, READERS, page=True),
    Rule(urls.COMPONENTS, READERS, page=True),
)
"""For the access middleware; a test finds routes that none of these covers."""


def routes() -> list[BaseRoute]:
    return [
        *settings.routes(),
        Route(urls.STATIC, assets.serve),
        Route(urls.LOGIN, login, methods=["GET", "POST"]),
        Route(urls.SINGLE_SIGN_ON, single_sign_on),
        Route(urls.LOGOUT, logout, methods=["POST"]),
        Route(urls.SETUP, setup, methods=["GET", "POST"]),
        Route(urls.PREFERENCES, preferences),
        Route(urls.OVERVIEW, overview),
        Route(urls.REQUESTS, requests),
        Route(urls.FILTER_MENU, filter_values),
        Route(urls.IN_FLIGHT, in_flight),
        Route(urls.JUMP, jump),
        Route(urls.VIEWS, save, methods=["POST"]),
        Route(urls.VIEW, delete, methods=["POST"]),
        Route(urls.REQUEST, request_page),
        Route(urls.PEEK, peek),
        Route(urls.BODY, body),
        Route(urls.NODE, node),
        Route(urls.FIND, find),
        Route(urls.MEDIA, media),
        Route(urls.DIFF, diff_page),
        Route(urls.REPLAY, replay_page, methods=["GET", "POST"]),
        Route(urls.STOP, stop, methods=["POST"]),
        Route(urls.TRACE, trace_page),
        Route(urls.COSTS, costs),
        Route(urls.ALERTS, alerts_page),
        Route(urls.ALERTS_ACTION, alerts_action, methods=["POST"]),
        Route(urls.ALERT_RULE, alert_rule_page),
        Route(urls.ALERT_RULE_ACTION, alert_rule_action, methods=["POST"]),
        Route(urls.STATEMENT, statement_page),
        Route(urls.MODELS, models),
        Route(urls.TAGS, tags),
        Route(urls.TENANTS, tenants_page),
        Route(urls.TENANT, tenant_page),
        Route(urls.OPERATIONS, operations_page),
        Route(urls.RETRY_LETTERS, retry_action, methods=["POST"]),
        Route(urls.CONFIGURATION, configuration_page),
        Route(urls.PLAYGROUND, playground),
        Route(urls.CONVERSATION, playground),
        Route(urls.RENAME_CONVERSATION, rename_conversation, methods=["POST"]),
        Route(urls.DELETE_CONVERSATION, delete_conversation, methods=["POST"]),
        Route(urls.API_DOCS, api_docs),
        Route(urls.COMPONENTS, components),
    ]
