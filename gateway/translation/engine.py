"""Loading litellm: when the first call needs it, in a thread, once.

It takes seconds and 180 MB, which nobody pays who does not translate. This is the one place that imports it.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal, Protocol, cast

import msgspec

from gateway.dialects import Dialect
from gateway.errors import CallError
from gateway.translation.backend import Backend

BRIDGE = "gateway.translation.bridge"
"""The subpackage that imports litellm and httpx."""

log = logging.getLogger("callgate.translation")


class Request(msgspec.Struct, frozen=True):
    """A call to be translated, as the gateway sends it."""

    backend: Backend
    dialect: Dialect
    """What the client speaks."""
    path: bytes
    body: bytes
    key: str | None = None
    """The provider's key whose turn it is; None for a provider without one."""
    query: bytes = b""

    def __repr__(self) -> str:
        return f"Request({self.dialect.name} to {self.backend!r})"


class Reply(msgspec.Struct):
    """What to answer, in the client's dialect."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | AsyncIterator[bytes]
    """Whole, or a stream of whole events. Closing the stream (`aclose`) ends the call to the provider."""


class Bridge(Protocol):
    """What `BRIDGE` has to offer."""

    async def answer(self, request: Request) -> Reply:
        """Never raises but for a cancellation: a failure is an answer, too."""


class EngineState(msgspec.Struct, frozen=True):
    state: Literal["not loaded", "loading", "loaded", "missing"]
    load_ms: float | None = None
    """How long loading took; None before it is done."""


class Engine:
    """litellm, loaded or not. `prepare` runs before the import: it sets what litellm reads from the environment."""

    def __init__(self, prepare: Callable[[], object] = lambda: None) -> None:
        self.state = EngineState("not loaded")
        self._prepare = prepare
        self._loading: asyncio.Task[Bridge] | None = None

    async def bridge(self) -> Bridge:
        """Waits for litellm, however many calls do at once. CallError 501 where it is not installed."""
        if self._loading is None or (self._loading.done() and self.state.state != "loaded"):
            self.state = EngineState("loading")
            self._loading = asyncio.create_task(self._load())
        return await asyncio.shield(self._loading)  # a caller that leaves does not stop it for the others

    async def _load(self) -> Bridge:
        began = time.perf_counter()
        try:
            bridge = await asyncio.to_thread(self._import)
        except ImportError as exc:
            self.state = EngineState("missing")
            log.error("translation: litellm cannot be imported: %s", exc)
            raise CallError(
                501,
                "translation_unavailable",
                "This model's provider speaks another dialect, and litellm, which translates, cannot be imported: "
                f"{exc}. Install it with `pip install litellm`.",
                error_type="invalid_request",
            ) from exc
        except BaseException:
            self.state = EngineState("not loaded")
            raise
        gc.freeze()  # a hundred thousand objects that stay: the collector need not look through them
        self.state = EngineState("loaded", round((time.perf_counter() - began) * 1000, 1))
        log.info("translation: litellm is loaded, in %.1f s", time.perf_counter() - began)
        return bridge

    def _import(self) -> Bridge:
        self._prepare()
        return cast(Bridge, cast(Any, importlib.import_module(BRIDGE)))
