"""A rule as a form has it, and back."""

from __future__ import annotations

import math

import msgspec

from gateway.dashboard.settings.frame import words
from gateway.errors import ControlError
from gateway.settings.alerts import AlertRule

EACH = ("tenant", "environment", "provider", "model", "key", "prompt")
LISTS = ("tenant", "environment", "provider", "model")


def rule_of(form: dict[str, str]) -> AlertRule:
    """Raises ControlError that names the field."""
    fields: dict[str, object] = {
        "name": form.get("name", "").strip(),
        "metric": form.get("metric", ""),
        form.get("way", "above"): _number(form, "limit", None),
        "clear": _number(form, "clear", None),
        "window_min": _number(form, "window_min", 10.0),
        "for_min": _number(form, "for_min", 0.0),
        "each": form.get("each", ""),
        "min_calls": _number(form, "min_calls", 10.0),
        "severity": form.get("severity", "warning"),
        **{name: words(form.get(name, "")) for name in LISTS},
    }
    receivers = words(form.get("notify", ""))
    if receivers:
        fields["notify"] = receivers
    try:
        return msgspec.convert(fields, AlertRule)
    except msgspec.ValidationError as exc:
        raise ControlError(f"This is no rule: {exc}.") from exc


def form_of_rule(rule: AlertRule) -> dict[str, str]:
    limit = rule.above if rule.above is not None else rule.below
    numbers = {
        "limit": limit,
        "clear": rule.clear,
        "window_min": rule.window_min,
        "for_min": rule.for_min,
        "min_calls": rule.min_calls,
    }
    return {
        "name": rule.name,
        "metric": rule.metric,
        "way": "above" if rule.above is not None else "below",
        "each": rule.each,
        "severity": rule.severity,
        "notify": " ".join(rule.notify or ()),
        **{name: "" if value is None else f"{value:.12g}" for name, value in numbers.items()},
        **{name: " ".join(getattr(rule, name)) for name in LISTS},
    }


def _number(form: dict[str, str], name: str, default: float | None) -> float | int | None:
    text = form.get(name, "").strip()
    if not text:
        return int(default) if name == "min_calls" and default is not None else default
    try:
        value = float(text)
    except ValueError as exc:
        raise ControlError(f"{name.replace('_', ' ')}: {text[:50]!r} is no number.") from exc
    if not math.isfinite(value):
        raise ControlError(f"{name.replace('_', ' ')}: {text[:50]!r} is no number.")
    return int(value) if name == "min_calls" and value.is_integer() else value
