"""`/metrics`: what all workers of this machine count, and the state of what they share, for Prometheus.

Collected when asked. What each worker counts has its number as the label `worker`; what is shared (recorder, store)
is there once. `sum without (worker) (…)` is the whole machine.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.health import store_health
from gateway.api.scope import state_of
from gateway.control.readings import Reading, readings_of_all
from gateway.core.health import RecorderHealth
from gateway.store.base import StoreHealth

RECORDER_STATES = ("starting", "running", "store_down", "draining", "stopped")


async def metrics(request: Request) -> Response:
    state = state_of(request)
    readings, silent = await readings_of_all(state)
    families = [
        _gauge("callgate_info", "Always 1; says the version.", 1, version=state.version),
        _answers(readings, silent),
        *_of_workers(readings),
        *_recorder(state.recorder_health()),
        *_store(await store_health(state.store)),
    ]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(families))
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), media_type=content_type)


class _Collected(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _answers(workers: dict[int, list[Reading]], silent: set[int]) -> Metric:
    text = "0 for a worker that did not answer: its counters are those it last wrote down."
    family = GaugeMetricFamily("callgate_worker_up", text, labels=["worker"])
    for number in sorted(workers):
        family.add_metric([str(number)], int(number not in silent))
    return family


def _of_workers(workers: dict[int, list[Reading]]) -> list[Metric]:
    """A family of each name, with all its labels and workers."""
    families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
    for number, readings in sorted(workers.items()):
        for each in readings:
            family = families.get(each.name)
            if family is None:
                kind = CounterMetricFamily if each.is_counter else GaugeMetricFamily
                family = families[each.name] = kind(each.name, each.text, labels=[*each.labels, "worker"])
            family.add_metric([*each.labels.values(), str(number)], each.value)
    return list(families.values())


def _recorder(health: RecorderHealth) -> Iterator[Metric]:
    states = GaugeMetricFamily("callgate_recorder_state", "1 for the state it is in.", labels=["state"])
    for state in RECORDER_STATES:
        states.add_metric([state], int(state == health.state))
    yield states
    yield _gauge("callgate_recorder_lag_seconds", "Age of the oldest ended call not stored.", health.lag_us / 1e6)
    yield _gauge("callgate_recorder_backlog_bytes", "Journal it has still to read.", health.backlog_bytes)
    yield _gauge("callgate_recorder_rows_per_second", "What it writes now.", health.rows_per_s)
    yield _gauge("callgate_recorder_updated_seconds", "When it last reported.", health.updated_at / 1e6)
    yield _counter("callgate_recorder_written", "Rows written.", health.written)
    yield _counter("callgate_recorder_duplicates", "Rows that were there already.", health.duplicates)
    yield _counter("callgate_recorder_interrupted", "Calls booked as interrupted.", health.interrupted)
    yield _counter("callgate_recorder_dead_letters", "Rows the store rejected.", health.dead_letters)
    yield _counter("callgate_recorder_restarts", "Times the gateway started it again.", health.restarts)


def _store(health: StoreHealth) -> Iterator[Metric]:
    yield _gauge("callgate_store_up", "1 if it answers.", int(health.ok))
    yield _gauge("callgate_store_latency_seconds", "What a small question takes.", health.latency_us / 1e6)
    if health.size_bytes is not None:
        yield _gauge("callgate_store_size_bytes", "What it takes on disk.", health.size_bytes)
    if health.spans is not None:
        yield _gauge("callgate_store_spans", "Rows in it.", health.spans)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _gauge(name: str, text: str, value: float, **labels: str) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=list(labels))
    metric.add_metric(list(labels.values()), value)
    return metric
