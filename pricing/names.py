"""From a provider and the model it says it is to the keys under which the price file may have it.

The rules, in order. A key is taken only if its `litellm_provider` is the provider's own: a name that two providers
share never gets the other one's price.

1. The name as it stands, under the provider's prefixes.
2. The name without the path its provider puts before it (`models/…`, `publishers/google/models/…`, an ARN).
3. A snapshot of a listed model: the name without the date (`-2024-08-06`, `-20250929`, `@20250929`, `-0613`, Google's
   `-001`) or without `-latest`. Only these endings: `gpt-4o-mini` is not a snapshot of `gpt-4o`.
4. A fine-tuned model (`ft:gpt-4o-2024-08-06:acme::x1`): the fine-tuned price of its base, never the price of the base.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Naming(NamedTuple):
    """How the price file writes a provider's models."""

    prefixes: tuple[str, ...]
    """What stands before the model's name in a key; "" for bare names."""
    owners: tuple[str, ...]
    """Values of `litellm_provider` that are this provider."""
    paths: tuple[str, ...] = ()
    """What the provider itself may put before a name."""

    def owns(self, litellm_provider: object) -> bool:
        """`vertex_ai` also owns what is filed under `vertex_ai-language-models`."""
        return isinstance(litellm_provider, str) and any(
            litellm_provider == owner or litellm_provider.startswith(owner + "-") for owner in self.owners
        )


_GEMINI = Naming(("gemini/", ""), ("gemini",), ("models/",))
_VERTEX = Naming(("vertex_ai/", ""), ("vertex_ai",), ("publishers/google/models/", "google/", "models/"))
_AZURE_AI = Naming(("azure_ai/",), ("azure_ai",))
_BEDROCK = Naming(("", "bedrock/"), ("bedrock", "bedrock_converse", "bedrock_mantle"))

_NAMINGS = {
    "openai": Naming(("", "openai/"), ("openai", "text-completion-openai")),
    "anthropic": Naming(("", "anthropic/"), ("anthropic",)),
    "gemini": _GEMINI,
    "gemini-openai": _GEMINI,
    "google": _GEMINI,
    "vertex": _VERTEX,
    "vertex_ai": _VERTEX,
    "google-vertex": _VERTEX,
    "vertex-gemini": _VERTEX,
    "azure": Naming(("azure/",), ("azure", "azure_text")),
    "azure-ai": _AZURE_AI,
    "bedrock": _BEDROCK,
    "cohere": Naming(("", "cohere/"), ("cohere", "cohere_chat")),
    "ai21": Naming(("", "ai21/"), ("ai21",)),
    "deepseek": Naming(("deepseek/", ""), ("deepseek",)),
    "mistral": Naming(("mistral/", "codestral/"), ("mistral", "codestral")),
    "volcengine": Naming(("volcengine/", ""), ("volcengine",)),
    "voyage": Naming(("voyage/", ""), ("voyage",)),
    "jina": Naming(("jina_ai/", ""), ("jina_ai",)),
    "together": Naming(("together_ai/",), ("together_ai",)),
    "fireworks": Naming(("fireworks_ai/", "fireworks_ai/accounts/fireworks/models/"), ("fireworks_ai",)),
    "nvidia": Naming(("nvidia_nim/",), ("nvidia_nim",)),
    "lambda": Naming(("lambda_ai/",), ("lambda_ai",)),
    "friendli": Naming(("friendliai/",), ("friendliai",)),
    "featherless": Naming(("featherless_ai/",), ("featherless_ai",)),
    "vercel": Naming(("vercel_ai_gateway/",), ("vercel_ai_gateway",)),
    "ollama-native": Naming(("ollama/",), ("ollama",)),
    "vllm": Naming(("hosted_vllm/",), ("hosted_vllm",)),
    "qwen": Naming(("dashscope/",), ("dashscope",)),
}

_DATE = r"20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_PLAIN_DATE = r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_MONTH_DAY = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_SNAPSHOT = re.compile(rf"(.+?)(?:-{_DATE}|[-@]{_PLAIN_DATE}|-{_MONTH_DAY}|[-@]latest)")
_GOOGLE_SNAPSHOT = re.compile(r"(gemini.+?|text-embedding|imagen.+?|veo.+?)[-@]\d{3}")
_BEDROCK_REGION = re.compile(r"(?:us-gov|us|eu|apac|au|jp|ca|sa|global)\.(.+)")


def naming(provider: str) -> Naming:
    """By the name of the provider; one that is not in the table is filed under its own name."""
    row = _NAMINGS.get(provider) or _NAMINGS.get(provider.removesuffix("_ai").replace("_", "-"))
    if row is not None:
        return row
    spellings = tuple(dict.fromkeys((provider, provider.replace("-", "_"), provider.replace("_", "-"))))
    return Naming((*(f"{name}/" for name in spellings), ""), spellings)


def spellings(model: str, of: Naming) -> Iterator[str]:
    """The names to look for, best first: the rules of this module's docstring."""
    names = [model, *(model.removeprefix(path) for path in of.paths if model.startswith(path))]
    if of is _BEDROCK:
        bare = model.rpartition("/")[2]
        region = _BEDROCK_REGION.fullmatch(bare)
        names += [bare, region[1]] if region else [bare]
    if model.startswith("ft:"):
        names.append(":".join(model.split(":")[:2]))
    yield from names
    for name in names:
        snapshot = _SNAPSHOT.fullmatch(name) or (_GOOGLE_SNAPSHOT.fullmatch(name) if of in (_GEMINI, _VERTEX) else None)
        if snapshot:
            yield snapshot[1]


def keys(model: str, of: Naming) -> Iterator[str]:
    """Candidate keys of the price file, best first."""
    for name in spellings(model, of):
        for prefix in of.prefixes:
            yield prefix + name


def public_name(key: str, of: Naming) -> str | None:
    """The provider's own name for the model under a key; None where the key is no model of its own.

    Bare keys with a slash are variants of one model by size, quality or region (`1024-x-1024/gpt-image-1`); `*` stands
    for any region.
    """
    for prefix in of.prefixes:
        if prefix and key.startswith(prefix):
            name = key.removeprefix(prefix)
            return None if "*" in name or "-x-" in name or (of is _BEDROCK and "/" in name) else name
    if "" not in of.prefixes or "/" in key or key.startswith("ft:"):
        return None
    return key
