"""The contract of a store. Everything above it (recorder, API, dashboard, control) imports this and no database.

Amounts are integers: µs, nano-dollars, counts. The JSON shapes of interface.md are made in `gateway.api`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from gateway.core.key import Key
from gateway.core.span import Payload, Span
from gateway.core.stored import StoredRow
from gateway.store.answers import Answers
from gateway.store.documents import AuditEntry, Documents
from gateway.store.erasing import Erasing

# ------------------------------------------------------------------------------------------------ writing


class SpanWrite(msgspec.Struct):
    """A span and its bodies, ready to store: redacted, previews made. `payload` None stores no body."""

    span: Span
    payload: Payload | None = None
    bill_id: str | None = None
    """Where several calls may report one bill, which: the first one stored keeps its usage and cost, and of the
    others `not_billed` is stored."""
    bill_is_own: bool = False
    """The call that made the bill keeps its usage and cost in any case."""


def not_billed(span: Span) -> Span:
    """A call that reported what another one had already been booked for. What it reported stays to be seen."""
    return msgspec.structs.replace(
        span,
        usage=None,
        usage_source="none",
        also=[],
        cost_nanousd=None,
        input_cost_nanousd=None,
        output_cost_nanousd=None,
        charge_nanousd=None,
        cost_source="none",
        price_id=None,
    )


class JournalPosition(msgspec.Struct, frozen=True):
    """How far the recorder has read one journal folder: everything before `offset` of `segment` is in the store."""

    journal: str
    segment: int
    offset: int


class CarriedOpen(msgspec.Struct, frozen=True):
    """A dispatched call whose `open` frame lies in a segment about to be deleted and that is not closed yet."""

    journal: str
    request_id: str
    frame: bytes


class Batch(msgspec.Struct):
    """Written in one transaction, or not at all."""

    spans: list[SpanWrite] = []
    positions: list[JournalPosition] = []
    carry: list[CarriedOpen] = []
    carry_done: list[str] = []
    """request_ids whose carried open is no longer needed."""


class Rejected(msgspec.Struct, frozen=True):
    """A row the store will never take (not: a store that is down, which raises StoreError)."""

    span: SpanWrite
    error: str


class Written(msgspec.Struct):
    new: int
    """Rows that were not there before; the only ones that count in rollups."""
    rejected: list[Rejected] = []


# ------------------------------------------------------------------------------------------------ asking


class SpanFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Which spans. Values within a field are alternatives, fields add up. Times are µs, `[from_us, to_us)`."""

    from_us: int | None = None
    to_us: int | None = None
    model: tuple[str, ...] = ()
    """Matches the answered or the requested model."""
    provider: tuple[str, ...] = ()
    tenant: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    variant: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    """`200`, `4xx`, `ok` (status < 400 and no error_type), `error`, or an error_type (`timeout`, …)."""
    stream: bool | None = None
    kind: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()
    prompt: tuple[str, ...] = ()
    prompt_version: tuple[str, ...] = ()
    """`NAME@3`."""
    key: tuple[str, ...] = ()
    """key_ids."""
    feature: tuple[str, ...] = ()
    min_latency_us: int | None = None
    max_latency_us: int | None = None
    min_cost_nanousd: int | None = None
    max_cost_nanousd: int | None = None
    min_input_tokens: int | None = None
    max_input_tokens: int | None = None
    min_output_tokens: int | None = None
    max_output_tokens: int | None = None
    unpriced: bool = False
    """Only calls that used something but have no price."""
    q: str | None = None
    """Free text in the previews, ids and error messages; case-insensitive, any script."""
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(key, alternatives) pairs, all of which must hold."""
    exclude: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(name, values) pairs: only calls that match none of the values; what has no value matches none. A name is one of
    EXCLUDABLE or `tag:KEY`."""


class Page(msgspec.Struct):
    items: list[Span]
    next_cursor: str | None = None
    """Older spans than the last item; None where there are none."""
    prev_cursor: str | None = None
    """Newer spans than the first item; None where there are none."""
    looked_to: int | None = None
    """Where what is asked for is rare, and no index knows it, a page looks only so far, µs: it has all that match from
    where it starts to here, and by time its cursor goes on from here. None where it looked as far as it had to."""


class Distribution(msgspec.Struct, frozen=True):
    """Of durations in µs, from merged histograms: percentiles are right to the bucket's width (5 %), the rest exact."""

    count: int
    mean: float | None = None
    min: int | None = None
    max: int | None = None
    p50: int | None = None
    p95: int | None = None
    p99: int | None = None


class Totals(msgspec.Struct, kw_only=True):
    requests: int = 0
    errors: int = 0
    """Everything that did not succeed, but for what the client cancelled."""
    cancelled: int = 0
    interrupted: int = 0
    unpriced: int = 0
    """Calls that used tokens (or other units) and have no price: not in the cost."""
    cost_nanousd: int = 0
    input_cost_nanousd: int = 0
    output_cost_nanousd: int = 0
    charge_nanousd: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    generation_us: int = 0
    """Σ(latency − ttft) of streams with output tokens; with `generation_tokens` gives tokens per second."""
    generation_tokens: int = 0
    saved_nanousd: int = 0
    """What answers from the response cache would have cost."""


