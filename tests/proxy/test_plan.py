from __future__ import annotations

import json

import pytest

from gateway.core.key import Key
from gateway.errors import CallError
from gateway.proxy.head import Head
from gateway.proxy.plan import Plan, aimed, plan_read, plan_unread
from tests.proxy.fakes import APP, table

CHAT = b"/v1/chat/completions"
EMBEDDINGS = b"/v1/embeddings"
OPAQUE = b"/v1/something"
HERE = {"dialect": "openai", "base_url": "http://h/v1"}
TABLE = table(
    providers={
        "one": HERE,
        "forwards": {**HERE, "metadata": "forward"},
        "unasked": {**HERE, "ask_usage": False},
    },
    default_provider="one",
    models={
        "fast": "one/small",
        "quote": 'one/"é"',
        "either": {"targets": ["unasked/a"], "fallbacks": ["forwards/b"]},
    },
)


def head(path: bytes, tags: bytes | None = None) -> Head:
    return Head(b"POST", path, [] if tags is None else [(b"x-callgate-tags", tags)])


def planned(raw: bytes, path: bytes = CHAT, header: bytes | None = None, key: Key = APP) -> Plan:
    return plan_read(TABLE, key, head(path, header), raw)


def unread(path: bytes = b"/v1/files", header: bytes | None = None, key: Key = APP) -> Plan:
    return plan_unread(TABLE, key, head(path, header))


def test_a_body_that_needs_no_change_is_the_clients_own() -> None:
    raw = b'{ "model" : "small",  "temperature": 1.0, "x": [1,\n2] }'
    plan = planned(raw)
    assert plan.body is raw
    assert (plan.target.name, plan.model_requested, plan.held, plan.stream) == ("one/small", "small", True, False)


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        (b'{"model":"one/small","t":1.0}', b'{"model":"small","t":1.0}'),
        (b'{"t": 1.50,"model":"fast"}', b'{"t":1.50,"model":"small"}'),
        (b'{"model":"quote"}', '{"model":"\\"é\\""}'.encode()),
        (b'{"model":"small","metadata":{"a":"b"},"x":[1, 2]}', b'{"model":"small","x":[1, 2]}'),
        (b'{"model":"small","metadata":null}', b'{"model":"small"}'),
        (b'{"model":"small","metadata":{"a":"b"},"store": true}', None),
        (b'{"model":"small","metadata":{},"store":false}', b'{"model":"small","store":false}'),
        (b'{"model":"forwards/small","metadata":{"a":"b"}}', b'{"model":"small","metadata":{"a":"b"}}'),
        (
            b'{"model":"small","stream":true}',
            b'{"model":"small","stream":true,"stream_options":{"include_usage":true}}',
        ),
        (b'{"model":"small","stream":true,"stream_options":{"include_usage": true}}', None),
        (b'{"model":"small","stream":false}', None),
        (b'{"model":"small","stream":null}', None),
        (b'{"model":"unasked/small","stream":true}', b'{"model":"small","stream":true}'),
        (b'{"model":"small","n":1e400,"s":"\\u00e9","metadata":null}', b'{"model":"small","n":1e400,"s":"\\u00e9"}'),
    ],
)
def test_what_is_sent(raw: bytes, sent: bytes | None) -> None:
    assert planned(raw).body == (raw if sent is None else sent)


@pytest.mark.parametrize(
    ("raw", "stream", "asked"),
    [
        (b'{"model":"small","stream":true}', True, True),
        (b'{"model":"unasked/small","stream":true}', True, False),
        (b'{"model":"small","stream":true,"stream_options":{"include_usage":true}}', True, False),
        (b'{"model":"small"}', False, False),
    ],
)
def test_usage_is_asked_for_in_streams_and_remembered(raw: bytes, stream: bool, asked: bool) -> None:
    plan = planned(raw)
    assert (plan.stream, plan.asked_usage) == (stream, asked)
    assert not planned(raw, EMBEDDINGS).asked_usage


def test_tags_of_body_header_and_key() -> None:
    key = Key(key_id="k", name="n", tenant="acme", tags={"team": "core", "feature": "x"})
    raw = b'{"model":"small","metadata":{"feature":"chat","tenantSlug":"evil","n":1}}'
    tags = planned(raw, header=b"feature=search,k=v", key=key).tags
    assert tags == {"team": "core", "feature": "search", "tenantSlug": "acme", "n": "1", "k": "v"}


