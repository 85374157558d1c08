"""What goes upstream: the target, and the request rewritten as little as possible."""

from __future__ import annotations

import msgspec

from gateway.core import body as request_body
from gateway.core import tags as tagging
from gateway.core.key import Key
from gateway.core.routing import Ask
from gateway.dialects import Dialect
from gateway.errors import CallError
from gateway.proxy.head import Head
from gateway.proxy.journey import Journey, now_us
from gateway.proxy.table import Table
from gateway.proxy.target import Target, Way

_TRUE = b"true"
_NEVER_GUESSED = ("llm", "embedding")
"""Kinds of calls that are not sent to a provider of another dialect as they stand."""


class Plan(msgspec.Struct):
    """One call, decided: where it goes, and what is sent there. Another target is another plan (`aimed`)."""

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
    path: bytes = b""
    """Without the provider's own prefix."""
    key_line: bytes = b""
    """The header line that carries the provider's key."""
    most_output: int | None = None
    """Output tokens that the body allows at most; None where it does not say, or nobody has limits to know it for."""
    journey: Journey | None = None
    """Where there are several targets, keys or tries; None for a call that goes to one place once."""


def plan_read(table: Table, key: Key, head: Head, raw: bytes) -> Plan:
    """For a body that was held: its model decides the way. Raises CallError (400, 403, 404)."""
    dialect = head.dialect
    body = request_body.parse(raw)
    model = dialect.model_in(head.path)
    if model is None:
        model = request_body.text(body, "model")
        if model is None and dialect.needs_model and head.provider is None:
            raise _no_model()
    way = _way(table, head, model)
    permitted(key, way, model)
    tags: dict[str, str] = {}
    metadata = body.get("metadata") if dialect.reads_body else None
    if metadata is not None:
        tags = tagging.from_metadata(bytes(metadata))
    tags = _tags(key, tags, head.tags)
    lone = way.lone
    if lone is not None:
        plan = Plan(lone, tags, model, True)
        plan.key_line = lone.upstream.key_lines[0]
    else:
        journey = Journey(way, _ask(tags, body, len(raw)))
        plan = Plan(journey.target, tags, model, True, journey=journey)
        plan.key_line = journey.key_line
    if table.has_limits:
        plan.most_output = request_body.most_output(body)
    _write(plan, table, head, body, raw)
    _understood(plan.target, head)
    return plan


def aimed(plan: Plan, target: Target, table: Table, head: Head, raw: bytes) -> Plan:
    """The same call, for another target. `raw` is the client's body as it came."""
    again = Plan(target, plan.tags, plan.model_requested, plan.held, plan.stream, journey=plan.journey)
    if plan.held:
        _write(again, table, head, request_body.parse(raw), raw)
    else:
        again.path = head.path
    return again


def _write(plan: Plan, table: Table, head: Head, body: request_body.Body, raw: bytes) -> None:
    """Fills in what is sent to the plan's target."""
    if head.provider is None:
        plan.target = table.translated(plan.target, head.dialect)
    dialect, target = head.dialect, plan.target
    in_path = dialect.streams(head.path)
    plan.stream = in_path if in_path is not None else ("stream" in body and request_body.flag(body, "stream"))
    changed = False
    if (
        "metadata" in body
        and dialect.reads_body
        and target.upstream.strips_metadata
        and not ("store" in body and bytes(body["store"]) == _TRUE)
    ):
        changed = _strip_metadata(body, dialect)
    plan.asked_usage = (
        plan.stream and dialect.asks_usage and target.upstream.asks_usage and request_body.with_usage_asked(body)
    )
    plan.path = head.path
    model = plan.model_requested
    if model != target.model and target.model is not None:
        if dialect.model_in(head.path) is not None:
            plan.path = dialect.with_model(head.path, target.model)
        else:
            body["model"] = target.model_json
            changed = True
    plan.body = request_body.encode(body) if changed or plan.asked_usage else raw


def _understood(target: Target, head: Head) -> None:
    """CallError 400 where the provider speaks another dialect and nothing translates into it."""
    dialect, speaks = head.dialect, target.upstream.speaks
    is_foreign = bool(dialect.family and speaks and dialect.family not in speaks)
    if is_foreign and dialect.kind in _NEVER_GUESSED and head.provider is None:
        raise CallError(
            400,
            "dialect_not_translated",
            f"{target.upstream.name} does not speak {dialect.name}, and it is not translated. Call the model with "
            f"/v1/chat/completions or /v1/messages, or {target.upstream.name} in its own dialect.",
            error_type="invalid_request",
        )


def _strip_metadata(body: request_body.Body, dialect: Dialect) -> bool:
    """Takes the tags out; what the provider itself means by `metadata` stays. Whether anything was changed."""
    kept = {}
    if dialect.own_metadata:
        given = request_body.parse(bytes(body["metadata"]))
        kept = {name: value for name, value in given.items() if name in dialect.own_metadata}
        if len(kept) == len(given):
            return False
    if kept:
        body["metadata"] = msgspec.Raw(request_body.encode(kept))
    else:
        del body["metadata"]
    return True


def plan_unread(table: Table, key: Key, head: Head) -> Plan:
    """For a body that streams through, or none: the path's model or provider, or the default one."""
    model = head.dialect.model_in(head.path)
    way = _way(table, head, model)
    permitted(key, way, model)
    target = way.targets[0]
    plan = Plan(target, _tags(key, {}, head.tags), model)
    plan.path = head.path
    if model is not None and target.model is not None and model != target.model:
        plan.path = head.dialect.with_model(head.path, target.model)
    if way.lone is not None:
        plan.key_line = target.upstream.key_lines[0]
    else:  # whatever streams through goes to the first target, and cannot be sent again
        plan.key_line = target.upstream.key_lines[target.upstream.keys.pick(now_us())]
    return plan


def _way(table: Table, head: Head, model: str | None) -> Way:
    if head.provider is not None:
        return table.named(head.provider, model)
    if model is not None:
        return table.resolve(model)
    return table.without_model(head.dialect.family or ("gemini" if head.path.startswith(b"/v1beta/") else ""))


def _ask(tags: dict[str, str], body: request_body.Body, size: int) -> Ask:
    """What of the call decides between targets. `prompt_cache_key` is OpenAI's name for it."""
    cache_key = body.get("prompt_cache_key")
    return Ask(tags.get("sessionId"), bytes(cache_key).decode() if cache_key else None, tags.get("region"), size // 4)


def _no_model() -> CallError:
    return CallError(
        400,
        "invalid_request_error",
        '\'model\' is missing. Say which model is meant, e.g. "model": "demo/echo"; GET /v1/models lists them.',
        error_type="invalid_request",
        param="model",
    )


def permitted(key: Key, way: Way, model: str | None) -> None:
    """CallError 403 where the key may not use the model, by the name that was asked for or all that it stands for."""
    if key.role == "viewer":
        raise CallError(
            403,
            "not_allowed",
            f"The key {key.name!r} only reads; it may not call models.",
            error_type="authentication",
        )
    if key.models == ("*",) or (model is not None and key.allows_model(model)):
        return
    for target in way.targets:
        if not key.allows_model(target.name):
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
