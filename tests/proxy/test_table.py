from __future__ import annotations

import pytest

from gateway.core.proxies import Proxies
from gateway.errors import CallError
from gateway.proxy.target import Target
from tests.proxy.fakes import catalog, table

PROVIDERS = {
    "one": {"dialect": "openai", "base_url": "http://one.test/v1", "api_key": "sk-1", "models": ["declared"]},
    "two": {"dialect": "openai", "base_url": "http://two.test:8080/v1", "api_key": "sk-2", "models": ["declared"]},
}
PRICES = catalog(
    two__listed={"input_per_mtok": 1.0}, one__both={"input_per_mtok": 1.0}, two__both={"input_per_mtok": 1.0}
)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("two/anything", "two/anything"),
        ("two/org/model", "two/org/model"),
        ("two/declared", "two/declared"),
        ("alias", "two/behind"),
        ("one/aliased", "two/behind"),
        ("declared", "one/declared"),
        ("listed", "two/listed"),
        ("both", "one/both"),
        ("nobody's", "one/nobody's"),
        ("three/model", "one/three/model"),
        ("two/", "one/two/"),
        ("", "one/"),
        ("demo/echo", "demo/echo"),
    ],
)
def test_where_a_model_lives(model: str, name: str) -> None:
    of = table(
        PRICES,
        providers=PROVIDERS,
        default_provider="one",
        models={"alias": "two/behind", "one/aliased": "two/behind"},
    )
    for _ in range(2):
        assert [target.name for target in of.resolve(model).targets] == [name]


def test_without_a_default_provider_a_name_that_nobody_claims_is_unknown() -> None:
    of = table(providers=PROVIDERS)
    with pytest.raises(CallError, match="No provider serves the model 'x'") as caught:
        of.resolve("x")
    assert (caught.value.status, caught.value.code, caught.value.param) == (404, "model_not_found", "model")
    with pytest.raises(CallError, match="default_provider") as caught:
        of.without_model()
    assert caught.value.status == 404


def test_a_provider_by_its_name() -> None:
    of = table(providers=PROVIDERS, default_provider="two")
    assert of.named("one", None).targets[0].name == "one"
    assert of.named("one", "m").targets[0].name == "one/m"
    assert of.without_model().targets[0].upstream.name == "two"
    with pytest.raises(CallError, match="There are: demo, one, two") as caught:
        of.named("three", None)
    assert (caught.value.status, caught.value.code) == (404, "provider_not_found")


@pytest.mark.parametrize(
    "model",
    ["x\r\nset-cookie: a=b", "x\nx-evil: 1", "x\0", "é\u2028☃", "x" * 10_000, "\x7f\x80", "a\tb", "%0d%0a", '"\\'],
)
def test_a_models_name_cannot_break_out_of_its_header(model: str) -> None:
    [target] = table(providers=PROVIDERS, default_provider="one").resolve(model).targets
    lines = target.head_alone.split(b"\r\n")
    assert [line.partition(b": ")[0] for line in lines[:-1]] == [
        b"x-callgate-provider",
        b"x-callgate-model",
        b"x-callgate-attempts",
        b"x-callgate-cache",
    ]
    assert all(32 <= byte < 127 for line in lines for byte in line)
    assert len(target.head_alone) < 1000
    assert target.model == model


def target_of(proxies: Proxies | None = None, **provider: object) -> Target:
    return table(None, proxies, providers={"p": provider}, default_provider="p").without_model().targets[0]


@pytest.mark.parametrize(
    ("provider", "path", "sent"),
    [
        ({"dialect": "openai", "base_url": "http://h/v1"}, b"/v1/chat/completions", b"/v1/chat/completions"),
        ({"dialect": "openai", "base_url": "http://h/openai/v1/"}, b"/v1/files", b"/openai/v1/files"),
        ({"dialect": "openai", "base_url": "http://h"}, b"/v1/files", b"/files"),
        ({"dialect": "openai", "base_url": "http://h/v1"}, b"/v1beta/x", b"/v1/v1beta/x"),
        ({"dialect": "anthropic", "base_url": "https://h"}, b"/v1/messages", b"/v1/messages"),
    ],
)
def test_the_clients_path_at_the_providers_address(provider: dict[str, object], path: bytes, sent: bytes) -> None:
    upstream = target_of(**provider).upstream
    assert upstream.target(path, b"") == sent
    assert upstream.target(path, b"a=b") == sent + b"?a=b"


