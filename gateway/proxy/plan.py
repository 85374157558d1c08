"""What goes upstream: the target, and the request rewritten as little as possible."""

from __future__ import annotations

import msgspec

from gateway.core import body as request_body
from gateway.core import tags as tagging
from gateway.core.key import Key
from gateway.dialects import Dialect
from gateway.errors import CallError
from gateway.proxy.table import Table, Target

_TRUE = b"true"


class Plan(msgspec.Struct):
    """One call, decided."""

    target: Target
    tags: dict[str, str]
    model_requested: str | None = None
    held: bool = False
    """Whether the whole request body is in `body`; otherwise it streams through, and `body` is what came early."""
    stream: bool = False
    asked_usage: bool = False
    """Whether the gateway asked for usage in the client's place, and so has to take the chunk out again."""
    body: bytes = b""
    """What is sent; the client's own bytes where nothing had to change."""


def plan_read(table: Table, key: Key, dialect: Dialect, raw: bytes, header_tags: bytes | None) -> Plan:
    """For a body that was held: its model decides the target. Raises CallError (400, 403, 404)."""
    body = request_body.parse(raw)
    model = request_body.text(body, "model")
    if model is None and dialect.reads_body:
        raise CallError(
            400,
            "invalid_request_error",
            '\'model\' is missing. Say which model is meant, e.g. "model": "demo/echo"; GET /v1/models lists them.',
            error_type="invalid_request",
            param="model",
        )
    target = table.resolve(model) if model is not None else table.without_model()
    permitted(key, target, model)
    stream = request_body.flag(body, "stream") if "stream" in body else False
    changed = False
    tags: dict[str, str] = {}
    metadata = body.get("metadata") if dialect.reads_body else None
    if metadata is not None:
        tags = tagging.from_metadata(bytes(metadata))
        if target.upstream.strips_metadata and not ("store" in body and bytes(body["store"]) == _TRUE):
            del body["metadata"]
            changed = True
    asked = stream and dialect.asks_usage and target.upstream.asks_usage and request_body.with_usage_asked(body)
    if model != target.model and target.model is not None:
        body["model"] = target.model_json
        changed = True
    sent = request_body.encode(body) if changed or asked else raw
    return Plan(target, _tags(key, tags, header_tags), model, True, stream, asked, sent)


def plan_unread(table: Table, key: Key, provider: str | None, header_tags: bytes | None) -> Plan:
    """For a body that streams through, or none: the path's provider or the default one."""
    target = table.named(provider) if provider is not None else table.without_model()
    permitted(key, target, None)
    return Plan(target=target, tags=_tags(key, {}, header_tags))


def permitted(key: Key, target: Target, model: str | None) -> None:
    """CallError 403 where the key may not use the model, by the name that was asked for or the one it stands for."""
    if key.role == "viewer":
        raise CallError(
            403,
            "not_allowed",
            f"The key {key.name!r} only reads; it may not call models.",
            error_type="authentication",
        )
    if not key.allows_model(target.name, model if model is not None else target.name):
        raise CallError(
            403,
            "model_not_allowed",
            f"The key {key.name!r} may not use {model or target.name!r}. It may use: {', '.join(key.models)}.",
            error_type="authentication",
            param="model",
        )


def _tags(key: Key, from_body: dict[str, str], header: bytes | None) -> dict[str, str]:
    if header is not None:
        from_body.update(tagging.from_header(header))
    return tagging.bind(key, from_body)
