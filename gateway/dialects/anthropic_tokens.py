"""Anthropic's token counting: https://docs.claude.com/en/api/messages-count-tokens. It is free: the count is the
answer, not a usage of it, so nothing is booked and nothing lacks a price."""

from __future__ import annotations

from gateway.dialects.anthropic_messages import AnthropicMessages


class AnthropicTokens(AnthropicMessages):
    name = "anthropic.tokens"
    kind = "tokens"
