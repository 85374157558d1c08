"""Failures in words: what a kind of error is called, how loud it is, and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    name: str
    tone: str
    """`error`: the provider or the way to it failed. `warning`: the gateway or the client did it (look.md, Colour)."""
    family: str
    """Which bar of the errors chart."""
    advice: str


KINDS = {
    "timeout": Kind("Timeout", "error", "Timeout", "Raise the provider's timeouts, or route these calls elsewhere."),
    "rate_limit": Kind(
        "Rate limit", "warning", "Rate limit", "Add a key or a second provider, or slow the caller down."
    ),
    "authentication": Kind("Authentication", "error", "Upstream error", "Check the provider's key."),
    "invalid_request": Kind(
        "Invalid request", "warning", "Refused", "The provider's message says which field to correct."
    ),
    "content_filter": Kind("Content filter", "warning", "Refused", "The provider refused the content."),
    "context_length": Kind(
        "Context length", "warning", "Refused", "Shorten the prompt, or use a model with a larger context."
    ),
    "upstream_error": Kind(
        "Upstream error", "error", "Upstream error", "Route these calls elsewhere until it is over."
    ),
    "network": Kind(
        "Network", "error", "Upstream error", "Check the way to the provider: name, firewall, certificate."
    ),
    "parse_error": Kind("Unreadable answer", "error", "Upstream error", "The raw response shows what came instead."),
    "cancelled": Kind("Cancelled by the client", "warning", "Cancelled", "The client's own timeout may be too short."),
    "interrupted": Kind("Interrupted", "error", "Upstream error", "The gateway stopped while they ran."),
    "budget": Kind("Budget spent", "warning", "Rate limit", "Raise the budget, or wait until it starts anew."),
    "limit": Kind("Limit", "warning", "Rate limit", "Raise the limit, or slow the caller down."),
}
OTHER = Kind("Error", "error", "Upstream error", "The raw response says more.")
FAMILIES = (
    ("Upstream error", "var(--error-mark)"),
    ("Rate limit", "var(--warning-mark)"),
    ("Timeout", "var(--series-7)"),
    ("Refused", "var(--info-mark)"),
)


def kind(error_type: str | None) -> Kind:
    return KINDS.get(error_type or "", OTHER)


def title(error_type: str | None, status_code: int | None) -> str:
    """`Overloaded (529)`."""
    name = "Overloaded" if error_type == "upstream_error" and status_code in (503, 529) else kind(error_type).name
    return name if status_code is None else f"{name} ({status_code})"


@dataclass(frozen=True)
class Status:
    """How a call ended, for a pill: `200`, `429 budget`, `499 left`, `504 timeout`."""

    text: str
    tone: str
    title: str = ""


_SHORT = {
    "timeout": "timeout",
    "rate_limit": "",
    "budget": "budget",
    "limit": "limit",
    "cancelled": "left",
    "interrupted": "cut off",
    "network": "network",
    "parse_error": "unreadable",
    "content_filter": "filtered",
    "context_length": "too long",
}


def status(status_code: int | None, error_type: str | None) -> Status:
    if error_type is None and (status_code is None or status_code < 400):
        return Status(str(status_code) if status_code is not None else "ok", "success")  # a step that is no HTTP
    word = _SHORT.get(error_type or "", "")
    code = "" if status_code is None else str(status_code)
    text = f"{code} {word}".strip() or kind(error_type).name.lower()
    tone = kind(error_type).tone if error_type else "error" if (status_code or 500) >= 500 else "warning"
    if status_code in (402, 429, 499):
        tone = "warning"
    elif status_code is not None and status_code >= 500:
        tone = "error"
    return Status(text, tone, kind(error_type).name)
