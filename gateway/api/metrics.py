"""`/metrics`: the counters of this worker and the state of the shared parts, for Prometheus.

Collected when asked, from what the data plane counts anyway. Every worker answers for itself (label `worker`); what is
shared (recorder, store) is the same from all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.health import store_health
from gateway.api.scope import state_of
from gateway.control.limiting import Limiting
from gateway.control.state import AppState
from gateway.core.health import JournalHealth, ProviderHealth, RecorderHealth
from gateway.store.base import StoreHealth
from gateway.translation import EngineState

WORKER_COUNTERS = {
    "calls": "Model calls taken, since the start.",
    "rejected": "Calls answered by the gateway itself before anything was dispatched.",
    "retried_stale": "Kept-alive upstream connections found dead and replaced.",
    "client_gone": "Calls whose client went away.",
    "upstream_errors": "Calls that ended with an error of the upstream or of the way to it.",
    "bytes_in": "Bytes received from clients.",
    "bytes_out": "Bytes sent to clients.",
    "cache_hits": "Calls answered from the response cache, or with the answer of an identical one under way.",
    "cache_misses": "Calls that the response cache might have answered, and could not.",
}
WORKER_GAUGES = {
    "in_flight": "Model calls being served now.",
    "client_connections": "Open connections of clients.",
    "cache_bytes": "Memory that the response cache takes.",
}
JOURNAL_STATES = ("ok", "dropping_bodies", "refusing")
TRANSLATION_STATES = ("not loaded", "loading", "loaded", "missing")
RECORDER_STATES = ("starting", "running", "store_down", "draining", "stopped")


async def metrics(request: Request) -> Response:
    state = state_of(request)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StateCollector(state, await store_health(state.store)))
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), media_type=content_type)


class StateCollector(Collector):
    def __init__(self, state: AppState, store: StoreHealth) -> None:
        self._state = state
        self._store = store

    def collect(self) -> Iterator[Metric]:
        worker = str(self._state.worker)
        for name, text in WORKER_COUNTERS.items():
            yield _counter(f"callgate_{name}", text, getattr(self._state.counters, name), worker=worker)
        for name, text in WORKER_GAUGES.items():
            yield _gauge(f"callgate_{name}", text, getattr(self._state.counters, name), worker=worker)
        yield _gauge("callgate_info", "Always 1; says the version.", 1, version=self._state.version)
        yield _gauge("callgate_start_time_seconds", "When it started.", self._state.started_at / 1e6, worker=worker)
        yield from _journal(self._state.journal_health(), worker)
        yield from _recorder(self._state.recorder_health())
        yield from _providers(self._state.provider_health(), worker)
        yield from _limits(self._state.limiting, worker)
        yield from _translation(self._state.translation, worker)
        yield from _store(self._store)


def _journal(health: JournalHealth, worker: str) -> Iterator[Metric]:
    yield _states("callgate_journal_state", "1 for the state it is in.", health.state, JOURNAL_STATES, worker=worker)
    yield _gauge("callgate_journal_backlog_bytes", "On disk, not in the store.", health.backlog_bytes, worker=worker)
    yield _counter("callgate_journal_opened", "Calls dispatched.", health.opened, worker=worker)
    yield _counter("callgate_journal_closed", "Calls ended.", health.closed, worker=worker)
    yield _counter(
        "callgate_journal_bodies_dropped", "Bodies given up for lack of room.", health.bodies_dropped, worker=worker
    )


def _recorder(health: RecorderHealth) -> Iterator[Metric]:
    yield _states("callgate_recorder_state", "1 for the state it is in.", health.state, RECORDER_STATES)
    yield _gauge("callgate_recorder_lag_seconds", "Age of the oldest ended call not stored.", health.lag_us / 1e6)
    yield _gauge("callgate_recorder_backlog_bytes", "Journal it has still to read.", health.backlog_bytes)
    yield _gauge("callgate_recorder_rows_per_second", "What it writes now.", health.rows_per_s)
    yield _gauge("callgate_recorder_updated_seconds", "When it last reported.", health.updated_at / 1e6)
    yield _counter("callgate_recorder_written", "Rows written.", health.written)
    yield _counter("callgate_recorder_duplicates", "Rows that were there already.", health.duplicates)
    yield _counter("callgate_recorder_interrupted", "Calls booked as interrupted.", health.interrupted)
    yield _counter("callgate_recorder_dead_letters", "Rows the store rejected.", health.dead_letters)
    yield _counter("callgate_recorder_restarts", "Times the gateway started it again.", health.restarts)


def _providers(providers: Mapping[str, ProviderHealth], worker: str) -> Iterator[Metric]:
    labels = ["provider", "worker"]
    calls = CounterMetricFamily("callgate_provider_calls", "Calls that reached a provider.", labels=labels)
    failures = CounterMetricFamily("callgate_provider_failures", "Calls that failed by its fault.", labels=labels)
    failing = GaugeMetricFamily("callgate_provider_failing", "1 when the last three calls failed.", labels=labels)
    for name, health in providers.items():
        calls.add_metric([name, worker], health.calls)
        failures.add_metric([name, worker], health.failures)
        failing.add_metric([name, worker], int(health.state == "failing"))
    yield from (calls, failures, failing)


def _limits(limiting: Limiting | None, worker: str) -> Iterator[Metric]:
    limits = limiting.limits if limiting is not None else None
    refused = CounterMetricFamily("callgate_limits_refused", "Calls refused, by what.", labels=["reason", "worker"])
    for reason, count in (limits.refused if limits is not None else {"rate": 0, "budget": 0, "runaway": 0}).items():
        refused.add_metric([reason, worker], count)
    waiting = sum(map(len, limits.lines.values())) if limits is not None else 0
    yield refused
    yield _gauge("callgate_limits_waiting", "Calls that wait for their turn.", waiting, worker=worker)


def _translation(state: Callable[[], EngineState] | None, worker: str) -> Iterator[Metric]:
    if state is not None:
        text = "1 for the state that litellm is in, which translates between dialects."
        yield _states("callgate_translation_state", text, state().state, TRANSLATION_STATES, worker=worker)


def _store(health: StoreHealth) -> Iterator[Metric]:
    yield _gauge("callgate_store_up", "1 if it answers.", int(health.ok))
    yield _gauge("callgate_store_latency_seconds", "What a small question takes.", health.latency_us / 1e6)
    if health.size_bytes is not None:
        yield _gauge("callgate_store_size_bytes", "What it takes on disk.", health.size_bytes)
    if health.spans is not None:
        yield _gauge("callgate_store_spans", "Rows in it.", health.spans)


def _counter(name: str, text: str, value: float, **labels: str) -> Metric:
    metric = CounterMetricFamily(name, text, labels=list(labels))
    metric.add_metric(list(labels.values()), value)
    return metric


def _gauge(name: str, text: str, value: float, **labels: str) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=list(labels))
    metric.add_metric(list(labels.values()), value)
    return metric


def _states(name: str, text: str, current: str, states: tuple[str, ...], **labels: str) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=[*labels, "state"])
    for state in states:
        metric.add_metric([*labels.values(), state], int(state == current))
    return metric