class Stats(msgspec.Struct):
    totals: Totals
    latency: Distribution
    ttft: Distribution
    overhead: Distribution
    output: Distribution = Distribution(0)
    """Tokens of an answer, not µs; of calls that generated any, counted since 0007 of the schema."""


class Bucket(msgspec.Struct):
    """One interval of a chart, `[from_us, from_us + width)`. Buckets without calls are there, with zero totals."""

    from_us: int
    totals: Totals
    latency: Distribution
    ttft: Distribution
    errors_by_type: dict[str, int] = {}
    cost_by: dict[str, int] = {}
    """nano-dollars by the series asked for (`split`), empty without."""


class Group(msgspec.Struct):
    """One row of a breakdown. `key` is None for calls without a value."""

    key: str | None
    totals: Totals
    latency: Distribution
    series: list[int] = []
    """Requests per bucket, for a sparkline, where it was asked for, of the first SPARKS groups."""


class Outline(msgspec.Struct):
    """What stands above a list: little, and all of it from one look."""

    totals: Totals
    """Requests, errors, cancelled and cost; what else there is was not added up."""
    latency: Distribution
    """Empty where only unpriced calls were asked for: no histogram is kept of them."""
    parts: list[tuple[int, Totals]]
    """(start of the interval, the same of it), those without calls too."""


class Profile(msgspec.Struct):
    """One row of a comparison: all that is known of a group. `key` is None for calls without a value."""

    key: str | None
    whole: Stats
    outputs: list[int] = []
    """Calls by the length of their answer in tokens: bucket by bucket of `gateway.core.histogram`."""


class Failure(msgspec.Struct):
    """One kind of failure: calls alike in error type, status, provider and model."""

    error_type: str
    status_code: int | None
    provider: str | None
    model: str | None
    count: int
    last_at: int
    message: str | None
    series: list[int] = []


class TagKey(msgspec.Struct, frozen=True):
    key: str
    values: int
    calls: int
    has_totals: bool = True
    """Sums are kept by its values; not where they are ids, of which there are too many."""


class TagValue(msgspec.Struct, frozen=True):
    value: str
    calls: int


class Tail(msgspec.Struct):
    """What was written since a mark. Marks are positive and grow in the order of writing, whatever a call's start."""

    items: list[tuple[int, Span]]
    """(mark, span), oldest write first."""
    mark: int
    """Of the last item; without items that of the newest row in the store, 0 in an empty one."""


class SpanDetail(msgspec.Struct):
    span: Span
    payload: Payload | None
    redactions: dict[str, int] = {}
    sealed_with: str | None = None
    """The name of the key that the bodies are sealed with, where they cannot be opened; `payload` is None then."""


class StoreHealth(msgspec.Struct):
    ok: bool
    latency_us: int
    detail: str
    """The backend and its version, or what is wrong and what to do."""
    size_bytes: int | None = None
    spans: int | None = None


EXCLUDABLE = (
    "model",
    "provider",
    "tenant",
    "environment",
    "config",
    "variant",
    "status",
    "kind",
    "user",
    "session",
    "trace",
    "prompt",
    "prompt_version",
    "key",
)
"""Fields of SpanFilter that `exclude` may name."""

SPARKS = 100
GROUPS = (
    "day",
    "hour",
    "model",
    "provider",
    "provider_model",
    "tenant",
    "environment",
    "config",
    "variant",
    "prompt",
    "prompt_version",
    "key",
    "feature",
    "user",
    "cost_source",
)
"""What `groups` takes, besides `tag:KEY`. Keys of `provider_model` are `PROVIDER/MODEL`, what a price is looked up by;
those of `prompt_version` are `NAME@3`; those of `cost_source`, which has no distributions, are `provider`, `catalog`,
`override`, `cache`, `estimate` (a price applied to estimated usage), `none` (used, but unpriced), and None where
nothing was used."""


