"""What calls take of that which machines share (`counters.across`), and whose it is to tell of a budget's levels."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from gateway.control.admission_holding import Account, Holding, Meter, Share
from gateway.control.counters.across import Across
from gateway.control.counters.allotment import Allotment, Levels

Part = tuple[Share, Meter | Account]
"""A share, and the limit or budget that asks for it."""


class Shares:
    """Of one worker."""

    def __init__(self, across: Across, tell: Callable[[Account, int, int, int], None]) -> None:
        """`tell` is called for a level that is this machine's to tell: with the account, the period, the level's place
        among the rule's, and what all machines have spent."""
        self.across = across
        self._tell = tell

    def of(self, holding: Holding, money: int, tokens: int) -> list[Part]:
        """What a call takes."""
        parts: list[Part] = []
        for meter in holding.meters:
            rule = meter.rule
            for of, limit, amount in (
                ("requests", rule.requests, 1),
                ("tokens", rule.tokens, tokens),
                ("places", rule.concurrent, 1),
            ):
                if limit is not None:
                    allotment = self.across.allotment(f"{rule.name}:{of}", limit, lasting=of == "places")
                    parts.append((Share(allotment, amount, of), meter))
        parts += [(Share(self._allotment(account), money, "money"), account) for account in holding.accounts]
        return parts

    def ours(self, account: Account) -> list[float]:
        """The levels reached in the running period that this machine has told, or should have before a crash."""
        found = self.across.known(_name(account))
        return [float(level) for level in found.levels.ours] if found is not None and found.levels is not None else []

    def _allotment(self, account: Account) -> Allotment:
        """This process's part of a budget's running period. Its levels go by what all machines have spent."""
        rule, period = account.rule, account.begin
        found = self.across.allotment(_name(account), rule.limit, lasting=True, bounded=rule.hard)
        if found.levels is None:
            amounts = {f"{level:g}": math.ceil(level * rule.limit / 100) for level in rule.levels}
            places = {name: place for place, name in enumerate(amounts)}

            def tell(level: str, spent: int) -> None:
                self._tell(account, period, places[level], spent)

            found.levels = Levels(amounts, functools.partial(account.purse.spent, period), tell)
        return found


def _name(account: Account) -> str:
    return f"{account.rule.name}:{account.begin}"
