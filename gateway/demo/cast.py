"""Who appears in the made-up month: models, tenants, and what they talk about."""

from __future__ import annotations

from typing import NamedTuple


class Model(NamedTuple):
    provider: str
    asked: str
    """As the application writes it."""
    answers: str
    """As the provider names itself; a dated snapshot for some."""
    ttft_ms: int
    tokens_per_s: int
    reasoning: bool = False
    embeds: bool = False


MODELS = {
    model.asked: model
    for model in (
        Model("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", 420, 95),
        Model("openai", "gpt-4o", "gpt-4o", 620, 70),
        Model("openai", "gpt-5", "gpt-5", 1900, 60, reasoning=True),
        Model("openai", "gpt-5-mini", "gpt-5-mini", 900, 110, reasoning=True),
        Model("openai", "o4-mini", "o4-mini", 2400, 90, reasoning=True),
        Model("openai", "text-embedding-3-small", "text-embedding-3-small", 90, 1, embeds=True),
        Model("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", 1100, 65),
        Model("anthropic", "claude-haiku-4-5", "claude-haiku-4-5-20251001", 520, 130),
        Model("gemini", "gemini-2.5-flash", "gemini-2.5-flash", 480, 160),
        Model("gemini", "gemini-2.5-pro", "gemini-2.5-pro", 2100, 80, reasoning=True),
        Model("mistral", "mistral-small-latest", "mistral-small-latest", 300, 120),
        Model("deepseek", "deepseek-chat", "deepseek-chat", 1300, 40),
        Model("workshop", "qwen3-8b-tuned", "qwen3-8b-tuned", 160, 55),  # their own machine: nobody knows the price
    )
}


class Feature(NamedTuple):
    name: str
    workflow: str | None
    agent: str | None
    models: tuple[str, ...]
    topic: str
    """Of `talk.TOPICS`."""
    stream: float
    """Share of calls that stream."""
    turns: int
    """Longest conversation."""
    tools: bool = False


FEATURES = {
    feature.name: feature
    for feature in (
        Feature("chat", None, None, ("gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5"), "support", 0.95, 8),
        Feature("support-triage", "tickets", "triage", ("gpt-4o-mini", "claude-haiku-4-5"), "ticket", 0.0, 1, True),
        Feature("summary", "digest", None, ("gemini-2.5-flash", "gpt-5-mini"), "summary", 0.1, 1),
        Feature("code-review", "pull-request", "reviewer", ("claude-sonnet-4-5", "gpt-5"), "code", 0.6, 3, True),
        Feature("search", "retrieval", None, ("text-embedding-3-small",), "search", 0.0, 1),
        Feature("translate", None, None, ("mistral-small-latest", "gemini-2.5-flash"), "translate", 0.3, 1),
        Feature("research", "report", "researcher", ("gpt-5", "gemini-2.5-pro", "o4-mini"), "research", 0.5, 4, True),
        Feature("extract", "invoices", None, ("gpt-4o-mini", "qwen3-8b-tuned", "deepseek-chat"), "invoice", 0.0, 1),
    )
}


class Tenant(NamedTuple):
    name: str
    share: float
    """Of all calls, before normalising."""
    features: tuple[str, ...]
    utc_offset_h: int
    """Where its people are awake."""
    users: int
    weekends: float
    """Traffic on a Saturday against that of a Tuesday."""


TENANTS = (
    Tenant("acme", 30, ("chat", "support-triage", "search", "summary"), 1, 260, 0.35),
    Tenant("globex", 22, ("code-review", "search", "chat"), -8, 140, 0.15),
    Tenant("initech", 15, ("extract", "summary"), -5, 40, 0.1),
    Tenant("umbrella", 11, ("chat", "translate", "search"), 9, 180, 0.6),
    Tenant("hooli", 9, ("research", "code-review", "chat"), -8, 60, 0.3),
    Tenant("stark", 7, ("extract", "research"), 0, 25, 0.8),
    Tenant("wonka", 4, ("chat", "translate"), 2, 50, 1.2),
    Tenant("tyrell", 2, ("summary", "search"), 5, 12, 0.4),
)
