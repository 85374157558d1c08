"""The endpoints of the JSON API about who there is."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from gateway.api import audit, keys, privacy, tenants, user_sessions, users


def identity_routes() -> list[BaseRoute]:
    return [
        Route("/api/keys", keys.list_keys),
        Route("/api/keys", keys.create_key, methods=["POST"]),
        Route("/api/keys/{key_id}", keys.one_key),
        Route("/api/keys/{key_id}", keys.change_key, methods=["PATCH"]),
        Route("/api/keys/{key_id}", keys.revoke_key, methods=["DELETE"]),
        Route("/api/keys/{key_id}/rotate", keys.rotate_key, methods=["POST"]),
        Route("/api/tenants", tenants.list_tenants),
        Route("/api/tenants", tenants.create_tenant, methods=["POST"]),
        Route("/api/tenants/{slug}", tenants.one_tenant),
        Route("/api/tenants/{slug}", tenants.change_tenant, methods=["PATCH"]),
        Route("/api/tenants/{slug}", tenants.delete_tenant, methods=["DELETE"]),
        Route("/api/environments", tenants.list_environments),
        Route("/api/environments", tenants.create_environment, methods=["POST"]),
        Route("/api/environments/{name}", tenants.delete_environment, methods=["DELETE"]),
        Route("/api/environments/{name}/rotate", tenants.rotate_environment, methods=["POST"]),
        Route("/api/users", users.list_users),
        Route("/api/users", users.create_user, methods=["POST"]),
        Route("/api/users/{user_id}", users.one_user),
        Route("/api/users/{user_id}", users.change_user, methods=["PATCH"]),
        Route("/api/users/{user_id}", users.delete_user, methods=["DELETE"]),
        Route("/api/users/{user_id}/password", users.set_password, methods=["POST"]),
        Route("/api/users/{user_id}/sessions", user_sessions.list_of_user),
        Route("/api/users/{user_id}/sessions", user_sessions.end_all_of_user, methods=["DELETE"]),
        Route("/api/users/{user_id}/sessions/{session_id}", user_sessions.end_of_user, methods=["DELETE"]),
        Route("/api/users/{user_id}/tokens", users.list_tokens_of_user),
        Route("/api/users/{user_id}/tokens/{key_id}", users.revoke_token_of_user, methods=["DELETE"]),
        Route("/api/me", users.me),
        Route("/api/me/sessions", user_sessions.list_own),
        Route("/api/me/sessions", user_sessions.end_all_own, methods=["DELETE"]),
        Route("/api/me/sessions/{session_id}", user_sessions.end_own, methods=["DELETE"]),
        Route("/api/me/tokens", users.list_tokens),
        Route("/api/me/tokens", users.create_token, methods=["POST"]),
        Route("/api/me/tokens/{key_id}", users.revoke_token, methods=["DELETE"]),
        Route("/api/privacy/policies", privacy.list_policies),
        Route("/api/privacy/policies", privacy.put_policy, methods=["POST"]),
        Route("/api/privacy/policies/{scope}/{match}", privacy.delete_policy, methods=["DELETE"]),
        Route("/api/privacy/redaction", privacy.test_redaction, methods=["POST"]),
        Route("/api/privacy/erasures", privacy.list_certificates),
        Route("/api/privacy/erasures", privacy.erase, methods=["POST"]),
        Route("/api/audit", audit.list_audit),
        Route("/api/audit/export", audit.export_audit),
    ]
