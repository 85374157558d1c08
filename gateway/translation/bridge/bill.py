"""The provider's usage in the client's usage object: counts as its native dialect reads them, never litellm's guesses.

What the provider sent is kept beside them as `provider_usage`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.dialects.base import UNREADABLE, Answer
from gateway.translation.bridge.channel import Heard
from pricing import Usage


def chat_usage(heard: Heard) -> dict[str, Any] | None:
    """OpenAI's object, whose input includes what was cached; None where the provider reported nothing."""
    answer = heard.answer()
    usage = answer.usage
    if usage is None:
        return None
    return _without_none(
        {
            "prompt_tokens": usage.input_tokens or 0,
            "completion_tokens": usage.output_tokens or 0,
            "total_tokens": (usage.input_tokens or 0) + (usage.output_tokens or 0),
            "prompt_tokens_details": _input_details(usage),
            "completion_tokens_details": _without_none(
                {
                    "reasoning_tokens": usage.reasoning_tokens,
                    "audio_tokens": usage.audio_output_tokens,
                    "image_tokens": usage.image_output_tokens,
                }
            ),
            "server_tool_use": _searches(usage),
            "provider_usage": _raw(answer),
        }
    )


def responses_usage(heard: Heard) -> dict[str, Any] | None:
    answer = heard.answer()
    usage = answer.usage
    if usage is None:
        return None
    return _without_none(
        {
            "input_tokens": usage.input_tokens or 0,
            "input_tokens_details": {"cached_tokens": usage.cached_input_tokens or 0, **(_input_details(usage) or {})},
            "output_tokens": usage.output_tokens or 0,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
            "total_tokens": (usage.input_tokens or 0) + (usage.output_tokens or 0),
            "provider_usage": _raw(answer),
        }
    )


def messages_usage(heard: Heard) -> dict[str, Any] | None:
    """Anthropic's object, whose input leaves out what was read from the cache or written to it."""
    answer = heard.answer()
    usage = answer.usage
    if usage is None:
        return None
    read, written = usage.cached_input_tokens or 0, usage.cache_write_tokens or 0
    return _without_none(
        {
            "input_tokens": max(0, (usage.input_tokens or 0) - read - written),
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "cache_creation": _without_none(
                {
                    "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
                    "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
                }
            ),
            "output_tokens": usage.output_tokens or 0,
            "output_tokens_details": _without_none({"thinking_tokens": usage.reasoning_tokens}),
            "server_tool_use": _searches(usage),
            "service_tier": answer.service_tier,
            "provider_usage": _raw(answer),
        }
    )


def gemini_usage(heard: Heard) -> dict[str, Any] | None:
    """Google's object, whose candidates leave out what was thought. It has no words for what is written to a cache and
    for searches: those are read again by the gateway only."""
    answer = heard.answer()
    usage = answer.usage
    if usage is None:
        return None
    thought = usage.reasoning_tokens or 0
    return _without_none(
        {
            "promptTokenCount": usage.input_tokens or 0,
            "candidatesTokenCount": max(0, (usage.output_tokens or 0) - thought),
            "thoughtsTokenCount": usage.reasoning_tokens,
            "cachedContentTokenCount": usage.cached_input_tokens,
            "totalTokenCount": (usage.input_tokens or 0) + (usage.output_tokens or 0),
            "promptTokensDetails": _modalities(AUDIO=usage.audio_input_tokens, IMAGE=usage.image_input_tokens),
            "candidatesTokensDetails": _modalities(AUDIO=usage.audio_output_tokens, IMAGE=usage.image_output_tokens),
            "cacheWriteTokenCount": usage.cache_write_tokens,
            "cacheWrite5mTokenCount": usage.cache_write_5m_tokens,
            "cacheWrite1hTokenCount": usage.cache_write_1h_tokens,
            "webSearchRequests": usage.web_searches,
            "serviceTier": answer.service_tier,
            "providerUsage": _raw(answer),
        }
    )


def _modalities(**counts: int | None) -> list[dict[str, Any]] | None:
    return [{"modality": name, "tokenCount": count} for name, count in counts.items() if count] or None


def _input_details(usage: Usage) -> dict[str, Any] | None:
    return _without_none(
        {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "cache_write_5m_tokens": usage.cache_write_5m_tokens,
            "cache_write_1h_tokens": usage.cache_write_1h_tokens,
            "audio_tokens": usage.audio_input_tokens,
            "image_tokens": usage.image_input_tokens,
            "video_tokens": usage.video_input_tokens,
        }
    )


def _searches(usage: Usage) -> dict[str, Any] | None:
    return _without_none({"web_search_requests": usage.web_searches})


def _raw(answer: Answer) -> Any:
    try:
        return msgspec.json.decode(answer.usage_raw) if answer.usage_raw else None
    except UNREADABLE:
        return None


def _without_none(fields: dict[str, Any]) -> dict[str, Any] | None:
    return {name: value for name, value in fields.items() if value is not None} or None
