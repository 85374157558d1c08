from __future__ import annotations

import pytest

from gateway.core.key import Key, permits, wrong_networks


@pytest.mark.parametrize(
    ("patterns", "names", "allowed"),
    [
        (("*",), ("anything", "x/y"), True),
        (("gpt-4o",), ("openai/gpt-4o", "gpt-4o"), True),
        (("gpt-4o",), ("openai/gpt-4o-mini", "gpt-4o-mini"), False),
        (("openai/*",), ("openai/gpt-4o", "fast"), True),
        (("openai/*",), ("anthropic/claude", "fast"), False),
        (("fast",), ("openai/gpt-4o", "fast"), True),
        (("gpt-?",), ("gpt-4",), True),
        (("gpt-?",), ("gpt-45",), False),
        (("GPT-*",), ("gpt-4",), False),
        (("a", "b*"), ("beta",), True),
        (("*-mini", "*"), ("large",), True),
        ((), ("x",), False),
    ],
)
def test_a_key_may_use_what_one_of_its_patterns_names(
    patterns: tuple[str, ...], names: tuple[str, ...], allowed: bool
) -> None:
    assert Key(key_id="k", name="app", models=patterns).allows_model(*names) is allowed


@pytest.mark.parametrize(
    ("endpoints", "endpoint", "expected"),
    [
        (("*",), "/v1/chat/completions", True),
        (("/v1/embeddings",), "/v1/embeddings", True),
        (("/v1/embeddings",), "/v1/chat/completions", False),
        (("/v1/*", "/p/local/*"), "/p/local/x/y", True),
        (("/v1/*",), "/v1beta/models/m:generateContent", False),
        ((), "/v1/chat/completions", False),
    ],
)
def test_endpoints(endpoints: tuple[str, ...], endpoint: str, expected: bool) -> None:
    assert permits(Key(key_id="k", name="k", endpoints=endpoints), endpoint, "10.0.0.1") is expected


@pytest.mark.parametrize(
    ("networks", "address", "expected"),
    [
        ((), "10.0.0.1", True),
        ((), "not an address", True),
        (("10.0.0.0/8",), "10.255.0.1", True),
        (("10.0.0.7/8",), "10.255.0.1", True),
        (("10.0.0.0/8",), "11.0.0.1", False),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", True),
        (("192.0.2.7", "2001:db8::/32"), "2001:db8::5", True),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("10.0.0.0/8",), "2001:db8::5", False),
        (("0.0.0.0/0",), "not an address", False),
        (("0.0.0.0/0",), "", False),
    ],
)
def test_networks(networks: tuple[str, ...], address: str, expected: bool) -> None:
    assert permits(Key(key_id="k", name="k", networks=networks), "/v1/models", address) is expected


@pytest.mark.parametrize(
    ("networks", "expected"),
    [((), None), (("10.0.0.0/8", "::1"), None), (("10.0.0.0/8", "10.0.0.0/33"), "10.0.0.0/33")],
)
def test_networks_that_are_none(networks: tuple[str, ...], expected: str | None) -> None:
    assert wrong_networks(networks) == expected


def test_configs() -> None:
    assert Key(key_id="k", name="k").allows_config("anything")
    assert Key(key_id="k", name="k", configs=("prod-*",)).allows_config("prod-1")
    assert not Key(key_id="k", name="k", configs=("prod-*",)).allows_config("test")
