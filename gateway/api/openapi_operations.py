"""What every operation of the API takes and answers, a line each; `openapi` makes the document of it."""

from __future__ import annotations

from typing import Any

from gateway.api import (
    alerts,
    conversations,
    explain,
    export,
    inflight,
    keys,
    limits,
    menus,
    operations,
    playground,
    privacy,
    record,
    replay,
    requests,
    runaway,
    spend,
    tenants,
    totals,
    usage,
    user_sessions,
    users,
)
from gateway.api import openapi_shapes as shapes
from gateway.api.filters import AMOUNTS, MAX_LIMIT, ORDERS, PERIODS, TEXT_FIELDS
from gateway.api.identity_record import AuditRecord, EnvironmentRecord, KeyRecord, TenantRecord, UserRecord
from gateway.api.openapi_shapes import Listed, Operation, Parameter
from gateway.control.comparison import DIMENSIONS
from gateway.control.erasure import Certificate
from gateway.recorder.retry import Outcome
from gateway.settings.alerts import AlertRule
from gateway.store.base import TagKey, TagValue


def _words(name: str, about: str) -> Parameter:
    return Parameter(name, about, {"type": "array", "items": {"type": "string"}})


def _choice(name: str, values: Any, about: str) -> Parameter:
    return Parameter(name, about, {"type": "string", "enum": list(values)})


def _limit(most: int, default: int) -> Parameter:
    return Parameter("limit", "Items at most.", {"type": "integer", "minimum": 1, "maximum": most, "default": default})


CURSOR = Parameter("cursor", "`next_cursor` or `prev_cursor` of an answer before.")
TIME_ZONE = Parameter("time_zone", "Whose days: an IANA name, e.g. Europe/Berlin.", {"type": "string"})
FILTERS = (
    Parameter("from", "ISO 8601, inclusive; a date is its midnight, without an offset it is UTC."),
    Parameter("to", "ISO 8601, exclusive."),
    _choice("period", PERIODS, "Before `to`, which is now without one; not together with `from`."),
    *(_words(name, f"The {name.replace('_', ' ')} of the call.") for name in TEXT_FIELDS),
    _words("status", "`ok`, `error`, a code `429`, a class `5xx`, or an error type."),
    Parameter("stream", "Streams only, or whole answers only.", {"type": "boolean"}),
    *(Parameter(name, "Inclusive, decimal.", {"type": "number", "minimum": 0}) for name in AMOUNTS),
    Parameter("unpriced", "Calls that used something and have no price.", {"type": "boolean"}),
    Parameter("q", "Text in previews, ids and error messages."),
)
MENU = (*FILTERS, Parameter("prefix", "What values begin with."), _limit(MAX_LIMIT, 200))
BY = ("day", "hour", "model", "provider", "provider_model", "tenant", "environment", "key", "feature", "user")

CALLS, MONEY, INSTALLATION, PEOPLE = "Requests", "Totals and money", "Installation", "People and keys"
PRIVACY, ALERTS, LIMITS = "Privacy and audit", "Alerts", "Limits and budgets"
PLAYGROUND, ROUTES, MENUS, STATE = "Playground", "Routes", "Menus", "State"

NDJSON, CSV = "application/x-ndjson", "text/csv; charset=utf-8"

