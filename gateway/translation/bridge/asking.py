"""Who is asked, and with what: the provider from the settings, and of the client's body the fields named here.

litellm takes everything as a keyword: `api_base`, `api_key`, `extra_headers`, `mock_response`, `fallbacks`. Whatever a
client writes under a name that is not in its dialect's list reaches neither litellm nor the provider.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.dialects.base import UNREADABLE
from gateway.errors import CallError
from gateway.translation.bridge.channel import client_for, handler_for, timeout_of
from gateway.translation.bridge.library import litellm, openai
from gateway.translation.engine import Request

CHAT = frozenset(
    (
        *("messages", "functions", "function_call", "temperature", "top_p", "n", "stop", "max_tokens"),
        *("max_completion_tokens", "modalities", "prediction", "audio", "presence_penalty", "frequency_penalty"),
        *("logit_bias", "user", "response_format", "seed", "tools", "tool_choice", "parallel_tool_calls", "logprobs"),
        *("top_logprobs", "reasoning_effort", "verbosity", "service_tier", "prompt_cache_key", "web_search_options"),
        *("thinking", "top_k", "safety_identifier"),
    )
)
"""OpenAI's, and what its clients send in `extra_body` to reach a provider's own: `thinking`, `top_k`."""

_MOST_KNOWN = 20_000
"""Names come from clients; the list has some thousand."""

_TAKEN_BY = {"input_audio": ("openai", "gemini"), "video_url": ("openai", "gemini")}
"""Types of parts, and which vendors' models are sent them."""

_ROUTES = {"bedrock": "bedrock/converse"}
"""Converse speaks for every model of Bedrock; left alone, litellm guesses an older API by the model's name."""

RESPONSES = frozenset(
    (
        *("input", "include", "instructions", "max_output_tokens", "parallel_tool_calls", "reasoning", "temperature"),
        *("text", "tool_choice", "tools", "top_p", "truncation", "user", "service_tier", "safety_identifier"),
        "prompt_cache_key",
    )
)
COMPLETIONS = frozenset(
    (
        *("max_tokens", "temperature", "top_p", "n", "stop", "presence_penalty", "frequency_penalty", "logit_bias"),
        *("seed", "user"),
    )
)
EMBEDDINGS = frozenset(("input", "dimensions", "encoding_format", "user", "input_type"))
MESSAGES = frozenset(
    (
        *("messages", "system", "max_tokens", "metadata", "stop_sequences", "temperature", "top_p", "top_k", "tools"),
        *("tool_choice", "thinking", "output_format", "output_config"),
    )
)


def body_of(request: Request) -> dict[str, Any]:
    """The client's body. CallError 400 where it is no JSON object."""
    try:
        body = msgspec.json.decode(request.body)
    except UNREADABLE as exc:
        raise refused(f"The body is not JSON: {exc}.") from exc
    if not isinstance(body, dict):
        raise refused("The body must be a JSON object.")
    return body


def picked(body: dict[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    """The client's fields that may pass; null is as good as absent. CallError 400 for tools that litellm would run."""
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict) and tool.get("type") == "mcp":
            raise refused("Tools of the type 'mcp' are not translated: call the MCP server yourself.", param="tools")
    return {name: value for name, value in body.items() if name in fields and value is not None}


def understood(request: Request, messages: Any) -> None:
    """CallError 400 for parts that the provider has no ears or eyes for, and litellm would leave out in silence."""
    for message in messages if isinstance(messages, list) else ():
        parts = message.get("content") if isinstance(message, dict) else None
        for part in parts if isinstance(parts, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            takers = _TAKEN_BY.get(kind) if isinstance(kind, str) else None
            if takers is not None and request.backend.vendor not in takers:
                raise refused(f"{request.backend.name} takes no parts of the type {kind!r}.", param="messages")


def model_of(request: Request, body: dict[str, Any]) -> str:
    """The provider's name of the model: from the path, where the client's dialect has it there."""
    model = request.dialect.model_in(request.path) or body.get("model")
    if not isinstance(model, str) or not model:
        raise refused("'model' is missing.", param="model")
    return model


def provider(request: Request, model: str) -> dict[str, Any]:
    """litellm's keywords that say whom to ask: everything from the settings."""
    backend = request.backend
    if backend.vendor == "gemini":
        _make_known(model)
    where: dict[str, Any] = {
        "model": f"{_ROUTES.get(backend.vendor, backend.vendor)}/{model}",
        "api_key": request.key or "none",
        "api_base": _address(request),
        "timeout": timeout_of(backend),
        "extra_headers": dict(backend.headers) or None,
        "num_retries": 0,
        "max_retries": 0,
        "caching": False,
        "no-log": True,
        "_skip_responses_api_bridge": True,  # a chat is asked for as a chat
        "_skip_mcp_handler": True,
    }
    if backend.vendor == "openai":
        where["client"] = openai.AsyncOpenAI(
            api_key=request.key or "none",
            base_url=backend.base_url,
            http_client=client_for(backend),
            max_retries=0,
            timeout=timeout_of(backend),
            organization="",
            project="",
        )
    else:
        where["client"] = handler_for(backend)
    if backend.vendor == "bedrock":
        where |= _aws(request)
    return where


def streaming(request: Request) -> dict[str, Any]:
    """litellm's keywords for a stream. Usage is asked for only where the provider has to be asked: otherwise litellm
    would count tokens by itself, and what the provider says is heard anyway."""
    asked = {"stream_options": {"include_usage": True}} if request.backend.vendor == "openai" else {}
    return {"stream": True, **asked}


def _make_known(model: str) -> None:
    """litellm leaves out what a model cannot do, and thinks that one which is not in its list can do nothing: a Gemini
    that is younger than the list is taken to do what an older one does."""
    if f"gemini/{model}" not in litellm.model_cost and len(litellm.model_cost) < _MOST_KNOWN:
        litellm.model_cost[f"gemini/{model}"] = litellm.model_cost["gemini/gemini-2.5-flash"]


def _address(request: Request) -> str:
    """The base URL as litellm's adapter of this vendor wants it."""
    backend, base = request.backend, request.backend.base_url
    if backend.vendor == "gemini":
        return base if backend.on_vertex else f"{base}/v1beta"
    if backend.vendor == "cohere_chat":
        return f"{base}/v2/{'embed' if request.dialect.kind == 'embedding' else 'chat'}"
    return base


def _aws(request: Request) -> dict[str, Any]:
    backend = request.backend
    named: dict[str, Any] = {
        "aws_bedrock_runtime_endpoint": backend.base_url,
        "aws_region_name": backend.region,
        "aws_access_key_id": backend.aws_access_key_id,
        "aws_secret_access_key": backend.aws_secret_access_key,
        "aws_session_token": backend.aws_session_token,
        "api_key": request.key,
        "api_base": None,
    }
    return named


def refused(message: str, param: str | None = None) -> CallError:
    return CallError(400, "invalid_request_error", message, error_type="invalid_request", param=param)
