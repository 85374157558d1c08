"""How much is kept of a call's content: four levels, and the rules that say which one holds for whom."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.settings.privacy import PrivacyPolicy

LEVELS = ("full", "preview", "hash", "none")
"""From all to nothing; see docs/privacy.md."""

_RANK = {level: rank for rank, level in enumerate(LEVELS)}


def tightest(*levels: str | None) -> str:
    """None is no opinion; `full` where nobody has one."""
    return max((level for level in levels if level is not None), key=_RANK.__getitem__, default="full")


class Capture:
    """Asked by the data plane for every call: three look-ups in a dict, none where there are no rules."""

    def __init__(self, default: str = "full", rules: Iterable[PrivacyPolicy] = ()) -> None:
        self.use(default, rules)

    def use(self, default: str, rules: Iterable[PrivacyPolicy]) -> None:
        """Takes new rules, all at once."""
        ranks: dict[tuple[str, str | None], int] = {}
        for rule in rules:
            if rule.payloads is not None:
                at = (rule.scope, rule.match)
                ranks[at] = max(_RANK[rule.payloads], ranks.get(at, 0))
        self._default, self._ranks = default, ranks

    def level(self, tenant: str | None, environment: str | None, key: str | None) -> str:
        """`key` is the key's name."""
        if not self._ranks:
            return self._default
        rank = self._ranks.get
        tenants, environments = rank(("tenant", tenant), 0), rank(("environment", environment), 0)
        return LEVELS[max(_RANK[self._default], tenants, environments, rank(("key", key), 0))]