@pytest.mark.parametrize(
    ("provider", "line"),
    [
        ({"dialect": "openai", "api_key": "sk-1"}, b"authorization: Bearer sk-1\r\n"),
        ({"dialect": "anthropic", "api_key": "sk-1"}, b"x-api-key: sk-1\r\n"),
        ({"dialect": "gemini", "api_key": "sk-1"}, b"x-goog-api-key: sk-1\r\n"),
        ({"dialect": "openai", "auth": "api-key", "api_key": "sk-1"}, b"api-key: sk-1\r\n"),
        ({"dialect": "openai", "api_key": "none"}, b""),
        ({"dialect": "openai"}, b""),
    ],
)
def test_the_providers_key_goes_where_its_dialect_has_it(provider: dict[str, object], line: bytes) -> None:
    assert target_of(base_url="http://h/v1", **provider).upstream.key_lines == (line or b"",)


def test_several_keys_take_turns() -> None:
    upstream = target_of(dialect="openai", base_url="http://h/v1", api_key=["a", "b"]).upstream
    assert [upstream.key_lines[upstream.keys.pick(0)][-3:] for _ in range(3)] == [b"a\r\n", b"b\r\n", b"a\r\n"]


def test_what_is_alone_needs_no_journey() -> None:
    provider = {"dialect": "openai", "base_url": "http://h/v1"}
    of = table(
        providers={"one": provider, "keys": {**provider, "api_key": ["a", "b"]}},
        models={
            "alias": "one/m",
            "again": {"targets": ["one/m"], "retries": 1},
            "once": {"targets": ["one/m"], "retries": 0},
            "two": {"targets": ["one/m"], "fallbacks": ["keys/m"], "retries": 0},
        },
    )
    assert [of.resolve(model).lone is not None for model in ("one/m", "alias", "once")] == [True] * 3
    assert [of.resolve(model).lone is not None for model in ("keys/m", "again", "two")] == [False] * 3


def test_a_route_has_its_own_limits_in_time() -> None:
    provider = {"dialect": "openai", "base_url": "http://h/v1", "timeout": {"idle_s": 60}}
    limits = {"first_token_s": 2, "idle_s": 3}
    of = table(providers={"p": provider}, models={"quick": {"targets": [{"model": "p/m", "timeout": limits}]}})
    [target] = of.resolve("quick").targets
    assert (target.first_token_s, target.timeout.idle_s, target.timeout.total_s) == (2, 3, 900)
    assert of.resolve("p/m").targets[0].timeout.idle_s == 60


def test_names_that_stand_for_each_other_are_no_model() -> None:
    of = table(models={"a": "b", "b": "a"})
    with pytest.raises(CallError, match="a → b → a") as caught:
        of.resolve("a")
    assert caught.value.status == 404


def test_the_head_of_every_request() -> None:
    upstream = target_of(dialect="openai", base_url="https://u:p@h.test:8443/v1", headers={"X-Org": "é"}).upstream
    assert upstream.head == b"host: h.test:8443\r\nx-org: \xe9\r\n"
    origin = upstream.pool.origin
    assert (origin.host, origin.port, origin.tls, repr(upstream)) == ("h.test", 8443, True, "Upstream(p)")


VERTEX = "https://eu-aiplatform.googleapis.com/v1/projects/p/locations/eu/endpoints/openapi"


