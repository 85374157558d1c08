"""Which entry a model's name finds, and which it must not find."""

from __future__ import annotations

import pytest

from pricing import Catalog

FOUND = [
    ("openai", "gpt-4o", "gpt-4o"),
    ("openai", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
    ("openai", "gpt-4o-2031-12-24", "gpt-4o"),
    ("openai", "gpt-4o-mini-2031-12-24", "gpt-4o-mini"),
    ("openai", "gpt-4-0314", "gpt-4"),
    ("openai", "gpt-5-mini-latest", "gpt-5-mini"),
    ("openai", "ft:gpt-4o-2024-08-06:acme::BxYz12", "ft:gpt-4o-2024-08-06"),
    ("anthropic", "claude-sonnet-4-5-20260101", "claude-sonnet-4-5"),
    ("gemini", "models/gemini-2.5-flash", "gemini/gemini-2.5-flash"),
    ("gemini", "gemini-2.5-flash-002", "gemini/gemini-2.5-flash"),
    ("gemini-openai", "gemini-2.5-flash", "gemini/gemini-2.5-flash"),
    ("vertex", "google/gemini-2.5-flash", "gemini-2.5-flash"),
    ("vertex", "publishers/google/models/gemini-3-flash-preview", "vertex_ai/gemini-3-flash-preview"),
    ("vertex", "claude-sonnet-4-5@20250929", "vertex_ai/claude-sonnet-4-5"),
    ("azure", "gpt-4o-2024-11-20", "azure/gpt-4o-2024-11-20"),
    ("groq", "openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
    ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    ("together_ai", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    ("deepseek", "deepseek-v4-flash", "deepseek/deepseek-v4-flash"),
    ("cohere", "rerank-v3.5", "rerank-v3.5"),
    ("cohere", "embed-v4.0", "cohere/embed-v4.0"),
    ("voyage", "voyage-3.5", "voyage/voyage-3.5"),
    (
        "bedrock",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    ("bedrock", "eu.anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-haiku-4-5-20251001-v1:0"),
    ("dashscope", "qwen-flash", "dashscope/qwen-flash"),
]


@pytest.mark.parametrize(("provider", "model", "key"), FOUND)
def test_found(provider: str, model: str, key: str, golden: Catalog) -> None:
    price = golden.find(provider, model)
    assert price is not None
    assert (price.key, price.price_id) == (key, f"{key}@2026-11-01")


NOT_FOUND = {
    "unknown": ("openai", "gpt-99"),
    "another provider's model": ("openai", "claude-sonnet-4-5"),
    "another provider's model with a bare key": ("gemini", "gpt-4o"),
    "the same name elsewhere": ("together", "openai/gpt-oss-120b"),
    "a sibling is no snapshot": ("openai", "gpt-4o-nano"),
    "a number is no date": ("openai", "gpt-4o-1399"),
    "year and month are no date": ("mistral", "mistral-small-2603"),
    "a preview is no snapshot": ("openai", "gpt-4o-preview"),
    "a fine-tuned model whose base has no such price": ("openai", "ft:gpt-4o-mini-2024-07-18:acme::x"),
    "a variant by size": ("openai", "gpt-image-1.5-hd"),
    "a profile that names no model": (
        "bedrock",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/otnfa2ysixqd",
    ),
    "a provider nobody knows": ("local", "gpt-4o"),
    "empty": ("openai", ""),
}


@pytest.mark.parametrize("case", NOT_FOUND)
def test_not_found(case: str, golden: Catalog) -> None:
    provider, model = NOT_FOUND[case]
    assert golden.find(provider, model) is None


def test_a_name_without_a_prefix_goes_to_the_first_provider_that_has_it(golden: Catalog) -> None:
    assert golden.claims("claude-sonnet-4-5", ["openai", "gemini", "anthropic"]) == "anthropic"
    assert golden.claims("gemini-2.5-flash", ["vertex", "gemini"]) == "vertex"
    assert golden.claims("gemini-2.5-flash", ["gemini", "vertex"]) == "gemini"
    assert golden.claims("gpt-4o-2031-12-24", ["anthropic", "openai"]) == "openai"
    assert golden.claims("my-own", ["openai", "anthropic"]) is None
    assert golden.claims("gpt-4o", []) is None


def test_a_provider_s_models_by_its_own_names(golden: Catalog) -> None:
    assert golden.models("voyage") == ["rerank-2.5", "voyage-3.5"]
    assert golden.models("groq") == ["openai/gpt-oss-120b", "whisper-large-v3"]
    assert golden.models("cohere") == ["command-r7b-12-2024", "embed-v4.0", "rerank-v3.5"]
    assert golden.models("bedrock") == [
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "us.amazon.nova-micro-v1:0",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ]
    assert golden.models("local") == []


def test_variants_and_fine_tunes_are_not_listed(golden: Catalog) -> None:
    listed = golden.models("openai")
    assert "gpt-image-1.5" in listed
    assert not [name for name in listed if "/" in name or ":" in name]
