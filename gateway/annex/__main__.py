"""`python -m gateway.annex`: the annex's process, and its composition root.

Started by the supervisor, which writes the orders as one line of JSON to standard input and keeps the pipe open: its
end means that the gateway is gone, and with it everybody who asks. SIGTERM means that a successor listens: what is
under way is answered to its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import os
import signal
import sys
import time

import msgspec
import uvloop

from gateway import __version__, api
from gateway.annex.answering import Answering, Introduced, facts
from gateway.annex.orders import Orders
from gateway.annex.pace import Pace
from gateway.config import Loaded, load
from gateway.control.alerts import Alerts
from gateway.control.catalog import load_catalog
from gateway.control.fleet import Fleet
from gateway.control.identity import Identity
from gateway.control.machine import Own
from gateway.control.privacy import Policies
from gateway.control.processes import ANNEX
from gateway.control.secret import load_secret
from gateway.control.state import AppState
from gateway.core.logline import log_to_stderr
from gateway.errors import StoreError
from gateway.proxy.gateway import Counters
from gateway.recorder.health import read_health
from gateway.recorder.priority import leave_group
from gateway.site import make_app
from gateway.store import open_store
from gateway.store.base import Store
from gateway.store.sealing import sealer_of


def main() -> None:
    leave_group()
    log_to_stderr("%(asctime)s annex %(levelname)s %(message)s", logging.WARNING)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the gateway; its end reaches us through the pipe
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=Orders)
    uvloop.run(answer(load(orders.config, orders.overrides)))


async def answer(loaded: Loaded) -> None:
    """Until the gateway is gone, or a successor has taken over and nothing is under way."""
    store = open_store(loaded.settings.store.url, loaded.data, sealer_of(loaded.settings.privacy.encryption))
    await store.connect()
    identity = Identity(loaded.settings, load_secret(loaded.data), store, loaded.data)
    policies = Policies(loaded.settings, store)
    app = make_app(state_of(loaded, store, identity, policies))
    await refreshed(identity, policies)
    answering = Answering(app, functools.partial(refreshed, identity, policies), Pace())
    server = await answering.listen(loaded.data)
    (loaded.data / ANNEX).write_text(str(os.getpid()))
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # a page of spans is thousands of objects, and none of them is a cycle
    gone, relieved = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), _on_input, gone)
    loop.add_signal_handler(signal.SIGTERM, relieved.set)
    ends = [asyncio.ensure_future(event.wait()) for event in (gone, relieved)]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    server.close()
    api.live_tail(app).close()
    await asyncio.wait([asyncio.ensure_future(answering.finish()), ends[0]], return_when=asyncio.FIRST_COMPLETED)
    os._exit(0)  # threads of the store may be in the middle of a query that nobody waits for


def state_of(loaded: Loaded, store: Store, identity: Identity, policies: Policies) -> AppState:
    """What a handler works with here: the log and who there is, and of the data plane what the worker tells."""
    settings = loaded.settings
    introduced = Introduced(
        identity.keyring, identity.people, load_secret(loaded.data), loaded.data, settings=settings.sign_in
    )
    return AppState(
        settings=settings,
        settings_source=loaded.source,
        store=store,
        keyring=identity.keyring,
        sessions=introduced,
        identity=identity,
        catalog=load_catalog(settings, loaded.data),
        counters=Counters(),
        journal_health=lambda: facts.get().journal,
        recorder_health=functools.partial(read_health, loaded.data),
        provider_health=dict,
        started_at=time.time_ns() // 1000,
        version=__version__,
        fleet=Fleet(loaded.data, None, settings.server.workers),
        data=loaded.data,
        policies=policies,
        standings=lambda: facts.get().standings,
        own=_told,
        alerts=Alerts(settings, store),
    )


def _told() -> Own:
    own = facts.get().own
    assert own is not None, "it is missing in WITH_OWN"
    return own


async def refreshed(identity: Identity, policies: Policies) -> None:
    """What a worker has just changed is on the page that it leads to."""
    with contextlib.suppress(StoreError):  # the page says so itself
        await identity.refresh()
        await policies.refresh()


def _on_input(gone: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        gone.set()


if __name__ == "__main__":
    main()
