"""Environments that the configuration declares: what does not hold together."""

from __future__ import annotations

import pytest

from gateway.core.consistency import inconsistencies
from gateway.settings import ApiKey, Settings
from gateway.settings.identity import DeclaredEnvironment

KEY = ApiKey(name="acme/staging", key="0123456789abcdef")
PRODUCTION = DeclaredEnvironment(name="production", tenant="acme", key="fedcba9876543210")


@pytest.mark.parametrize(
    ("environment", "path", "words"),
    [
        (PRODUCTION, ("environments", 1, "name"), "'acme/production' is taken"),
        (DeclaredEnvironment(name="staging", tenant="acme", key="x" * 16), ("environments", 1, "name"), "is taken"),
        (DeclaredEnvironment(name="test", key=KEY.key), ("environments", 1, "key"), "same as that of 'acme/staging'"),
        (DeclaredEnvironment(name="test", key=PRODUCTION.key), ("environments", 1, "key"), "'acme/production'"),
        (DeclaredEnvironment(name="test", key="with a white space"), ("environments", 1, "key"), "white space"),
    ],
)
def test_what_does_not_hold_together(environment: DeclaredEnvironment, path: tuple[str | int, ...], words: str) -> None:
    found = inconsistencies(Settings(keys=[KEY], environments=[PRODUCTION, environment]))
    assert (found[0].at, words in found[0].message) == (path, True)


def test_the_same_name_in_two_tenants_is_two() -> None:
    other = DeclaredEnvironment(name="production", tenant="globex", key="x" * 16)
    assert inconsistencies(Settings(keys=[KEY], environments=[PRODUCTION, other])) == []


def test_its_secret_is_not_shown() -> None:
    assert PRODUCTION.key not in repr(PRODUCTION)
