"""What answers at these addresses, and who may use them."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from gateway.api.access import ADMINS, MEMBERS, READ, READERS, Rule
from gateway.dashboard.settings import urls
from gateway.dashboard.settings.account import account_action, account_page
from gateway.dashboard.settings.audit import audit_page
from gateway.dashboard.settings.environments import environment_action, environments_page
from gateway.dashboard.settings.keys import key_action, key_page, keys_page
from gateway.dashboard.settings.privacy import privacy_action, privacy_page
from gateway.dashboard.settings.tenants import tenant_action, tenant_page, tenants_page
from gateway.dashboard.settings.users import user_action, user_page, users_page

POST = ("POST",)

RULES = (
    Rule(urls.KEYS, READERS, page=True),
    Rule(urls.KEYS, MEMBERS, methods=POST, page=True),
    Rule(urls.KEY, READERS, page=True),
    Rule(urls.KEY_ACTION, MEMBERS, methods=POST, page=True),
    Rule(urls.ENVIRONMENTS, READERS, page=True),
    Rule(urls.ENVIRONMENTS, MEMBERS, methods=POST, page=True),
    Rule(urls.ENVIRONMENT_ACTION, MEMBERS, methods=POST, page=True),
    Rule(urls.TENANTS, READERS, page=True),
    Rule(urls.TENANTS, ADMINS, methods=POST, page=True, unbound=True),
    Rule(urls.TENANT, READERS, page=True),
    Rule(urls.TENANT_ACTION, ADMINS, methods=POST, page=True, unbound=True),
    Rule(urls.USERS, ADMINS, methods=(*READ, "POST"), page=True, unbound=True),
    Rule(urls.USER, ADMINS, page=True, unbound=True),
    Rule(urls.USER_ACTION, ADMINS, methods=POST, page=True, unbound=True),
    Rule(urls.ACCOUNT, READERS, page=True, people=True),
    Rule(urls.ACCOUNT_ACTION, READERS, methods=POST, page=True, people=True),
    Rule(urls.PRIVACY, ADMINS, page=True, unbound=True),
    Rule(urls.PRIVACY_ACTION, ADMINS, methods=POST, page=True, unbound=True),
    Rule(urls.AUDIT, ADMINS, page=True, unbound=True),
)


def routes() -> list[BaseRoute]:
    both = ["GET", "POST"]
    return [
        Route(urls.KEYS, keys_page, methods=both),
        Route(urls.KEY, key_page),
        Route(urls.KEY_ACTION, key_action, methods=POST),
        Route(urls.ENVIRONMENTS, environments_page, methods=both),
        Route(urls.ENVIRONMENT_ACTION, environment_action, methods=POST),
        Route(urls.TENANTS, tenants_page, methods=both),
        Route(urls.TENANT, tenant_page),
        Route(urls.TENANT_ACTION, tenant_action, methods=POST),
        Route(urls.USERS, users_page, methods=both),
        Route(urls.USER, user_page),
        Route(urls.USER_ACTION, user_action, methods=POST),
        Route(urls.ACCOUNT, account_page),
        Route(urls.ACCOUNT_ACTION, account_action, methods=POST),
        Route(urls.PRIVACY, privacy_page),
        Route(urls.PRIVACY_ACTION, privacy_action, methods=POST),
        Route(urls.AUDIT, audit_page),
    ]
