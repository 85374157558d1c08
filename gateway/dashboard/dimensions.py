"""What spend is broken down by: the names of the dimensions, and the filters that find the calls of a group."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.store.base import GROUPS

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Dimension:
    key: str
    """As in `GET /api/costs?group_by=`."""
    label: str
    nothing: str = "none"
    """What the calls without a value are called."""


MAIN = (
    Dimension("provider_model", "Model", "no model"),
    Dimension("provider", "Provider", "no provider"),
    Dimension("tenant", "Tenant", "no tenant"),
    Dimension("feature", "Feature", "no feature"),
    Dimension("key", "Key", "no key"),
    Dimension("prompt", "Prompt", "no prompt"),
    Dimension("config", "Config", "no config"),
)
MORE = (
    Dimension("model", "Model, all providers", "no model"),
    Dimension("environment", "Environment", "no environment"),
    Dimension("variant", "Variant", "no variant"),
    Dimension("prompt_version", "Prompt version", "no prompt"),
    Dimension("user", "User", "no user"),
    Dimension("day", "Day"),
    Dimension("hour", "Hour"),
)
BY_KEY = {dimension.key: dimension for dimension in (*MAIN, *MORE)}
DEFAULT = MAIN[0]
TAG = "tag:"
TIMES = ("day", "hour")


def dimension_of(key: str | None) -> Dimension:
    """What is no dimension becomes the default: a page has no use for an error about a mistyped one."""
    if key and key.startswith(TAG) and len(key) > len(TAG):
        return Dimension(key, key.removeprefix(TAG), "untagged")
    return BY_KEY[key] if key in GROUPS and key in BY_KEY else DEFAULT


def filters_of(dimension: Dimension, key: str | None) -> Pairs:
    """The filters that the rows behind a group have; none where no filter says it."""
    if key is None or dimension.key in TIMES:
        return ()
    if dimension.key.startswith(TAG):
        return ((f"tag.{dimension.label}", key),)
    if dimension.key == "feature":
        return (("tag.feature", key),)
    if dimension.key == "provider_model":
        provider, _, model = key.partition("/")
        return (("provider", provider), ("model", model))
    if dimension.key == "prompt_version":
        return (("prompt", key.rpartition("@")[0]),)
    return ((dimension.key, key),)