@pytest.mark.parametrize(
    ("raw", "status", "param"),
    [
        (b"{}", 400, "model"),
        (b'{"model":null}', 400, "model"),
        (b'{"model":7}', 400, "model"),
        (b'{"model":"small","stream":"yes"}', 400, "stream"),
        (b'{"model":"small","metadata":[]}', 400, "metadata"),
        (b'{"model":"a","model":"b"}', 400, "model"),
        (b"[]", 400, None),
    ],
)
def test_what_is_refused(raw: bytes, status: int, param: str | None) -> None:
    with pytest.raises(CallError) as caught:
        planned(raw)
    assert (caught.value.status, caught.value.param) == (status, param)


def test_a_json_body_of_no_known_dialect_keeps_its_metadata_and_needs_no_model() -> None:
    plan = planned(b'{"metadata":{"a":"b"}}', OPAQUE)
    assert (plan.body, plan.tags, plan.target.model) == (b'{"metadata":{"a":"b"}}', {"tenantSlug": "acme"}, None)
    assert planned(b'{"model":"fast"}', OPAQUE).body == b'{"model":"small"}'


@pytest.mark.parametrize(
    ("models", "asked", "allowed"),
    [
        (("one/*",), "fast", True),
        (("fast",), "fast", True),
        (("small",), "fast", False),
        (("one/small",), "small", True),
        (("two/*",), "small", False),
    ],
)
def test_a_key_may_use_a_model_by_either_of_its_names(models: tuple[str, ...], asked: str, allowed: bool) -> None:
    key = Key(key_id="k", name="n", models=models)
    raw = json.dumps({"model": asked}).encode()
    if allowed:
        assert planned(raw, key=key).target.model == "small"
    else:
        with pytest.raises(CallError, match="may not use") as caught:
            planned(raw, key=key)
        assert (caught.value.status, caught.value.error_type) == (403, "authentication")


def test_a_viewer_calls_nothing() -> None:
    viewer = Key(key_id="k", name="n", role="viewer")
    for call in (lambda: planned(b'{"model":"small"}', key=viewer), lambda: unread(key=viewer)):
        with pytest.raises(CallError, match="only reads") as caught:
            call()
        assert caught.value.status == 403


def test_a_body_that_streams_through() -> None:
    plan = unread(header=b"a=b")
    assert (plan.target.name, plan.held, plan.tags) == ("one", False, {"a": "b", "tenantSlug": "acme"})
    assert unread(b"/p/unasked/v1/files").target.name == "unasked"
    with pytest.raises(CallError, match="No provider is called 'x'"):
        unread(b"/p/x/v1/files")


def test_a_key_for_some_models_may_not_send_what_is_not_read() -> None:
    narrow = Key(key_id="k", name="n", models=("one/small",))
    with pytest.raises(CallError, match="may not use 'one'"):
        unread(key=narrow)


def test_the_same_call_for_another_target() -> None:
    raw = b'{"model":"either","metadata":{"a":"b"},"stream":true}'
    plan = planned(raw)
    assert plan.journey is not None
    sent = {}
    for target in TABLE.resolve("either").targets:
        again = aimed(plan, target, TABLE, head(CHAT), raw)
        assert (again.tags, again.model_requested, again.journey) == (plan.tags, "either", plan.journey)
        sent[target.name] = (again.body, again.asked_usage)
    assert sent == {
        "unasked/a": (b'{"model":"a","stream":true}', False),
        "forwards/b": (
            b'{"model":"b","metadata":{"a":"b"},"stream":true,"stream_options":{"include_usage":true}}',
            True,
        ),
    }


@pytest.mark.parametrize(
    ("path", "model", "goes_to"),
    [
        (b"/p/one/v1/chat/completions", "other/name", "one/other/name"),
        (b"/p/unasked/v1/chat/completions", "fast", "unasked/fast"),
    ],
)
def test_a_path_that_names_its_provider_leaves_the_model_as_it_stands(path: bytes, model: str, goes_to: str) -> None:
    raw = json.dumps({"model": model}).encode()
    plan = planned(raw, path)
    assert (plan.target.name, plan.body, plan.path) == (goes_to, raw, b"/v1/chat/completions")