class SpanReader(Protocol):
    """What the API and the dashboard ask. Every list is by keyset; totals come from rollups where they can."""

    async def spans(self, which: SpanFilter, *, limit: int, cursor: str | None = None, order: str = "newest") -> Page:
        """`order`: newest, oldest, slowest or costliest. Raises ValueError for a cursor that is not one of ours."""
        ...

    async def span(self, request_id: str) -> SpanDetail | None: ...

    async def neighbours(self, request_id: str, which: SpanFilter) -> tuple[str | None, str | None]:
        """The ids of the next newer and next older span of the same list."""
        ...

    async def count(self, which: SpanFilter, *, at_most: int = 10_000) -> int:
        """Exact up to `at_most`; `at_most` + 1 means more."""
        ...

    async def stats(self, which: SpanFilter) -> Stats: ...

    async def buckets(
        self,
        which: SpanFilter,
        *,
        width_us: int,
        split: str | None = None,
        among: Sequence[str] | None = None,
        time_zone: str = "UTC",
    ) -> list[Bucket]:
        """`which` must have both ends. Buckets of a day or more start at midnight of `time_zone`. `among`: the values
        of `split` that are wanted in `cost_by`, where not all are."""
        ...

    async def groups(
        self,
        which: SpanFilter,
        by: str,
        *,
        limit: int = 1000,
        spark_width_us: int | None = None,
        time_zone: str = "UTC",
        among: Sequence[str | None] | None = None,
        latency: bool = True,
    ) -> list[Group]:
        """By cost, highest first; by time for `day` and `hour` (keys are ISO 8601 of the bucket's start). `among`:
        only these keys. Without `latency` there is none, and thousands of groups take half the time."""
        ...

    async def outline(self, which: SpanFilter, *, width_us: int, time_zone: str = "UTC") -> Outline:
        """`which` must have both ends; intervals are those of `buckets`."""
        ...

    async def profiles(self, which: SpanFilter, by: str, *, limit: int = 100) -> list[Profile]:
        """As `groups`, with every distribution."""
        ...

    async def curves(
        self, which: SpanFilter, by: str, among: Sequence[str], *, width_us: int, time_zone: str = "UTC"
    ) -> dict[str, list[Bucket]]:
        """The buckets of each of `among`, as `buckets` has them, but for failures by type. `which` must have both
        ends."""
        ...

    async def overhead_counts(self, which: SpanFilter) -> list[int]:
        """Calls by what the gateway added in µs: bucket by bucket of `gateway.core.histogram`."""
        ...

    async def failures(
        self, which: SpanFilter, *, limit: int = 10, spark_width_us: int | None = None
    ) -> list[Failure]: ...

    async def tag_keys(self) -> list[TagKey]: ...

    async def tag_values(self, key: str, *, prefix: str = "", limit: int = 200) -> list[TagValue]: ...

    async def field_values(self, field: str, *, prefix: str = "", limit: int = 200) -> list[TagValue]:
        """Values of model, provider, provider_model, tenant, environment, config, variant, key, kind, prompt for
        menus: from the rollups, never from the rows."""
        ...

    async def tail(self, after: int | None, *, limit: int = 500) -> Tail:
        """Spans in the order they were written (SQLite: rowid), for the live tail: a long call is written long after
        it started, so no list by start time would show it as new. `after` None: no items, only the mark of now."""
        ...

    def export(self, which: SpanFilter, *, page: int = 2000) -> AsyncIterator[list[Span]]:
        """Every span of the filter, newest first, in constant memory."""
        ...

    def export_rows(self, which: SpanFilter, *, page: int = 2000) -> AsyncIterator[list[StoredRow]]:
        """The same as rows (`gateway.core.stored`), of which no span was made: for what only writes them out."""
        ...

    async def health(self) -> StoreHealth: ...


SetAside = Callable[[list[Rejected]], Awaitable[None]]


class SpanWriter(Protocol):
    """What the recorder needs. One writer at a time."""

    async def write(self, batch: Batch, set_aside: SetAside | None = None) -> Written:
        """Idempotent by request_id: what is there already changes nothing, rollups included.

        Raises StoreError when the whole batch could not be written (locked, full, gone); a row that can never be
        written comes back in `rejected` and the rest is in. `set_aside` gets the rejected rows, if there are any,
        before the transaction ends: once it has, the journal may be gone, so they must be safe elsewhere. What it
        raises undoes the transaction; after a crash in between it gets the same rows again.
        """
        ...

    async def place(self, limit: int) -> int:
        """Sums up at most `limit` spans that were stored by a version which kept fewer sums; how many, 0 where none is
        left. To be called while there is nothing else to do."""
        ...

    async def positions(self) -> dict[str, JournalPosition]: ...

    async def carried(self, journal: str) -> list[CarriedOpen]: ...

    async def expire(self, *, spans_before_us: int | None, payloads_before_us: int | None, limit: int) -> int:
        """Deletes at most `limit` spans and as many payloads older than the limits; how many went. Rollups stay."""
        ...


class Repricing(msgspec.Struct):
    """New cost for one span, from its stored usage."""

    request_id: str
    cost_nanousd: int | None
    input_cost_nanousd: int | None
    output_cost_nanousd: int | None
    charge_nanousd: int | None
    cost_source: str
    price_id: str | None


class Store(SpanReader, SpanWriter, Documents, Answers, Erasing, Protocol):
    async def connect(self) -> None:
        """Opens it, and creates or migrates the schema. Raises StoreError with the way out."""
        ...

    async def close(self) -> None: ...

    async def reprice(self, changes: Sequence[Repricing]) -> int:
        """Writes new costs, rollups included, in one transaction; how many spans changed."""
        ...

    # Control tables
    async def keys(self) -> Mapping[str, Key]:
        """Every key by its keyed hash (hex), revoked ones included."""
        ...

    async def put_key(self, key_hash: str, key: Key, *, audit: AuditEntry | None = None) -> None:
        """Writes it and the audit entry in one transaction."""
        ...

    async def keys_version(self) -> int:
        """Changes whenever a key was written, by any process. Cheap: polled every second."""
        ...
