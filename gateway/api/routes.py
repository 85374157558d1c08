"""The endpoints of the JSON API. Who may use them is in `access.RULES`."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from gateway.api import (
    conversations,
    explain,
    health,
    inflight,
    limits,
    live,
    menus,
    metrics,
    openapi,
    operations,
    playground,
    replay,
    requests,
    runaway,
    spend,
    totals,
    traces,
    usage,
)
from gateway.api.alert_routes import alert_routes
from gateway.api.identity_routes import identity_routes


def routes() -> list[BaseRoute]:
    return [
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
        Route("/metrics", metrics.metrics),
        Route("/api/requests", requests.list_requests),
        Route("/api/requests/export", requests.export_requests),
        Route("/api/requests/export/{token}", requests.export_progress),
        Route("/api/requests/stream", live.stream),
        Route("/api/requests/inflight", inflight.in_flight),
        Route("/api/requests/{request_id}", requests.one_request),
        Route("/api/requests/{request_id}/replay", replay.replay, methods=["POST"]),
        Route("/api/requests/{request_id}/stop", inflight.stop, methods=["POST"]),
        Route("/api/traces/{trace_id}", traces.one_trace),
        Route("/api/stats", totals.stats),
        Route("/api/costs", totals.costs),
        Route("/api/costs/summary", spend.costs_summary),
        Route("/api/whatif", spend.whatif),
        Route("/api/statement", spend.month_statement),
        Route("/api/models/usage", usage.models_usage),
        Route("/api/operations", operations.operations),
        Route("/api/dead-letters", operations.dead_letters),
        Route("/api/dead-letters/retry", operations.retry_dead_letters, methods=["POST"]),
        Route("/api/configuration", operations.configurations),
        Route("/api/tags", menus.tag_keys),
        Route("/api/tags/{key:path}", menus.tag_values),
        Route("/api/values/{field}", menus.field_values),
        *identity_routes(),
        *alert_routes(),
        Route("/api/limits", limits.list_limits),
        Route("/api/budgets", limits.list_budgets),
        Route("/api/runaway", runaway.list_overrides),
        Route("/api/runaway/{tenant}/override", runaway.put_override, methods=["POST"]),
        Route("/api/runaway/{tenant}/override", runaway.end_override, methods=["DELETE"]),
        Route("/api/playground/models", playground.models),
        Route("/api/playground/chat", playground.chat, methods=["POST"]),
        Route("/api/playground/conversations", conversations.list_conversations),
        Route("/api/playground/conversations", conversations.make_conversation, methods=["POST"]),
        Route("/api/playground/conversations/{conversation_id}", conversations.read_conversation),
        Route("/api/playground/conversations/{conversation_id}", conversations.change_conversation, methods=["PATCH"]),
        Route("/api/playground/conversations/{conversation_id}", conversations.delete_conversation, methods=["DELETE"]),
        Route("/api/routes", explain.list_routes),
        Route("/api/routes/explain", explain.explain_route),
        Route("/api/openapi.json", openapi.openapi),
    ]
