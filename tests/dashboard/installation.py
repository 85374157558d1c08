"""The application as it is put together in `gateway.worker`, on a store of its own: for browser tests and pictures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware

from gateway import api, dashboard
from gateway.api.access import DELEGATED, AccessMiddleware
from gateway.control.alerts import Alerts
from gateway.control.identity import Identity
from gateway.control.privacy import Policies
from gateway.control.state import AppState
from gateway.core.health import JournalHealth, RecorderHealth
from gateway.core.span import Payload, Span
from gateway.settings import ApiKey, Settings
from gateway.store import open_store
from gateway.store.base import Batch, SpanWrite
from pricing.catalog import Catalog

SECRET = b"a secret of thirty-two bytes ...."
ADMIN_KEY = "cg-admin-of-the-pictures"
KEYS = [ApiKey(name="pictures", key=ADMIN_KEY, role="admin")]
MICROSECONDS = 1_000_000


class Installation:
    """`app` is what uvicorn serves; `sign_in` is the path that signs a browser in."""

    def __init__(self, folder: Path, spans: Iterable[Span] = (), payloads: dict[str, Payload] | None = None) -> None:
        self.folder = folder
        self.now_us = time.time_ns() // 1000
        self.recorder = RecorderHealth(state="running", updated_at=2**61)
        self.journal = JournalHealth()
        self.add(spans, payloads or {})
        self.store: Any = open_store(Settings().store.url, folder)
        self.identity = Identity(Settings(keys=KEYS), SECRET, self.store, folder)
        self.sessions = self.identity.sessions
        state = AppState(
            settings=Settings(),
            settings_source="defaults",
            store=self.store,
            keyring=self.identity.keyring,
            sessions=self.sessions,
            identity=self.identity,
            catalog=Catalog.load(),
            counters=SimpleNamespace(in_flight=0, client_connections=0),  # type: ignore[arg-type]
            journal_health=lambda: self.journal,
            recorder_health=lambda: self.recorder,
            provider_health=dict,
            started_at=self.now_us,
            version="0.1.0",
            alerts=Alerts(Settings(), self.store),
            policies=Policies(Settings(), self.store),
            data=folder,
        )
        self.app = Starlette(
            routes=[*api.routes(), *dashboard.routes()],
            middleware=[
                Middleware(
                    AccessMiddleware, rules=[*dashboard.RULES, *api.RULES, *DELEGATED], not_found=dashboard.not_found
                )
            ],
            exception_handlers=dict(dashboard.exception_handlers()),
            lifespan=self._lifespan,
        )
        self.app.state.callgate = state

    @property
    def sign_in(self) -> str:
        return f"/login?token={self.sessions.one_time_token()}"

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        await self.store.connect()
        yield
        await self.store.close()

    def add(self, spans: Iterable[Span], payloads: dict[str, Payload]) -> None:
        """Written as the recorder writes them: by another connection."""
        writes = [SpanWrite(span, payloads.get(span.request_id)) for span in spans]
        with ThreadPoolExecutor(1) as pool:  # the main thread may have the event loop of a browser
            pool.submit(asyncio.run, self._write(writes)).result()

    async def _write(self, writes: list[SpanWrite]) -> None:
        store = open_store(Settings().store.url, self.folder)
        await store.connect()
        for start in range(0, len(writes), 2000):
            written = await store.write(Batch(spans=writes[start : start + 2000]))
            assert not written.rejected, written.rejected[0].error
        await store.close()
