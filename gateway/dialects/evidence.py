"""What a routing service says of its own charge, and of who really answered. One function for each way of saying it.

A provider's row (`core.providers`) names its way; without one, whatever a cost field may mean, it is not believed.
A charge of nothing is believed of a service that bills (a free model), not of LiteLLM's header, which is 0 until a
stream has ended.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from gateway.dialects.base import UNREADABLE, Answer, Context

_NANO = 1_000_000_000
_MOST_NANOUSD = 10**15
"""A million dollars a call is nonsense."""

_FINAL_PROVIDER = re.compile(rb'"finalProvider"\s*:\s*"([^"\\]{1,100})"')
_GATEWAY_COST = re.compile(rb'"cost"\s*:\s*"([0-9.eE+-]{1,40})"')
_MARKET_COST = re.compile(rb'"marketCost"\s*:\s*"([0-9.eE+-]{1,40})"')


class _CostDetails(msgspec.Struct):
    upstream_inference_cost: Decimal | None = None


class _RouterUsage(msgspec.Struct):
    cost: Decimal | None = None
    is_byok: bool | None = None
    cost_details: _CostDetails | None = None


class _PerplexityCost(msgspec.Struct):
    total_cost: Decimal | None = None


class _PerplexityUsage(msgspec.Struct):
    cost: _PerplexityCost | None = None


class _Ticks(msgspec.Struct):
    cost_in_usd_ticks: int | None = None


_decode_router = msgspec.json.Decoder(_RouterUsage).decode
_decode_perplexity = msgspec.json.Decoder(_PerplexityUsage).decode
_decode_ticks = msgspec.json.Decoder(_Ticks).decode


def with_evidence(answer: Answer, data: bytes, context: Context) -> Answer:
    """The same answer, with `cost_nanousd` and `provider` where the provider's row says where to look."""
    evidence = context.evidence
    if evidence is None:
        return answer
    if evidence.charge:
        try:
            answer.cost_nanousd = _nanousd(_WAYS[evidence.charge](answer, data, context))
        except (*UNREADABLE, ArithmeticError):
            answer.cost_nanousd = None
    if answer.provider is None and evidence.provider_header:
        named = context.headers.get(evidence.provider_header)
        answer.provider = named.decode("latin-1")[:100] if named else None
    return answer


def provider_name(value: Any) -> str | None:
    """OpenRouter's `provider` field, and that of others that do likewise."""
    return value[:100] if isinstance(value, str) and value else None


def _nanousd(dollars: Decimal | None) -> int | None:
    if dollars is None or not dollars.is_finite() or dollars < 0 or dollars > _MOST_NANOUSD // _NANO:
        return None
    return round(dollars * _NANO)


def _openrouter(answer: Answer, data: bytes, context: Context) -> Decimal | None:
    """`usage.cost` is billed. With the caller's own key at the provider it is the service's fee alone, and what the
    provider bills is `upstream_inference_cost`. https://openrouter.ai/docs/use-cases/usage-accounting"""
    if answer.usage_raw is None:
        return None
    usage = _decode_router(answer.usage_raw)
    upstream = usage.cost_details.upstream_inference_cost if usage.cost_details is not None else None
    if usage.is_byok and upstream is not None:
        return upstream + (usage.cost or 0)
    return usage.cost


def _perplexity(answer: Answer, data: bytes, context: Context) -> Decimal | None:
    """`usage.cost.total_cost`: tokens, the request's fee, searches. https://docs.perplexity.ai/api-reference"""
    if answer.usage_raw is None:
        return None
    cost = _decode_perplexity(answer.usage_raw).cost
    return cost.total_cost if cost is not None else None


def _xai(answer: Answer, data: bytes, context: Context) -> Decimal | None:
    """Ticks of 10⁻¹⁰ $, tools included. https://docs.x.ai/developers/cost-tracking"""
    ticks = _decode_ticks(answer.usage_raw).cost_in_usd_ticks if answer.usage_raw is not None else None
    return Decimal(ticks).scaleb(-10) if ticks is not None else None


def _vercel(answer: Answer, data: bytes, context: Context) -> Decimal | None:
    """`provider_metadata.gateway`: the last one of the answer. With the caller's own key `cost` is 0, and the market's
    price is the best that is known. https://vercel.com/docs/ai-gateway"""
    if found := _FINAL_PROVIDER.search(data):
        answer.provider = found[1].decode("utf-8", "replace")
    at = data.rfind(b'"gateway"')
    cost = _GATEWAY_COST.search(data, at) if at >= 0 else None
    if cost is None:
        return _openrouter(answer, data, context)
    billed = Decimal(cost[1].decode())
    market = _MARKET_COST.search(data, at)
    return Decimal(market[1].decode()) if market is not None and not billed else billed


def _litellm(answer: Answer, data: bytes, context: Context) -> Decimal | None:
    """https://docs.litellm.ai/docs/proxy/response_headers"""
    stated = context.headers.get(b"x-litellm-response-cost")
    dollars = Decimal(stated.decode("latin-1")) if stated and stated != b"None" else None
    return dollars or None


_WAYS: dict[str, Callable[[Answer, bytes, Context], Decimal | None]] = {
    "openrouter": _openrouter,
    "perplexity": _perplexity,
    "xai": _xai,
    "vercel": _vercel,
    "litellm": _litellm,
}
"""By the word in a provider's row."""

CHARGES = frozenset(_WAYS)
