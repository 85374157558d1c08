"""Providers known by name. A provider is a row of data: to add one, add a row (and run tests/config).

Base URLs are what the provider's own SDK takes: with `/v1` (or what stands for it) for everything OpenAI-compatible,
the bare host for Anthropic, Gemini, Cohere and Bedrock. `${VAR}` in one is filled from the environment, for providers
whose address depends on an account. `price_prefix` is what the provider's models carry in litellm's price file.
"""

from __future__ import annotations

from difflib import get_close_matches

import msgspec

DIALECTS = {
    "openai": "bearer",
    "anthropic": "x-api-key",
    "gemini": "x-goog-api-key",
    "cohere": "bearer",
    "bedrock": "bearer",
    "ollama": "bearer",
    "mcp": "bearer",
}
"""What a provider can speak, and the header its key goes in unless the provider's row says otherwise."""

DEMO = "demo"
"""The built-in provider, always there. Without a `base_url` of its own the gateway answers for it."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Where a provider's answers say what it charges and who really answered."""

    charge: str = ""
    """What its cost field means: a word of `gateway.dialects.evidence`. Empty: it states no charge."""
    provider_header: bytes = b""
    """The header of an answer that names who served it, in lower case."""


class KnownProvider(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    title: str
    """As the provider writes its name."""
    base_url: str
    key_variables: tuple[str, ...] = ()
    """Environment variables that hold its key, the first one set wins. Empty: it needs no key."""
    dialect: str = "openai"
    auth: str = "bearer"
    ask_usage: bool = True
    """Whether a stream's usage may and must be asked for with `stream_options.include_usage`. False where usage comes
    unasked, or where the field is refused (Mistral answers 422 `extra_forbidden`)."""
    forward_metadata: bool = False
    """A gateway itself, which reads `metadata`."""
    evidence: Evidence | None = None
    credentials_variable: str = ""
    """The variable that stands in for the setting `google_credentials`."""
    region_variable: str = ""
    """The variable in its base URL that the setting `region` stands in for."""
    price_prefix: str = ""
    from_environment: bool = True
    """Added when its key is in the environment and nothing is configured. False for second doors to the same key, and
    for variables that other software sets for its own ends."""


def _compatible(name: str, title: str, base_url: str, *key_variables: str, **quirks: object) -> KnownProvider:
    row = {"name": name, "title": title, "base_url": base_url, "key_variables": key_variables, "price_prefix": name}
    return msgspec.convert({**row, **quirks}, KnownProvider)


_c = _compatible

_VERTEX = (
    "https://${VERTEX_LOCATION:-us-central1}-aiplatform.googleapis.com/v1/projects/${VERTEX_PROJECT}"
    "/locations/${VERTEX_LOCATION:-us-central1}"
)
"""Of all that a project has in a location."""

_MAKERS = (
    _c("openai", "OpenAI", "https://api.openai.com/v1", "OPENAI_API_KEY", price_prefix=""),
    _c("anthropic", "Anthropic", "https://api.anthropic.com", "ANTHROPIC_API_KEY",
       dialect="anthropic", auth="x-api-key", ask_usage=False, price_prefix=""),
    _c("gemini", "Google Gemini", "https://generativelanguage.googleapis.com", "GEMINI_API_KEY", "GOOGLE_API_KEY",
       dialect="gemini", auth="x-goog-api-key", ask_usage=False),
    _c("gemini-openai", "Gemini, OpenAI surface", "https://generativelanguage.googleapis.com/v1beta/openai",
       "GEMINI_API_KEY", "GOOGLE_API_KEY", price_prefix="gemini", from_environment=False),
    _c("azure", "Azure OpenAI", "${AZURE_OPENAI_ENDPOINT}/openai/v1", "AZURE_OPENAI_API_KEY", auth="api-key"),
    _c("azure-ai", "Azure AI Foundry", "${AZURE_AI_ENDPOINT}/openai/v1", "AZURE_AI_API_KEY",
       auth="api-key", price_prefix="azure_ai"),
    _c("bedrock", "Amazon Bedrock", "https://bedrock-runtime.${AWS_REGION:-us-east-1}.amazonaws.com",
       "AWS_BEARER_TOKEN_BEDROCK", dialect="bedrock", ask_usage=False, region_variable="AWS_REGION", price_prefix=""),
    _c("vertex", "Vertex AI, OpenAI surface", f"{_VERTEX}/endpoints/openapi", "VERTEX_ACCESS_TOKEN",
       region_variable="VERTEX_LOCATION", credentials_variable="GOOGLE_APPLICATION_CREDENTIALS",
       price_prefix="vertex_ai"),
    _c("vertex-gemini", "Vertex AI, Gemini's own surface", f"{_VERTEX}/publishers/google", "VERTEX_ACCESS_TOKEN",
       dialect="gemini", ask_usage=False, region_variable="VERTEX_LOCATION",
       credentials_variable="GOOGLE_APPLICATION_CREDENTIALS", price_prefix="vertex_ai", from_environment=False),
    _c("cohere", "Cohere", "https://api.cohere.com", "CO_API_KEY", "COHERE_API_KEY",
       dialect="cohere", ask_usage=False, price_prefix=""),
    _c("mistral", "Mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", ask_usage=False),
    _c("deepseek", "DeepSeek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    _c("xai", "xAI", "https://api.x.ai/v1", "XAI_API_KEY", evidence=Evidence(charge="xai")),
    _c("perplexity", "Perplexity", "https://api.perplexity.ai", "PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY",
       ask_usage=False, evidence=Evidence(charge="perplexity")),
    _c("ai21", "AI21", "https://api.ai21.com/studio/v1", "AI21_API_KEY", ask_usage=False, price_prefix=""),
    _c("moonshot", "Moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    _c("minimax", "MiniMax", "https://api.minimax.io/v1", "MINIMAX_API_KEY"),
    _c("zai", "Z.ai", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
    _c("dashscope", "Alibaba DashScope", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    _c("volcengine", "Volcengine Ark", "https://ark.cn-beijing.volces.com/api/v3", "ARK_API_KEY", "VOLCENGINE_API_KEY"),
    _c("inception", "Inception", "https://api.inceptionlabs.ai/v1", "INCEPTION_API_KEY"),
    _c("voyage", "Voyage AI", "https://api.voyageai.com/v1", "VOYAGE_API_KEY", ask_usage=False),
    _c("jina", "Jina AI", "https://api.jina.ai/v1", "JINA_API_KEY", ask_usage=False, price_prefix="jina_ai"),
)  # fmt: skip
"""Who serves models of their own."""

_HOSTS = (
    _c("groq", "Groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY", ask_usage=False),
    _c("together", "Together AI", "https://api.together.xyz/v1", "TOGETHER_API_KEY", "TOGETHERAI_API_KEY",
       price_prefix="together_ai"),
    _c("fireworks", "Fireworks AI", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY",
       "FIREWORKS_AI_API_KEY", price_prefix="fireworks_ai"),
    _c("cerebras", "Cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    _c("sambanova", "SambaNova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
    _c("deepinfra", "DeepInfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"),
    _c("nebius", "Nebius Token Factory", "https://api.studio.nebius.com/v1", "NEBIUS_API_KEY"),
    _c("nvidia", "NVIDIA NIM", "https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY",
       price_prefix="nvidia_nim"),
    _c("novita", "Novita", "https://api.novita.ai/openai/v1", "NOVITA_API_KEY"),
    _c("hyperbolic", "Hyperbolic", "https://api.hyperbolic.xyz/v1", "HYPERBOLIC_API_KEY"),
    _c("lambda", "Lambda", "https://api.lambda.ai/v1", "LAMBDA_API_KEY", price_prefix="lambda_ai"),
    _c("baseten", "Baseten", "https://inference.baseten.co/v1", "BASETEN_API_KEY"),
    _c("friendli", "Friendli", "https://api.friendli.ai/serverless/v1", "FRIENDLI_TOKEN", "FRIENDLIAI_API_KEY",
       price_prefix="friendliai"),
    _c("featherless", "Featherless", "https://api.featherless.ai/v1", "FEATHERLESS_API_KEY", "FEATHERLESS_AI_API_KEY",
       price_prefix="featherless_ai"),
    _c("nscale", "Nscale", "https://inference.api.nscale.com/v1", "NSCALE_API_KEY"),
    _c("ovhcloud", "OVHcloud", "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", "OVHCLOUD_API_KEY"),
    _c("scaleway", "Scaleway", "https://api.scaleway.ai/v1", "SCW_SECRET_KEY", from_environment=False),
    _c("wandb", "W&B Inference", "https://api.inference.wandb.ai/v1", "WANDB_API_KEY", from_environment=False),
    _c("databricks", "Databricks", "${DATABRICKS_HOST}/serving-endpoints", "DATABRICKS_TOKEN", from_environment=False),
    _c("cloudflare", "Cloudflare Workers AI",
       "https://api.cloudflare.com/client/v4/accounts/${CLOUDFLARE_ACCOUNT_ID}/ai/v1", "CLOUDFLARE_API_TOKEN",
       from_environment=False),
    _c("github", "GitHub Models", "https://models.github.ai/inference", "GITHUB_MODELS_TOKEN"),
)  # fmt: skip
"""Who serves the models of others."""

_ROUTERS = (
    _c("openrouter", "OpenRouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", ask_usage=False,
       evidence=Evidence(charge="openrouter")),
    _c("huggingface", "Hugging Face router", "https://router.huggingface.co/v1", "HF_TOKEN", "HUGGINGFACE_API_KEY",
       evidence=Evidence(provider_header=b"x-inference-provider"), from_environment=False),
    _c("vercel", "Vercel AI Gateway", "https://ai-gateway.vercel.sh/v1", "AI_GATEWAY_API_KEY",
       "VERCEL_AI_GATEWAY_API_KEY", evidence=Evidence(charge="vercel"), price_prefix="vercel_ai_gateway"),
    _c("portkey", "Portkey", "https://api.portkey.ai/v1", "PORTKEY_API_KEY",
       forward_metadata=True, evidence=Evidence(provider_header=b"x-portkey-provider"), price_prefix="",
       from_environment=False),
    _c("helicone", "Helicone", "https://ai-gateway.helicone.ai", "HELICONE_API_KEY",
       price_prefix="", from_environment=False),
    _c("litellm", "LiteLLM proxy", "${LITELLM_PROXY_API_BASE:-http://127.0.0.1:4000/v1}", "LITELLM_PROXY_API_KEY",
       forward_metadata=True, evidence=Evidence(charge="litellm"), price_prefix="", from_environment=False),
    _c("aihubmix", "AIHubMix", "https://aihubmix.com/v1", "AIHUBMIX_API_KEY"),
    _c("poe", "Poe", "https://api.poe.com/v1", "POE_API_KEY"),
    _c("chutes", "Chutes", "https://llm.chutes.ai/v1", "CHUTES_API_KEY"),
)  # fmt: skip
"""Routing services: one door to many."""

_LOCAL = (
    _c("ollama", "Ollama", "http://127.0.0.1:11434/v1"),
    _c("ollama-native", "Ollama, its own API", "http://127.0.0.1:11434",
       dialect="ollama", ask_usage=False, price_prefix="ollama"),
    _c("vllm", "vLLM", "http://127.0.0.1:8000/v1", price_prefix="hosted_vllm"),
    _c("sglang", "SGLang", "http://127.0.0.1:30000/v1", price_prefix=""),
    _c("llamacpp", "llama.cpp", "http://127.0.0.1:8080/v1", price_prefix=""),
    _c("lmstudio", "LM Studio", "http://127.0.0.1:1234/v1", price_prefix=""),
    _c("localai", "LocalAI", "http://127.0.0.1:8080/v1", price_prefix=""),
    _c(DEMO, "Callgate's demo", "http://demo.invalid/v1", price_prefix=""),
)  # fmt: skip
"""On the own machine; without a key unless one is configured."""

KNOWN = {row.name: row for group in (_MAKERS, _HOSTS, _ROUTERS, _LOCAL) for row in group}
"""Every provider known by name."""


def known(name: str) -> KnownProvider | None:
    return KNOWN.get(name)


def auth_of(dialect: str) -> str:
    """The header style of a dialect, for a provider that is no row."""
    return DIALECTS.get(dialect, "bearer")


def nearest(name: str) -> str | None:
    """The known provider that `name` may be a typing error of."""
    close = get_close_matches(name.lower().replace("_", "-"), KNOWN, n=1, cutoff=0.75)
    return close[0] if close else None
