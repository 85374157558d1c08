"""The addresses of these pages; `gateway.dashboard.urls` has those of the others."""

from __future__ import annotations

from urllib.parse import quote

KEYS = "/settings/keys"
KEY = "/settings/keys/{key_id}"
KEY_ACTION = "/settings/keys/{key_id}/{action}"
TENANTS = "/settings/tenants"
TENANT = "/settings/tenants/{slug}"
TENANT_ACTION = "/settings/tenants/{slug}/{action}"
ENVIRONMENTS = "/settings/environments"
ENVIRONMENT_ACTION = "/settings/environments/{action}"
USERS = "/settings/users"
USER = "/settings/users/{user_id}"
USER_ACTION = "/settings/users/{user_id}/{action}"
ACCOUNT = "/settings/account"
ACCOUNT_ACTION = "/settings/account/{action}"
AUDIT = "/settings/audit"
PRIVACY = "/settings/privacy"
PRIVACY_ACTION = "/settings/privacy/{action}"
AUDIT_EXPORT = "/api/audit/export"


def key(key_id: str, action: str = "") -> str:
    return _of(KEY.format(key_id=quote(key_id, safe="")), action)


def tenant(slug: str, action: str = "") -> str:
    return _of(TENANT.format(slug=quote(slug, safe="")), action)


def environment(action: str) -> str:
    return _of(ENVIRONMENTS, action)


def user(user_id: str, action: str = "") -> str:
    return _of(USER.format(user_id=quote(user_id, safe="")), action)


def account(action: str = "") -> str:
    return _of(ACCOUNT, action)


def privacy(action: str) -> str:
    return _of(PRIVACY, action)


def _of(path: str, action: str) -> str:
    return f"{path}/{action}" if action else path
