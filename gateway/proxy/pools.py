"""What outlives a reload of the settings: connections to providers, and what is known of how providers do."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from gateway.core.health import ProviderHealth
from gateway.core.providers import DEMO
from gateway.core.proxies import Proxies
from gateway.core.routing import Breaker, KeyRing, TargetState
from gateway.proxy.connect import Connector, Origin
from gateway.proxy.outbox import Outbox
from gateway.proxy.pool import Pool
from gateway.proxy.signing import Signer, signer_for
from gateway.settings import Provider
from gateway.translation import Translator

_MOST_REMEMBERED = 10_000


class Pools:
    """The connection pools of a worker, by origin, and how providers do: both outlive a reload of the settings."""

    def __init__(
        self, connector: Connector, dial_demo: Callable[[], socket.socket], translator: Translator | None = None
    ) -> None:
        self.translator = translator
        """None where nothing is translated."""
        self.outbox = Outbox()
        self._connector = connector
        self._dial_demo = dial_demo
        self._by_origin: dict[Origin, Pool] = {}
        self._health: dict[str, ProviderHealth] = {}
        self._targets: dict[str, TargetState] = {}
        self._keys: dict[str, KeyRing] = {}
        self._tokens: dict[str, tuple[Proxies, Signer | None]] = {}

    def get(self, origin: Origin, limit: int) -> Pool:
        pool = self._by_origin.get(origin)
        if pool is None:
            pool = self._by_origin[origin] = Pool(origin, self._connector, limit, self.outbox)
        pool.limit = limit
        return pool

    def demo(self, limit: int) -> Pool:
        return self.get(Origin(DEMO, 0, tls=False, dial=self._dial_demo), limit)

    def health(self, provider: str) -> ProviderHealth:
        return self._health.setdefault(provider, ProviderHealth())

    def target_state(self, name: str, breaker: Breaker) -> TargetState:
        """How `provider/model` has been doing, and whether it is left alone for now."""
        state = self._targets.get(name)
        if state is None:
            if len(self._targets) >= _MOST_REMEMBERED:
                self._targets.clear()
            state = self._targets[name] = TargetState()
        state.breaker = breaker
        return state

    def keys(self, provider: str, size: int) -> KeyRing:
        """Whose turn it is among the keys of a provider, and which rest."""
        ring = self._keys[provider] = self._keys.get(provider, KeyRing(size)).resized(size)
        return ring

    def signer(self, provider: Provider, proxies: Proxies) -> Signer | None:
        """What makes a provider's credentials, where they are made. Tokens outlive a reload, by whom they are for."""
        if not provider.google_credentials:
            return signer_for(provider, proxies)
        known = self._tokens.get(provider.google_credentials)
        if known is None or known[0] != proxies:
            known = self._tokens[provider.google_credentials] = (proxies, signer_for(provider, proxies))
        return known[1]

    def sweep(self, now: float) -> None:
        for pool in self._by_origin.values():
            pool.sweep(now)

    def close(self) -> None:
        for pool in self._by_origin.values():
            pool.close()
        for _, signer in self._tokens.values():
            if signer is not None:
                signer.close()

    def connections(self) -> Mapping[str, int]:
        """Open connections by origin, for the metrics."""
        return {f"{origin.host}:{origin.port}": pool.connections for origin, pool in self._by_origin.items()}
