"""Fees that the price file does not state with the model, though a call with it is billed for them.

OpenAI: https://platform.openai.com/docs/pricing (built-in tools). Azure bills the same.
"""

from __future__ import annotations

import re
from decimal import Decimal

from pricing.card import RateCard, RateKey
from pricing.money import atto

_TOOLS = {RateKey("file_search"): atto(Decimal("0.0025"))}
"""Of the responses API; for every model that can call tools."""
_OWNERS = ("openai", "azure")
_TALKING = ("chat", "responses")
_SEARCHING = re.compile(r"(?:.*/)?gpt-[\w.]+(?:-mini)?-search-(?:preview|api)(?:-[\d-]+)?")
"""Chat models that search before every answer, and do not count it."""


def with_fees(card: RateCard, owner: object, mode: object, key: str) -> RateCard:
    """The card with what its owner bills for beside it; unchanged where that is nothing, or the model is free."""
    if owner not in _OWNERS or mode not in _TALKING or not card.by_token or card.is_free:
        return card
    return card.with_rates(_TOOLS, searches_always=_SEARCHING.fullmatch(key) is not None)