OPERATIONS = {
    "GET /healthz": Operation(group=STATE, summary="The process answers", answer=shapes.Alive),
    "GET /readyz": Operation(
        group=STATE, summary="Whether calls may be sent here", answer=shapes.Readiness, also=(503,)
    ),
    "GET /metrics": Operation(
        group=STATE,
        summary="Metrics for Prometheus",
        media=("text/plain; version=0.0.4; charset=utf-8", "application/openmetrics-text; version=1.0.0"),
    ),
    "GET /api/openapi.json": Operation(group=STATE, summary="This document", answer=dict[str, Any]),
    # -------------------------------------------------------------------------------------------- requests
    "GET /api/requests": Operation(
        group=CALLS,
        summary="The log, a page at a time",
        answer=requests.RequestPage,
        query=(*FILTERS, _limit(MAX_LIMIT, 50), CURSOR, _choice("order", ORDERS, "What comes first.")),
    ),
    "GET /api/requests/export": Operation(
        group=CALLS,
        summary="Every call of a filter as a file",
        media=tuple(form.media_type for form in export.FORMATS.values()),
        query=(
            *FILTERS,
            _choice("format", export.FORMATS, "jsonl without one."),
            Parameter("progress", "A token of your own, to ask how far it is."),
        ),
    ),
    "GET /api/requests/export/{token}": Operation(group=CALLS, summary="How far an export is", answer=export.Progress),
    "GET /api/requests/stream": Operation(
        group=CALLS,
        summary="The live tail, as server-sent events",
        media=("text/event-stream",),
        query=(*FILTERS, Parameter("last-event-id", "Where to go on.", where="header")),
    ),
    "GET /api/requests/inflight": Operation(
        group=CALLS, summary="Calls that are not over", answer=inflight.InFlightList
    ),
    "GET /api/requests/{request_id}": Operation(
        group=CALLS, summary="One call, with its bodies", answer=record.DetailRecord
    ),
    "POST /api/requests/{request_id}/replay": Operation(
        group=CALLS, summary="Send a recorded request again", answer=replay.ReplayRecord, body=replay.Ask
    ),
    "POST /api/requests/{request_id}/stop": Operation(
        group=CALLS, summary="End a call in flight", answer=inflight.Stopped
    ),
    "GET /api/traces/{trace_id}": Operation(group=CALLS, summary="Every span of a trace", answer=shapes.Trace),
    # -------------------------------------------------------------------------------------------- totals, money
    "GET /api/stats": Operation(group=MONEY, summary="Totals of a filter", answer=totals.StatsRecord, query=FILTERS),
    "GET /api/costs": Operation(
        group=MONEY,
        summary="Totals by a column or tag",
        answer=totals.Breakdown,
        query=(
            *FILTERS,
            Parameter("group_by", f"{', '.join(BY)}, config, variant, prompt, prompt_version, cost_source or tag:KEY."),
            _limit(MAX_LIMIT, 1000),
            TIME_ZONE,
        ),
    ),
    "GET /api/costs/summary": Operation(
        group=MONEY,
        summary="Spend, why it changed, and what to expect",
        answer=spend.SummaryRecord,
        query=(*FILTERS, TIME_ZONE),
    ),
    "GET /api/whatif": Operation(
        group=MONEY,
        summary="The same tokens at another model's prices",
        answer=spend.WhatIfList,
        query=(
            *FILTERS,
            Parameter("source", "PROVIDER/MODEL; all models without one."),
            Parameter("target", "PROVIDER/MODEL; the best moves without one."),
        ),
    ),
    "GET /api/statement": Operation(
        group=MONEY,
        summary="A month of one tenant, which `tenant` names",
        answer=spend.StatementRecord,
        media=(CSV,),
        query=(
            *FILTERS,
            Parameter("month", "As 2026-10.", required=True),
            TIME_ZONE,
            _choice("format", ("json", "csv"), "json without one."),
        ),
    ),
    "GET /api/models/usage": Operation(
        group=MONEY,
        summary="Models, providers or versions side by side",
        answer=usage.UsageList,
        query=(*FILTERS, _choice("group_by", DIMENSIONS, "model without one."), _limit(MAX_LIMIT, 100)),
    ),
    # -------------------------------------------------------------------------------------------- menus
    "GET /api/tags": Operation(group=MENUS, summary="Keys of tags", answer=menus.Menu[TagKey], query=MENU),
    "GET /api/tags/{key:path}": Operation(
        group=MENUS, summary="Values of a tag", answer=menus.Menu[TagValue], query=MENU
    ),
    "GET /api/values/{field}": Operation(
        group=MENUS, summary="Values of a column", answer=menus.Menu[TagValue], query=MENU
    ),
    # -------------------------------------------------------------------------------------------- routes
    "GET /api/routes": Operation(group=ROUTES, summary="Every route, as it stands", answer=explain.RouteList),
    "GET /api/routes/explain": Operation(
        group=ROUTES,
        summary="Where a call would go now",
        answer=explain.Explanation,
        query=(
            Parameter("model", "As a call would name it.", required=True),
            Parameter("key", "A name or id: with its permissions."),
            Parameter("session", "That the call belongs to."),
            Parameter("cache_key", "As the provider's prompt cache is told."),
            Parameter("region", "Where it has to stay."),
            Parameter("tokens", "About how long the input is.", {"type": "integer", "minimum": 0}),
        ),
    ),
    # -------------------------------------------------------------------------------------------- installation
    "GET /api/operations": Operation(
        group=INSTALLATION, summary="How this installation is", answer=operations.Operations
    ),
    "GET /api/dead-letters": Operation(
        group=INSTALLATION,
        summary="Rows that the store refused",
        answer=operations.LetterList,
        query=(_limit(MAX_LIMIT, 50),),
    ),
    "POST /api/dead-letters/retry": Operation(group=INSTALLATION, summary="Another try for them", answer=Outcome),
    "GET /api/configuration": Operation(
        group=INSTALLATION,
        summary="Versions of the configuration",
        answer=operations.VersionList,
        query=(_limit(MAX_LIMIT, 50),),
    ),
    # -------------------------------------------------------------------------------------------- people and keys
    "GET /api/keys": Operation(group=PEOPLE, summary="Gateway keys", answer=Listed[KeyRecord]),
    "POST /api/keys": Operation(group=PEOPLE, summary="Make a key", answer=keys.Shown, status=201, body=keys.NewKey),
    "GET /api/keys/{key_id}": Operation(group=PEOPLE, summary="One key", answer=KeyRecord),
    "PATCH /api/keys/{key_id}": Operation(
        group=PEOPLE, summary="Change what a key may do", answer=KeyRecord, body=keys.KeyChange
    ),
    "DELETE /api/keys/{key_id}": Operation(group=PEOPLE, summary="Revoke a key", answer=KeyRecord),
    "POST /api/keys/{key_id}/rotate": Operation(
        group=PEOPLE, summary="Give a key a new secret", answer=keys.Shown, status=201, body=keys.Rotation
    ),
    "GET /api/tenants": Operation(group=PEOPLE, summary="Tenants", answer=Listed[TenantRecord]),
    "POST /api/tenants": Operation(
        group=PEOPLE, summary="Make a tenant", answer=TenantRecord, status=201, body=tenants.NewTenant
    ),
    "GET /api/tenants/{slug}": Operation(group=PEOPLE, summary="One tenant", answer=TenantRecord),
    "PATCH /api/tenants/{slug}": Operation(
        group=PEOPLE, summary="Change a tenant", answer=TenantRecord, body=tenants.TenantChange
    ),
    "DELETE /api/tenants/{slug}": Operation(group=PEOPLE, summary="Remove a tenant", answer=TenantRecord),
    "GET /api/environments": Operation(group=PEOPLE, summary="Environments", answer=Listed[EnvironmentRecord]),
    "POST /api/environments": Operation(
        group=PEOPLE,
        summary="Make an environment",
        answer=tenants.ShownEnvironment,
        status=201,
        body=tenants.NewEnvironment,
    ),
    "DELETE /api/environments/{name}": Operation(
        group=PEOPLE,
        summary="Remove an environment",
        answer=EnvironmentRecord,
        query=(Parameter("tenant", "Whose; the own one without it."),),
    ),
    "POST /api/environments/{name}/rotate": Operation(
        group=PEOPLE,
        summary="Give an environment a new secret",
        answer=tenants.ShownEnvironment,
        status=201,
        body=keys.Rotation,
        query=(Parameter("tenant", "Whose; the own one without it."),),
    ),
    "GET /api/users": Operation(group=PEOPLE, summary="People", answer=Listed[UserRecord]),
    "POST /api/users": Operation(
        group=PEOPLE, summary="Add a person", answer=UserRecord, status=201, body=users.NewUser
    ),
    "GET /api/users/{user_id}": Operation(group=PEOPLE, summary="One person", answer=UserRecord),
    "PATCH /api/users/{user_id}": Operation(
        group=PEOPLE, summary="Change a person", answer=UserRecord, body=users.UserChange
    ),
    "DELETE /api/users/{user_id}": Operation(group=PEOPLE, summary="Remove a person", answer=UserRecord),
    "POST /api/users/{user_id}/password": Operation(
        group=PEOPLE, summary="Set a password", answer=UserRecord, body=users.NewPassword
    ),
    "GET /api/users/{user_id}/sessions": Operation(
        group=PEOPLE, summary="Where a person is signed in", answer=Listed[user_sessions.SessionRecord]
    ),
    "DELETE /api/users/{user_id}/sessions": Operation(
        group=PEOPLE, summary="Sign a person out everywhere", answer=UserRecord
    ),
    "DELETE /api/users/{user_id}/sessions/{session_id}": Operation(
        group=PEOPLE, summary="Sign a person out of one session", answer=user_sessions.SessionRecord
    ),
    "GET /api/users/{user_id}/tokens": Operation(
        group=PEOPLE, summary="A person's API tokens", answer=Listed[KeyRecord]
    ),
    "DELETE /api/users/{user_id}/tokens/{key_id}": Operation(
        group=PEOPLE, summary="Revoke an API token of a person", answer=KeyRecord
    ),
    "GET /api/me": Operation(group=PEOPLE, summary="Who asks", answer=shapes.Me),
    "GET /api/me/sessions": Operation(
        group=PEOPLE, summary="Where one is signed in", answer=Listed[user_sessions.SessionRecord]
    ),
    "DELETE /api/me/sessions": Operation(group=PEOPLE, summary="Sign out everywhere", answer=UserRecord),
    "DELETE /api/me/sessions/{session_id}": Operation(
        group=PEOPLE, summary="Sign out of one session", answer=user_sessions.SessionRecord
    ),
    "GET /api/me/tokens": Operation(group=PEOPLE, summary="One's own API tokens", answer=Listed[KeyRecord]),
    "POST /api/me/tokens": Operation(
        group=PEOPLE, summary="Make an API token", answer=keys.Shown, status=201, body=users.NewToken
    ),
    "DELETE /api/me/tokens/{key_id}": Operation(group=PEOPLE, summary="Revoke an API token", answer=KeyRecord),
    # -------------------------------------------------------------------------------------------- limits, alerts
    "GET /api/limits": Operation(
        group=LIMITS, summary="Limits and what is used", answer=limits.LimitList, query=(_limit(MAX_LIMIT, 1000),)
    ),
    "GET /api/budgets": Operation(
        group=LIMITS, summary="Budgets and what is left", answer=limits.BudgetList, query=(_limit(MAX_LIMIT, 1000),)
    ),
    "GET /api/runaway": Operation(
        group=LIMITS, summary="Tenants whose guard is lifted", answer=Listed[runaway.OverrideRecord]
    ),
    "POST /api/runaway/{tenant}/override": Operation(
        group=LIMITS,
        summary="Lift the guard for a tenant",
        answer=runaway.OverrideRecord,
        status=201,
        body=runaway.NewOverride,
    ),
    "DELETE /api/runaway/{tenant}/override": Operation(
        group=LIMITS, summary="Set the guard again", answer=runaway.OverrideRecord
    ),
    "GET /api/alerts/rules": Operation(group=ALERTS, summary="Rules and how they stand", answer=shapes.RuleList),
    "POST /api/alerts/rules": Operation(
        group=ALERTS, summary="Make a rule", answer=AlertRule, status=201, body=AlertRule
    ),
    "GET /api/alerts/rules/{name}": Operation(group=ALERTS, summary="One rule", answer=alerts.RuleRecord),
    "PUT /api/alerts/rules/{name}": Operation(group=ALERTS, summary="Change a rule", answer=AlertRule, body=AlertRule),
    "DELETE /api/alerts/rules/{name}": Operation(group=ALERTS, summary="Remove a rule", answer=AlertRule),
    "GET /api/alerts/silences": Operation(group=ALERTS, summary="Silences", answer=Listed[alerts.SilenceRecord]),
    "POST /api/alerts/silences": Operation(
        group=ALERTS, summary="Silence a rule", answer=alerts.SilenceRecord, status=201, body=alerts.NewSilence
    ),
    "DELETE /api/alerts/silences/{silence_id}": Operation(
        group=ALERTS, summary="End a silence", answer=alerts.SilenceRecord
    ),
    "GET /api/alerts/history": Operation(
        group=ALERTS,
        summary="What was said, and to whom",
        answer=Listed[alerts.NoticeRecord],
        query=(_limit(alerts.MOST, alerts.LIMIT), CURSOR),
    ),
    "GET /api/notifications": Operation(group=ALERTS, summary="Who can be told", answer=Listed[alerts.ReceiverRecord]),
    "POST /api/notifications/{name}/test": Operation(group=ALERTS, summary="Send a test", answer=shapes.Sent),
    # -------------------------------------------------------------------------------------------- privacy, audit
    "GET /api/privacy/policies": Operation(
        group=PRIVACY, summary="What is kept of whom", answer=Listed[privacy.PolicyRecord]
    ),
    "POST /api/privacy/policies": Operation(
        group=PRIVACY, summary="Set a policy", answer=privacy.PolicyRecord, status=201, body=privacy.NewPolicy
    ),
    "DELETE /api/privacy/policies/{scope}/{match}": Operation(
        group=PRIVACY, summary="Remove a policy", answer=privacy.PolicyRecord
    ),
    "POST /api/privacy/redaction": Operation(
        group=PRIVACY, summary="What redaction takes out of a text", answer=shapes.Redacted, body=privacy.RedactionTest
    ),
    "GET /api/privacy/erasures": Operation(
        group=PRIVACY,
        summary="Certificates of what was erased",
        answer=Listed[Certificate],
        query=(_choice("kind", ("tenant", "user"), "Of whom."), Parameter("value", "The name.")),
    ),
    "POST /api/privacy/erasures": Operation(
        group=PRIVACY,
        summary="Erase everything of a tenant or user",
        answer=Certificate,
        status=201,
        body=privacy.EraseOrder,
    ),
    "GET /api/audit": Operation(
        group=PRIVACY,
        summary="Who changed what",
        answer=Listed[AuditRecord],
        query=(
            _limit(MAX_LIMIT, 100),
            CURSOR,
            Parameter("kind", "Of thing that was changed."),
            Parameter("id", "Of the thing."),
            Parameter("actor", "Who."),
        ),
    ),
    "GET /api/audit/export": Operation(
        group=PRIVACY,
        summary="All of it as a file",
        media=(NDJSON, CSV),
        query=(_choice("format", ("jsonl", "csv"), "jsonl without one."),),
    ),
    # -------------------------------------------------------------------------------------------- playground
    "GET /api/playground/models": Operation(
        group=PLAYGROUND, summary="Models to chat with", answer=playground.ModelList
    ),
    "POST /api/playground/chat": Operation(
        group=PLAYGROUND,
        summary="A call in one's own name",
        answer=dict[str, Any],
        media=("text/event-stream",),
        body=playground.Ask,
    ),
    "GET /api/playground/conversations": Operation(
        group=PLAYGROUND,
        summary="One's conversations",
        answer=conversations.HeadList,
        query=(Parameter("q", "Words in titles and messages."),),
    ),
    "POST /api/playground/conversations": Operation(
        group=PLAYGROUND, summary="Keep one", answer=conversations.KeptRecord, status=201, body=conversations.New
    ),
    "GET /api/playground/conversations/{conversation_id}": Operation(
        group=PLAYGROUND, summary="One conversation", answer=conversations.KeptRecord
    ),
    "PATCH /api/playground/conversations/{conversation_id}": Operation(
        group=PLAYGROUND, summary="Change it", answer=conversations.KeptRecord, body=conversations.Change
    ),
    "DELETE /api/playground/conversations/{conversation_id}": Operation(
        group=PLAYGROUND, summary="Remove it", status=204
    ),
}
"""By `METHOD path`, as the routes write them."""
