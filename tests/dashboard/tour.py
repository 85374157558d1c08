"""Every page with its address, and what makes each of them have something to show: for browser tests and pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping

from playwright.sync_api import APIResponse, BrowserContext

from tests.dashboard.installation import Installation

TRACE = "0af7651916cd43dd8448eb211c80319c"
EMAIL, PASSWORD = "ann@example.com", "correct horse battery"
OURS = {"sec-fetch-site": "same-origin", "accept": "text/html"}
PAGES = {
    "overview": "/",
    "overview-30d": "/?period=30d",
    "requests": "/requests",
    "peek": "/requests?peek={request}",
    "empty-filter": "/requests?model=gpt-5&tag.feature=nobody",
    "request": "/requests/{request}",
    "request-body": "/requests/{request}?tab=request",
    "response-body": "/requests/{request}?tab=response",
    "headers": "/requests/{request}?tab=headers",
    "diff": "/requests/{request}/diff",
    "replay": "/requests/{request}/replay",
    "trace": "/traces/{trace}",
    "costs": "/costs?period=30d",
    "costs-user": "/costs?period=7d&by=user&a=acme-user-000&b=acme-user-001",
    "statement": "/costs/statement/acme",
    "models": "/models?period=7d",
    "models-providers": "/models?period=7d&by=provider",
    "tags": "/tags?period=7d&of=feature",
    "tenants-usage": "/tenants?period=7d",
    "tenant-usage": "/tenants/acme?period=7d",
    "playground": "/playground",
    "conversation": "/playground/{conversation}",
    "keys": "/settings/keys",
    "key": "/settings/keys/{key}",
    "environments": "/settings/environments",
    "tenants": "/settings/tenants",
    "tenant": "/settings/tenants/acme",
    "users": "/settings/users",
    "user": "/settings/users/{user}",
    "account": "/settings/account",
    "privacy": "/settings/privacy",
    "audit": "/settings/audit",
    "operations": "/operations",
    "configuration": "/operations/configuration/2",
    "alerts": "/alerts",
    "alert-rule": "/alerts/rules/slow-answers",
    "alert-firing": "/alerts/rules/provider-errors",
    "api-docs": "/api/docs",
    "api": "/api/docs",
    "components": "/dashboard/components",
    "error": "/nowhere",
}
BEFORE_SIGNING_IN = {"login": "/login"}
TALK = {
    "models": ["openai/gpt-5", "demo/echo"],
    "rounds": [
        {
            "text": "Which of the two is **shorter**?",
            "answers": [{"model": "openai/gpt-5", "text": "The *first*."}, {"model": "demo/echo", "text": "Both."}],
        }
    ],
}


def set_up(made: Installation, base: str, context: BrowserContext) -> None:
    """The printed link, then the first account: the browser is Ann's from here on."""
    assert context.request.get(base + made.sign_in).ok
    post(context, f"{base}/setup", email=EMAIL, name="Ann", password=PASSWORD, again=PASSWORD)


def sign_in(base: str, context: BrowserContext) -> None:
    post(context, f"{base}/login", email=EMAIL, password=PASSWORD)


def furnish(base: str, context: BrowserContext, request_id: str) -> Mapping[str, str]:
    """Keys, people, a rule and so on, made as a person makes them; what stands in the braces of `PAGES`."""
    for slug, name in (("acme", "Acme"), ("globex", "Globex Corporation")):
        post(context, f"{base}/settings/tenants", slug=slug, name=name)
    post(context, f"{base}/settings/tenants/globex/suspend")
    post(context, f"{base}/settings/environments", name="production")
    post(context, f"{base}/settings/environments", name="staging", tenant="acme")
    post(context, f"{base}/settings/keys", name="checkout", role="app", tenant="acme", models="gpt-* fast")
    post(context, f"{base}/settings/keys", name="reports", role="viewer", networks="10.0.0.0/8")
    post(context, f"{base}/settings/users", email="bob@example.com", role="viewer", tenant="acme", password=PASSWORD)
    post(context, f"{base}/settings/privacy/policy", scope="tenant", match="acme", payloads="hash")
    rule = {"name": "slow-answers", "metric": "latency_p95_ms", "way": "above", "limit": "2000", "severity": "error"}
    post(context, f"{base}/alerts/create", **rule)
    talk = context.request.post(f"{base}/api/playground/conversations", data={"talk": TALK}, headers=OURS)
    assert talk.ok, talk.text()
    return {
        "request": request_id,
        "trace": TRACE,
        "conversation": talk.json()["id"],
        "key": first(context, f"{base}/settings/keys", r'href="/settings/keys/([0-9a-f-]{36})"'),
        "user": first(context, f"{base}/settings/users", r'href="/settings/users/([^"/]+)"'),
    }


def post(context: BrowserContext, address: str, **form: str) -> APIResponse:
    answer = context.request.post(address, form=form, headers=OURS)  # type: ignore[arg-type]  # its dict is invariant
    assert answer.ok, f"{address} answered {answer.status}: {answer.text()[:2000]}"
    return answer


def first(context: BrowserContext, address: str, pattern: str) -> str:
    found = re.search(pattern, context.request.get(address, headers=OURS).text())
    assert found is not None, f"{address} has no {pattern}"
    return found[1]
