"""What a handler of the API or the dashboard works with; made by `gateway.app`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gateway.control.fleet import Fleet
from gateway.core.health import JournalHealth, ProviderHealth, RecorderHealth
from gateway.core.key import Key
from gateway.core.routing import Member, Route
from gateway.settings import Settings
from gateway.store.base import Store
from gateway.translation import EngineState

if TYPE_CHECKING:
    from gateway.control.admission_status import Standings
    from gateway.control.alerts import Alerts
    from gateway.control.identity import Identity
    from gateway.control.keys import Keyring
    from gateway.control.limiting import Limiting
    from gateway.control.machine import Own
    from gateway.control.privacy import Policies
    from gateway.control.readings import Meter
    from gateway.control.sessions import Sessions
    from gateway.control.vitals import Vitals
    from gateway.proxy.inflight import InFlightCalls
    from gateway.proxy.inside import InsideCaller
    from pricing.catalog import Catalog


class ProxyCounters(Protocol):
    """What the data plane counts since its start, in one worker."""

    calls: int
    attempts_repeated: int
    """Attempts that followed a failed one of the same call."""
    in_flight: int
    rejected: int
    """Answered by the gateway itself before anything was dispatched."""
    retried_stale: int
    """Kept-alive upstream connections found dead, tried again on a fresh one."""
    client_gone: int
    upstream_errors: int
    bytes_in: int
    bytes_out: int
    client_connections: int
    cache_hits: int
    cache_misses: int
    cache_bytes: int


class PoolUse(NamedTuple):
    connections: int
    """Open, idle ones included."""
    limit: int


class Routing(Protocol):
    """Where calls go, as this worker's data plane has it."""

    def resolve(self, model: str, key: Key | None) -> Route:
        """What a call for `model` with this key would follow. Raises the CallError that the call would get."""

    def all(self) -> Iterable[Route]:
        """The routes that `models` names; a pattern's are made when somebody asks."""

    def names(self, member: Member) -> tuple[str, str]:
        """(provider, model there)."""

    def now_us(self) -> int:
        """The clock that the members' states go by, which is not the time of day."""


@dataclass
class AppState:
    """Found at `request.app.state.callgate`. `settings` and `catalog` are replaced whole on a reload."""

    settings: Settings
    settings_source: str
    """The file the settings came from, or `defaults`."""
    store: Store
    keyring: Keyring
    sessions: Sessions
    identity: Identity
    catalog: Catalog
    counters: ProxyCounters
    journal_health: Callable[[], JournalHealth]
    recorder_health: Callable[[], RecorderHealth]
    provider_health: Callable[[], Mapping[str, ProviderHealth]]
    """By provider, in this worker."""
    started_at: int
    """µs UTC."""
    version: str
    worker: int = 0
    fleet: Fleet = field(default_factory=lambda: Fleet(Path()))
    """The other workers of this machine, to be asked; none unless told of."""
    meter: Meter | None = None
    """What this worker counts, kept beyond its end; None in a process that nobody replaces."""
    in_flight: InFlightCalls | None = None
    """The calls this worker carries; None in a process that carries none."""
    inside: InsideCaller | None = None
    """Makes calls from within, for a replay; None where there is no data plane."""
    limiting: Limiting | None = None
    """Limits and budgets; None in a process that takes no calls."""
    standings: Callable[[], Standings] | None = None
    """What limits and budgets are at, as another process told; None where they are counted here."""
    own: Callable[[], Own] | None = None
    """How the worker that was asked is, as it told; None where that is this process."""
    alerts: Alerts | None = None
    """None where nobody is told of anything."""
    routing: Routing | None = None
    """None where there is no data plane."""
    data: Path | None = None
    """The data folder; None in a process that has none."""
    vitals: Vitals | None = None
    """How it has been in the last hour; None in a process that does not sample."""
    pools: Callable[[], Mapping[str, PoolUse]] | None = None
    """Connections to providers, in this worker; None where there is no data plane."""
    policies: Policies | None = None
    """What is kept of whose calls; None in a process that follows none."""
    translation: Callable[[], EngineState] | None = None
    """Whether what translates is loaded, in this worker; None where nothing is translated."""
