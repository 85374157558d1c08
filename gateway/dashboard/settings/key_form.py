"""What a form says of a key's bounds: patterns apart by spaces, tags as `key=value`, a date."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import UNSET

from gateway.control.key_bounds import Bounds
from gateway.control.keys import moment_us
from gateway.core.key import ALL, Key
from gateway.dashboard.settings.frame import words
from gateway.errors import ControlError

PATTERNS = ("models", "endpoints", "configs")


def bounds_in(form: dict[str, str]) -> Bounds:
    """An empty field is no bound. Raises ControlError."""
    return Bounds(
        name=form.get("name", ""),
        models=tuple(words(form.get("models", ""))) or ALL,
        endpoints=tuple(words(form.get("endpoints", ""))) or ALL,
        configs=tuple(words(form.get("configs", ""))) or ALL,
        networks=tuple(words(form.get("networks", ""))),
        tags=_tags(form.get("tags", "")),
        expires_at=_expiry(form.get("expires", "")),
    )


def changes_in(form: dict[str, str], key: Key) -> Bounds:
    """Of the form that `fields_of` filled. An expiry whose day was left as it was keeps its hour."""
    given = bounds_in(form)
    stays = form.get("expires", "") == _day(key.expires_at)
    return Bounds(
        name=given.name,
        models=given.models,
        endpoints=given.endpoints,
        configs=given.configs,
        networks=given.networks,
        tags=given.tags,
        expires_at=UNSET if stays else given.expires_at,
    )


def fields_of(key: Key) -> dict[str, str]:
    return {
        "name": key.name,
        **{name: "" if getattr(key, name) == ALL else " ".join(getattr(key, name)) for name in PATTERNS},
        "networks": " ".join(key.networks),
        "tags": " ".join(f"{name}={value}" for name, value in key.tags.items()),
        "expires": _day(key.expires_at),
    }


def _tags(text: str) -> dict[str, str]:
    pairs = [word.partition("=") for word in words(text)]
    wrong = next(("".join(pair) for pair in pairs if not pair[0] or not pair[2]), None)
    if wrong is not None:
        raise ControlError(f"{wrong!r} is no tag. Write it as key=value.")
    return {name: value for name, _, value in pairs}


def _expiry(text: str) -> int | None:
    try:
        return moment_us(text) if text else None
    except ValueError as exc:
        raise ControlError(f"{text!r} is no date. Write it as 2027-01-31.") from exc


def _day(us: int | None) -> str:
    """In UTC, as a date alone is read."""
    return "" if us is None else f"{datetime.fromtimestamp(us / 1_000_000, UTC):%Y-%m-%d}"
