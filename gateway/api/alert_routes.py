"""The endpoints of the JSON API about alerts."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from gateway.api import alerts


def alert_routes() -> list[BaseRoute]:
    return [
        Route("/api/alerts/rules", alerts.list_rules),
        Route("/api/alerts/rules", alerts.create_rule, methods=["POST"]),
        Route("/api/alerts/rules/{name}", alerts.one_rule),
        Route("/api/alerts/rules/{name}", alerts.change_rule, methods=["PUT"]),
        Route("/api/alerts/rules/{name}", alerts.delete_rule, methods=["DELETE"]),
        Route("/api/alerts/silences", alerts.list_silences),
        Route("/api/alerts/silences", alerts.create_silence, methods=["POST"]),
        Route("/api/alerts/silences/{silence_id}", alerts.delete_silence, methods=["DELETE"]),
        Route("/api/alerts/history", alerts.list_history),
        Route("/api/notifications", alerts.list_notifications),
        Route("/api/notifications/{name}/test", alerts.test_notification, methods=["POST"]),
    ]
