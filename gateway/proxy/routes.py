"""The routes of the table in force, for those who ask where calls go (`control.state.Routing`)."""

from __future__ import annotations

from contextlib import suppress

from gateway.core.key import Key
from gateway.core.routing import Member, Route
from gateway.errors import CallError
from gateway.proxy import journey
from gateway.proxy.gateway import Gateway
from gateway.proxy.plan import permitted
from gateway.settings.routes import ModelRoute


class LiveRoutes:
    """Looks at the gateway's table anew each time, so that a reload is seen at once."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def resolve(self, model: str, key: Key | None) -> Route:
        """What a call for `model` with this key would follow. Raises the CallError that the call would get."""
        way = self._gateway.table.resolve(model)
        if key is not None:
            permitted(key, way, model)
        return way.route

    def all(self) -> list[Route]:
        """The routes that `models` names, in its order; without those that a call would be refused on."""
        table = self._gateway.table
        found = []
        for name, value in table.settings.models.items():
            if isinstance(value, ModelRoute) and "*" not in name:
                with suppress(CallError):
                    found.append(table.resolve(name).route)
        return found

    def names(self, member: Member) -> tuple[str, str]:
        """(provider, model there)."""
        target = self._gateway.table.target(member.model)
        return target.upstream.name, target.model or ""

    def now_us(self) -> int:
        return journey.now_us()
