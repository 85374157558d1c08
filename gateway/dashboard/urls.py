"""Every URL of the dashboard, made in one place; templates get this module as `urls`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlencode

from gateway.dashboard import assets

OVERVIEW = "/"
REQUESTS = "/requests"
REQUEST = "/requests/{request_id}"
PEEK = "/requests/{request_id}/peek"
BODY = "/requests/{request_id}/body/{which}"
DIFF = "/requests/{request_id}/diff"
REPLAY = "/requests/{request_id}/replay"
STOP = "/requests/{request_id}/stop"
MEDIA = "/requests/{request_id}/media/{digest}"
NODE = "/requests/{request_id}/node/{which}"
FIND = "/requests/{request_id}/find/{which}"
IN_FLIGHT = "/requests/in-flight"
JUMP = "/requests/jump"
VIEWS = "/requests/views"
VIEW = "/requests/views/{view_id}/delete"
COSTS = "/costs"
ALERTS = "/alerts"
ALERTS_ACTION = "/alerts/{action}"
ALERT_RULE = "/alerts/rules/{name}"
ALERT_RULE_ACTION = "/alerts/rules/{name}/{action}"
STATEMENT = "/costs/statement/{tenant:path}"
MODELS = "/models"
TAGS = "/tags"
TENANTS = "/tenants"
TENANT = "/tenants/{tenant:path}"
OPERATIONS = "/operations"
RETRY_LETTERS = "/operations/dead-letters/retry"
CONFIGURATION = "/operations/configuration/{number}"
PLAYGROUND = "/playground"
CONVERSATION = "/playground/{conversation_id}"
RENAME_CONVERSATION = "/playground/{conversation_id}/rename"
DELETE_CONVERSATION = "/playground/{conversation_id}/delete"
TRACE = "/traces/{trace_id}"
FILTER_MENU = "/requests/filter-values"
LOGIN = "/login"
SINGLE_SIGN_ON = "/login/{step}"
LOGOUT = "/logout"
SETUP = "/setup"
PREFERENCES = "/dashboard/preferences"
COMPONENTS = "/dashboard/components"
API_DOCS = "/api/docs"
STATIC = "/static/{version}/{path:path}"
LIVE = "/api/requests/stream"
EXPORT = "/api/requests/export"

Query = Mapping[str, str] | Iterable[tuple[str, str]]


def with_query(path: str, query: Query = ()) -> str:
    pairs = list(query.items()) if isinstance(query, Mapping) else list(query)
    text = urlencode([(key, value) for key, value in pairs if value != ""], quote_via=quote, safe=":/,*")
    return f"{path}?{text}" if text else path


def overview(query: Query = ()) -> str:
    return with_query(OVERVIEW, query)


def requests(query: Query = ()) -> str:
    return with_query(REQUESTS, query)


def request(request_id: str, query: Query = ()) -> str:
    return with_query(REQUEST.format(request_id=quote(request_id, safe="")), query)


def peek(request_id: str, query: Query = ()) -> str:
    return with_query(PEEK.format(request_id=quote(request_id, safe="")), query)


def body(request_id: str, which: str) -> str:
    """`which` is `request`, `response` or `text`."""
    return BODY.format(request_id=quote(request_id, safe=""), which=which)


def diff(request_id: str, other: str = "") -> str:
    return with_query(DIFF.format(request_id=quote(request_id, safe="")), {"with": other})


def replay(request_id: str) -> str:
    return REPLAY.format(request_id=quote(request_id, safe=""))


def stop(request_id: str) -> str:
    return STOP.format(request_id=quote(request_id, safe=""))


def media(request_id: str, digest: str) -> str:
    return MEDIA.format(request_id=quote(request_id, safe=""), digest=digest)


def node(request_id: str, which: str, query: Query = ()) -> str:
    return with_query(NODE.format(request_id=quote(request_id, safe=""), which=which), query)


def find(request_id: str, which: str) -> str:
    return FIND.format(request_id=quote(request_id, safe=""), which=which)


def in_flight(query: Query = ()) -> str:
    return with_query(IN_FLIGHT, query)


def view(view_id: str) -> str:
    """Where a saved view is deleted."""
    return VIEW.format(view_id=quote(view_id, safe=""))


def costs(query: Query = ()) -> str:
    return with_query(COSTS, query)


def alerts(query: Query = ()) -> str:
    return with_query(ALERTS, query)


def alerts_action(action: str) -> str:
    return ALERTS_ACTION.format(action=action)


def alert_rule(name: str, action: str = "") -> str:
    path = ALERT_RULE.format(name=quote(name, safe=""))
    return f"{path}/{action}" if action else path


def statement(tenant: str, query: Query = ()) -> str:
    return with_query(STATEMENT.replace("{tenant:path}", quote(tenant, safe="")), query)


def models(query: Query = ()) -> str:
    return with_query(MODELS, query)


def tags(query: Query = ()) -> str:
    return with_query(TAGS, query)


def tenants(query: Query = ()) -> str:
    return with_query(TENANTS, query)


def tenant(name: str, query: Query = ()) -> str:
    """Its usage; who may call as it is among the settings."""
    return with_query(TENANT.replace("{tenant:path}", quote(name, safe="")), query)


def operations(query: Query = ()) -> str:
    return with_query(OPERATIONS, query)


def retry_letters() -> str:
    return RETRY_LETTERS


def configuration(number: int) -> str:
    return CONFIGURATION.format(number=number)


def playground(conversation_id: str = "", query: Query = ()) -> str:
    path = CONVERSATION.format(conversation_id=quote(conversation_id, safe="")) if conversation_id else PLAYGROUND
    return with_query(path, query)


def rename_conversation(conversation_id: str) -> str:
    return RENAME_CONVERSATION.format(conversation_id=quote(conversation_id, safe=""))


def delete_conversation(conversation_id: str) -> str:
    return DELETE_CONVERSATION.format(conversation_id=quote(conversation_id, safe=""))


def trace(trace_id: str, query: Query = ()) -> str:
    return with_query(TRACE.format(trace_id=quote(trace_id, safe="")), query)


def filter_menu(query: Query = ()) -> str:
    return with_query(FILTER_MENU, query)


def login(then: str = "") -> str:
    return with_query(LOGIN, {"next": then})


def single_sign_on(then: str = "") -> str:
    return with_query(SINGLE_SIGN_ON.format(step="start"), {"next": then})


def logout() -> str:
    return LOGOUT


def setup() -> str:
    return SETUP


def components() -> str:
    return COMPONENTS


def live(query: Query = ()) -> str:
    return with_query(LIVE, query)


def export(query: Query = ()) -> str:
    return with_query(EXPORT, query)


def static(path: str) -> str:
    return STATIC.replace("{version}", assets.version()).replace("{path:path}", path)


def icon(name: str) -> str:
    return f"{static('icons.svg')}#{name}"


def is_local(target: str) -> bool:
    """May be redirected to after a login: a path of ours, and nothing a browser takes for another host."""
    return target.startswith("/") and not target.startswith(("//", "/\\")) and not any(ord(c) < 32 for c in target)