@pytest.mark.parametrize(
    ("base_url", "path", "sent"),
    [
        ("https://x.openai.azure.com/openai/v1", b"/v1/chat/completions", b"/openai/v1/chat/completions"),
        ("https://x.openai.azure.com/openai/v1", b"/openai/deployments/d/x", b"/openai/deployments/d/x"),
        ("https://x.openai.azure.com/openai/v1", b"/openai/realtime", b"/openai/realtime"),
        ("https://proxy.test/azure/openai/v1", b"/openai/deployments/d/x", b"/azure/openai/deployments/d/x"),
        ("https://api.groq.com/openai/v1", b"/openai/v1/models", b"/openai/v1/models"),
        (VERTEX, b"/v1/chat/completions", b"/v1/projects/p/locations/eu/endpoints/openapi/chat/completions"),
        (VERTEX, b"/v1/projects/q/locations/eu/publishers/google/models/m:generateContent",
         b"/v1/projects/q/locations/eu/publishers/google/models/m:generateContent"),
        ("https://h.test/openai", b"/openai/x", b"/openai/openai/x"),
    ],
)  # fmt: skip
def test_paths_that_are_beside_the_base_urls(base_url: str, path: bytes, sent: bytes) -> None:
    upstream = target_of(dialect="openai", base_url=base_url).upstream
    assert upstream.target(path, b"api-version=1") == sent + b"?api-version=1"


def test_through_a_proxy() -> None:
    proxies = Proxies({"http": "http://user:pw@proxy:3128", "https": "http://user:pw@proxy:3128"}, ("inside.test",))
    plain = target_of(proxies, dialect="openai", base_url="http://h.test/v1").upstream
    assert plain.target(b"/v1/files", b"") == b"http://h.test/v1/files"
    assert plain.head == b"host: h.test\r\nproxy-authorization: Basic dXNlcjpwdw==\r\n"
    secure = target_of(proxies, dialect="openai", base_url="https://h.test/v1").upstream
    assert (secure.target(b"/v1/files", b""), secure.head) == (b"/v1/files", b"host: h.test\r\n")
    assert secure.pool.origin.proxy == "http://user:pw@proxy:3128"
    assert "pw" not in repr(secure.pool.origin)
    assert target_of(proxies, dialect="openai", base_url="https://inside.test/v1").upstream.pool.origin.proxy is None


def test_providers_at_one_address_share_its_connections() -> None:
    shared = {"dialect": "openai", "base_url": "http://h/v1", "max_connections": 3}
    of = table(providers={"a": {**shared, "api_key": "1"}, "b": {**shared, "api_key": "2"}})
    assert of.named("a", None).targets[0].upstream.pool is of.named("b", None).targets[0].upstream.pool
    assert of.named("a", None).targets[0].upstream.pool.limit == 3


@pytest.mark.parametrize(("tenant", "percent"), [("acme", 10.0), ("other", 5.0), (None, 5.0)])
def test_markups(tenant: str | None, percent: float) -> None:
    assert table(prices={"markup_percent": {"acme": 10, "*": 5}}).markup_percent(tenant) == percent
    assert table().markup_percent(tenant) == 0


@pytest.mark.parametrize(
    ("family", "name"), [("", "one"), ("openai", "one"), ("anthropic", "claude"), ("gemini", "two"), ("cohere", "one")]
)
def test_a_path_without_a_model_goes_to_who_speaks_it(family: str, name: str) -> None:
    """Batches of Anthropic's and files of Google's are none of OpenAI's, which is the default."""
    others = {
        "claude": {"dialect": "anthropic", "base_url": "http://claude.test", "api_key": "sk-3"},
        "two": {"dialect": "gemini", "base_url": "http://two.test", "api_key": "sk-2"},
    }
    of = table(providers={**PROVIDERS, **others}, default_provider="one")
    assert of.without_model(family).targets[0].upstream.name == name
    alone = table(providers=others)
    if family in ("anthropic", "gemini"):
        assert alone.without_model(family).targets[0].upstream.name == name
    else:
        with pytest.raises(CallError, match="no default provider"):
            alone.without_model(family)
