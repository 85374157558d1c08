from __future__ import annotations

import msgspec
import pytest

from gateway.core.routing import (
    CircleError,
    KeyRing,
    Meaning,
    Member,
    Names,
    Place,
    RoutePolicy,
    TargetState,
    breaker_of,
    route_of,
)
from gateway.core.routing.build import UnroutableError, policy_of
from gateway.settings.routes import Cooldown, ModelRoute, RouteTarget, TargetTimeout

SMART = ModelRoute(targets=["openai/gpt-5", "fast"], fallbacks=["spare"])

NAMES = Names(
    {
        "fast": "quick",
        "quick": "openai/gpt-4o-mini",
        "self": "self",
        "anthropic/*": "bedrock/anthropic.*",
        "anthropic/claude-3*": "old/claude-3*",
        "*-latest": "newest/*",
        "*": "openrouter/*",
        "via-*": "fast",
        "smart": SMART,
        "clever": "smart",
        "local-*": ModelRoute(targets=["vllm/*", RouteTarget(model="ollama/*", weight=2)], fallbacks=["smart"]),
    }
)


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("fast", ["fast", "quick", "openai/gpt-4o-mini"]),
        ("self", ["self"]),
        ("clever", ["clever", "smart"]),
        # patterns: the most exact one, its part carried over, and no further pattern
        ("anthropic/claude-sonnet-4-5", ["anthropic/claude-sonnet-4-5", "bedrock/anthropic.claude-sonnet-4-5"]),
        ("anthropic/claude-3-opus", ["anthropic/claude-3-opus", "old/claude-3-opus"]),
        ("gpt-latest", ["gpt-latest", "newest/gpt"]),
        ("-latest", ["-latest", "newest/"]),
        ("openai/gpt-5", ["openai/gpt-5", "openrouter/openai/gpt-5"]),
        ("via-anything", ["via-anything", "fast", "quick", "openai/gpt-4o-mini"]),
    ],
)
def test_what_a_name_goes_through(asked: str, path: list[str]) -> None:
    meaning = NAMES.meaning(asked)
    assert list(meaning.path) == path
    assert meaning.name == path[-1]


def test_without_a_configuration_a_name_means_itself() -> None:
    assert Names({}).meaning("openai/gpt-5") == Meaning("openai/gpt-5", None, ("openai/gpt-5",))


def place(model: str) -> Place:
    return Place(TargetState(), KeyRing(), price=len(model))


def made(names: Names, asked: str) -> list[tuple[str, int]]:
    return [(member.model, member.tier) for member in route_of(names.meaning(asked), names, place).members]


def test_a_plain_model_is_a_route_of_one_without_retries() -> None:
    found = route_of(NAMES.meaning("fast"), NAMES, place)
    assert found.members == (
        Member(index=0, model="openai/gpt-4o-mini", state=found.members[0].state, keys=found.members[0].keys, price=18),
    )
    assert found.policy == RoutePolicy(retries=0)


def test_aliases_of_targets_are_followed_and_a_route_as_fallback_is_taken_apart() -> None:
    names = Names(
        {
            "fast": "openai/mini",
            "smart": ModelRoute(targets=["openai/gpt-5", "fast"], fallbacks=["spare", "last/one"]),
            "spare": ModelRoute(targets=["a/x", "b/x", "fast"], fallbacks=["c/x"]),
        }
    )
    assert made(names, "smart") == [
        ("openai/gpt-5", 0),
        ("openai/mini", 0),
        ("a/x", 1),
        ("b/x", 1),  # and not `fast` again
        ("c/x", 2),
        ("last/one", 3),
    ]


def test_a_pattern_can_be_a_route() -> None:
    names = Names({"local-*": ModelRoute(targets=["vllm/*", RouteTarget(model="ollama/*")], fallbacks=["demo/*"])})
    assert made(names, "local-llama") == [("vllm/llama", 0), ("ollama/llama", 0), ("demo/llama", 1)]


def test_a_route_may_have_the_name_of_its_own_target() -> None:
    names = Names(
        {"openai/gpt-5": ModelRoute(targets=["openai/gpt-5"], fallbacks=["azure/gpt-5"]), "g": "openai/gpt-5"}
    )
    assert made(names, "g") == [("openai/gpt-5", 0), ("azure/gpt-5", 1)]


@pytest.mark.parametrize(
    ("names", "asked", "circle"),
    [
        ({"a": "b", "b": "a"}, "a", "a → b → a"),
        ({"a": "b", "b": "c", "c": "b"}, "a", "a → b → c → b"),
        ({"a": ModelRoute(targets=["x/y"], fallbacks=["b"]), "b": "a"}, "a", "a → b → a"),
    ],
)
def test_circles_are_refused(names: dict[str, str | ModelRoute], asked: str, circle: str) -> None:
    with pytest.raises(CircleError, match=circle):
        made(Names(names), asked)


def test_a_target_is_no_route() -> None:
    with pytest.raises(UnroutableError, match="b is a route"):
        made(Names({"a": ModelRoute(targets=["b"]), "b": ModelRoute(targets=["x/y"])}), "a")


def test_what_a_target_says_is_what_its_member_knows() -> None:
    target = RouteTarget(
        model="x/y",
        weight=3,
        share=0.5,
        region="eu",
        context_tokens=9,
        timeout=TargetTimeout(first_token_s=2, idle_s=3),
    )
    names = Names({"a": ModelRoute(targets=[target, RouteTarget(model="x/z", share=0)])})
    first, second = route_of(names.meaning("a"), names, place).members
    assert (first.weight, first.share, first.region, first.context) == (3, 0.5, "eu", 9)
    assert (first.first_token_s, first.idle_s, first.price) == (2, 3, 3)
    assert (second.weight, second.share) == (0, None)  # a share of nothing: only where others fail


def test_every_setting_reaches_the_core() -> None:
    written = ModelRoute(
        targets=["x/y"],
        strategy="cost",
        sticky="session",
        region="eu",
        retries=7,
        backoff_ms=1.5,
        backoff_max_ms=20,
        retry_after_max_s=3,
    )
    assert policy_of(written) == RoutePolicy(
        strategy="cost",
        sticky="session",
        region="eu",
        retries=7,
        backoff_us=1_500,
        backoff_max_us=20_000,
        retry_after_max_us=3_000_000,
    )
    assert policy_of(ModelRoute(targets=["x/y"])) == RoutePolicy(retries=2)
    breaker = breaker_of(Cooldown(failures=2, failure_share=0.9, window_s=3, open_s=4, open_max_s=1))
    assert msgspec.structs.astuple(breaker) == (2, 0.9, 3_000_000, 4_000_000, 4_000_000)
    assert breaker_of(Cooldown()) == TargetState().breaker
