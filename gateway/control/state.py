"""What a handler of the API or the dashboard works with; made by `gateway.app`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.core.health import JournalHealth, ProviderHealth, RecorderHealth
from gateway.settings import Settings
from gateway.store.base import Store

if TYPE_CHECKING:
    from gateway.control.keys import Keyring
    from gateway.control.sessions import Sessions
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


@dataclass
class AppState:
    """Found at `request.app.state.callgate`. `settings` and `catalog` are replaced whole on a reload."""

    settings: Settings
    settings_source: str
    """The file the settings came from, or `defaults`."""
    store: Store
    keyring: Keyring
    sessions: Sessions
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
    in_flight: InFlightCalls | None = None
    """The calls this worker carries; None in a process that carries none."""
    inside: InsideCaller | None = None
    """Makes calls from within, for a replay; None where there is no data plane."""
