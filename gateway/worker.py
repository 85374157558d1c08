"""One gateway process: its parts put together, served by uvicorn, taken down in order."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from gateway import __version__, api
from gateway.annex.way import Way, facts_for
from gateway.config import Loaded, quiet_litellm
from gateway.control.alerting import Alerting
from gateway.control.alerts import Alerts
from gateway.control.answers import StoredAnswers
from gateway.control.catalog import load_catalog
from gateway.control.configuration import ConfigurationLog
from gateway.control.fleet import Fleet
from gateway.control.identity import Identity
from gateway.control.limiting import Limiting
from gateway.control.privacy import Policies
from gateway.control.readings import Meter
from gateway.control.secret import load_secret
from gateway.control.state import AppState, PoolUse
from gateway.control.vitals import Vitals
from gateway.core.sealing import Sealer
from gateway.demo import connect
from gateway.errors import CallgateError
from gateway.journal import JournalWriter
from gateway.proxy import failures
from gateway.proxy.client_connection import ConnectionSweep
from gateway.proxy.connect import Connector
from gateway.proxy.exchange import Exchange
from gateway.proxy.gateway import Counters, Gateway
from gateway.proxy.inflight import InFlightCalls
from gateway.proxy.inside import InsideCaller
from gateway.proxy.pools import Pools
from gateway.proxy.protocol import GatewayProtocol
from gateway.proxy.routes import LiveRoutes
from gateway.proxy.table import Table
from gateway.proxy.tunnel import Tunnel
from gateway.recorder.health import read_health
from gateway.settings import Settings
from gateway.site import make_app
from gateway.store import open_store
from gateway.store.base import Store
from gateway.store.sealing import sealing_keys
from gateway.translation import Engine, Translator
from gateway.watch import Watcher
from pricing import Catalog

log = logging.getLogger("callgate")


class Worker:
    """Made before the event loop runs; `run` returns when the process was told to stop and has drained."""

    def __init__(
        self,
        loaded: Loaded,
        listener: socket.socket,
        number: int = 0,
        reloaded: Callable[[Settings], None] | None = None,
        began_at: int | None = None,
    ) -> None:
        """`reloaded` hears of new settings. `began_at` is when the gateway as a whole began, in µs UTC; None for a
        process that is all of it."""
        self.loaded = loaded
        self._reloaded = reloaded
        self.number = number
        self._began_at = began_at or time.time_ns() // 1000
        self._fleet = Fleet(loaded.data, number, loaded.settings.server.workers)
        self._listener = listener
        self._counters = Counters()
        self._engine = Engine(quiet_litellm)
        self._pools = Pools(Connector(), connect, Translator(self._engine))
        self._server: _Server | None = None
        self._configurations: ConfigurationLog | None = None
        self._sealer = Sealer()

    async def run(self, ready: Callable[[AppState, str | None], None]) -> None:
        """Serves until a signal. `ready` is called when the first call can be taken, with the secret of the first
        gateway key where one was just made."""
        loaded = self.loaded
        settings = loaded.settings
        self._sealer.use(sealing_keys(settings.privacy.encryption))
        store = open_store(settings.store.url, loaded.data, self._sealer)
        await store.connect()
        identity = Identity(settings, load_secret(loaded.data), store, loaded.data)
        first_key = await identity.keyring.ensure_first_key()
        await identity.refresh()
        policies = Policies(settings, store)
        await policies.refresh()
        catalog = current_catalog(loaded)
        answers = StoredAnswers(store, lambda: int(self.loaded.settings.cache.max_mb * 1024 * 1024), self._sealer)
        limiting = Limiting(
            settings, catalog, store, loaded.data, self.number, functools.partial(_is_drained, loaded.data)
        )
        gateway = self._gateway_of(identity, catalog, answers)
        gateway.capture, gateway.admission = policies.capture, limiting.limits
        configurations = self._configurations = ConfigurationLog(store, __version__)
        configurations.took_effect(settings, loaded.source)
        alerts = Alerts(settings, store)
        vitals = Vitals(loaded.data, self._counters, functools.partial(read_health, loaded.data))
        state = self._state_of(gateway, store, identity, catalog, limiting)
        state.policies, state.alerts, state.vitals = policies, alerts, vitals
        meter = state.meter = Meter(state, loaded.data, self._began_at)
        alerting = Alerting(alerts, state, str(loaded.data))
        limiting.sinks.append(alerting.hear)
        watcher = Watcher(loaded, functools.partial(self._reload, gateway, state))
        followers = (identity.follow(), policies.follow())
        keepers = (limiting.run(), vitals.run(), meter.run(), configurations.run())
        beside = [asyncio.create_task(each) for each in (*followers, *keepers, alerting.run(looks=self.number == 0))]
        try:
            watcher.start()
            await self._serve(gateway, state, lambda: ready(state, first_key))
        finally:
            for task in beside:
                task.cancel()
            await watcher.stop()
            await self._fleet.close()
            end_remaining(gateway)
            gateway.stop()
            await limiting.close()
            gateway.journal.finish()
            await answers.close()
            with contextlib.suppress(CallgateError):
                await identity.last_used.flush()
            with contextlib.suppress(CallgateError):
                await alerting.hand_on()
            await store.close()

    def _gateway_of(self, identity: Identity, catalog: Catalog, answers: StoredAnswers) -> Gateway:
        """The data plane, with a journal of its own."""
        loaded = self.loaded
        return Gateway(
            table=Table(loaded.settings, loaded.proxies, catalog, self._pools),
            pools=self._pools,
            journal=JournalWriter(
                loaded.data / "journal" / f"worker-{self.number}-{os.getpid()}",
                max_bytes=loaded.settings.log.journal_max_mb * 1024 * 1024,
            ),
            keys=identity.keyring,
            counters=self._counters,
            behind=answers,
        )

    def _state_of(
        self, gateway: Gateway, store: Store, identity: Identity, catalog: Catalog, limiting: Limiting
    ) -> AppState:
        """What handlers work with, of what this process runs."""
        loaded = self.loaded
        return AppState(
            settings=loaded.settings,
            settings_source=loaded.source,
            store=store,
            keyring=identity.keyring,
            sessions=identity.sessions,
            identity=identity,
            catalog=catalog,
            counters=self._counters,
            journal_health=gateway.journal.health,
            recorder_health=functools.partial(read_health, loaded.data),
            provider_health=lambda: {name: upstream.health for name, upstream in gateway.table.upstreams.items()},
            started_at=time.time_ns() // 1000,
            version=__version__,
            worker=self.number,
            fleet=self._fleet,
            limiting=limiting,
            in_flight=InFlightCalls(gateway),
            inside=InsideCaller(gateway),
            routing=LiveRoutes(gateway),
            data=loaded.data,
            pools=lambda: {
                name: PoolUse(upstream.pool.connections, upstream.pool.limit)
                for name, upstream in gateway.table.upstreams.items()
            },
            translation=lambda: self._engine.state,
        )

    def _reload(self, gateway: Gateway, state: AppState, loaded: Loaded) -> None:
        """A new configuration, all of it at once; calls in flight keep the one they began with."""
        self._sealer.use(sealing_keys(loaded.settings.privacy.encryption))
        catalog = current_catalog(loaded)
        gateway.use(Table(loaded.settings, loaded.proxies, catalog, self._pools))
        if state.limiting is not None:
            state.limiting.use(loaded.settings, catalog)
            gateway.admission = state.limiting.limits
        state.settings, state.catalog = loaded.settings, catalog
        state.identity.declare(loaded.settings)
        if state.policies is not None:
            state.policies.declare(loaded.settings)
        if self._configurations is not None:
            self._configurations.took_effect(loaded.settings, loaded.source)
        if state.alerts is not None:
            state.alerts.settings = loaded.settings
        self.loaded = loaded
        if self._reloaded is not None:
            self._reloaded(loaded.settings)

    async def _serve(self, gateway: Gateway, state: AppState, ready: Callable[[], None]) -> None:
        settings = self.loaded.settings.server
        way = Way(self.loaded.data, state.sessions, functools.partial(facts_for, state))
        app = make_app(state, way)
        config = uvicorn.Config(
            app,
            http=functools.partial(GatewayProtocol, gateway),  # type: ignore[arg-type]  # called like the class
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=int(settings.keep_alive_s),
            timeout_graceful_shutdown=int(settings.drain_s),
            backlog=4096,
        )
        tail = api.live_tail(app)

        def end_streams() -> None:
            tail.close()
            way.end_streams()

        server = self._server = _Server(config, gateway, ready, end_streams)
        gateway.timed.add(ConnectionSweep(server.server_state.connections))
        gateway.start()
        await self._fleet.open()
        # A finished call leaves no cycles behind, so the collector has little to find and much to look through.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        await server.serve(sockets=[self._listener])


class _Server(uvicorn.Server):
    """uvicorn's life cycle, with a word when it begins and none of new calls while it ends."""

    def __init__(
        self, config: uvicorn.Config, gateway: Gateway, ready: Callable[[], None], end_streams: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._ready = ready
        self._end_streams = end_streams

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Being told to stop is no failure: uvicorn would raise the signal again once it has shut down."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)  # it is ending: being told again must not cut off what is left

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._gateway.draining = True
        self._end_streams()  # they never end by themselves, and uvicorn waits for what is open
        await super().shutdown(sockets)


def _is_drained(data: Path) -> bool:
    """Whether everything that was journalled is in the store."""
    health = read_health(data)
    return health.state == "running" and health.backlog_bytes == 0


def current_catalog(loaded: Loaded) -> Catalog:
    catalog = load_catalog(loaded.settings, loaded.data)
    if catalog.problem:
        log.warning("prices: %s", catalog.problem)
    return catalog


def end_remaining(gateway: Gateway) -> None:
    """Calls that outlived the drain are ended and booked as interrupted, with what they used."""
    for timed in list(gateway.timed):
        if isinstance(timed, Exchange | Tunnel):
            with contextlib.suppress(Exception):
                timed.interrupt(failures.stopped())
