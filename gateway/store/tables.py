"""The tables, for alembic and for people. The gateway itself never imports this: it executes `schema.sql`, which a
test proves equal (see docs/store.md).

Times are µs UTC, durations µs, money nano-dollars. Columns that SQL filters or adds up are in `spans`, which stays
narrow so that scans are cheap; what is only shown is in `span_details`; bodies are in `payloads`.
"""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import DDL, CheckConstraint, Index, LargeBinary, Text, event, text
from sqlmodel import Field, SQLModel

NAMING = {"ix": "ix_%(table_name)s_%(column_0_name)s"}
SQLModel.metadata.naming_convention = NAMING

_NO_ROWID = {"sqlite_with_rowid": False}


class SpanRow(SQLModel, table=True):
    __tablename__ = "spans"
    __table_args__ = (
        Index("ix_spans_request_id", "request_id", unique=True),
        Index("ix_spans_started_at", "started_at"),
        Index("ix_spans_series", "series", "started_at"),
        Index("ix_spans_user", "user", "started_at", sqlite_where=text("user IS NOT NULL")),
        Index("ix_spans_session", "session", "started_at", sqlite_where=text("session IS NOT NULL")),
        Index("ix_spans_trace", "trace_id", "started_at", sqlite_where=text("trace_id IS NOT NULL")),
        Index("ix_spans_unpriced", "started_at", sqlite_where=text("unpriced = 1")),
        # Within the hour, so that writing stays in a few pages however large the table grows
        Index("ix_spans_latency", text("started_at / 3600000000"), "latency_us"),
        Index("ix_spans_cost", text("started_at / 3600000000"), "cost_nanousd"),
        Index("ix_spans_series_latency", "series", text("started_at / 86400000000"), "latency_us"),
        Index("ix_spans_series_cost", "series", text("started_at / 86400000000"), "cost_nanousd"),
    )
    id: int = Field(primary_key=True)
    request_id: str
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None
    kind: str
    name: str | None
    started_at: int
    ended_at: int | None
    tenant: str | None
    environment: str | None
    key_id: str | None
    user: str | None
    session: str | None
    feature: str | None
    workflow: str | None
    agent: str | None
    config: str | None
    variant: str | None
    config_version: int | None
    prompt: str | None
    prompt_version: int | None
    provider: str | None
    endpoint: str | None
    dialect: str | None
    model_requested: str | None
    model: str | None
    response_id: str | None
    upstream_request_id: str | None
    client_request_id: str | None
    stream: int
    status_code: int | None
    error_type: str | None
    finish_reason: str | None
    usage_source: str
    service_tier: str | None
    cost_nanousd: int | None
    input_cost_nanousd: int | None
    output_cost_nanousd: int | None
    charge_nanousd: int | None
    cost_source: str
    price_id: str | None
    latency_us: int | None
    ttft_us: int | None
    upstream_us: int | None
    overhead_us: int | None
    cache: str | None
    input_tokens: int | None
    output_tokens: int | None
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    unpriced: int
    """1 where something was used and there is no price."""
    outcome: int
    """0 succeeded, 1 failed, 2 cancelled by the client."""
    series: int = Field(sa_column_kwargs={"server_default": text("0")})
    """That of scope `call`: with its index any filter on the columns of a series finds its rows."""
    upstream_provider: str | None
    """Who really answered, by a routing service's word"""
    saved_nanousd: int | None
    """What an answer from the response cache would have cost"""


class SpanDetailRow(SQLModel, table=True):
    __tablename__ = "span_details"
    span: int = Field(primary_key=True)
    """`spans.id`"""
    error_message: str | None
    input_preview: str | None
    output_preview: str | None
    tags: str | None
    """JSON object"""
    tool_calls: str | None
    usage: str | None
    usage_raw: bytes | None = Field(sa_type=LargeBinary)
    attempts: str | None
    also: str | None
    """JSON array of what was billed at other models' prices"""
    priced_as: str | None


class BilledRow(SQLModel, table=True):
    """Bills that several calls may report (a response, a batch): the first report is booked."""

    __tablename__ = "billed"
    __table_args__ = (Index("ix_billed_billed_at", "billed_at"),)
    bill_id: str = Field(primary_key=True)
    request_id: str
    billed_at: int


class PayloadRow(SQLModel, table=True):
    __tablename__ = "payloads"
    __table_args__ = (Index("ix_payloads_started_at", "started_at"),)
    span: int = Field(primary_key=True)
    started_at: int
    body: bytes = Field(sa_type=LargeBinary)
    """zstd of the MessagePack of a `Payload`"""


class SeriesRow(SQLModel, table=True):
    """Calls that are counted together. `scope` says by what: `total`, one dimension (`tenant`, `model`, …, `user`,
    `tag:KEY`) with its `value`, or `call`: one combination of all the columns that follow."""

    __tablename__ = "series"
    __table_args__ = (
        Index("ix_series_labels", "labels", unique=True),
        Index("ix_series_scope", "scope", "value"),
    )
    id: int = Field(primary_key=True)
    labels: str
    """JSON array of scope and values: the identity"""
    scope: str
    value: str | None
    calls: int
    tenant: str | None
    environment: str | None
    key_id: str | None
    provider: str | None
    model_requested: str | None
    model: str | None
    config: str | None
    variant: str | None
    kind: str | None
    prompt: str | None
    stream: int | None
    status_code: int | None
    error_type: str | None
    outcome: int | None
    prompt_version: int | None
    config_version: int | None
    feature: str | None


class ScopeRow(SQLModel, table=True):
    """How many values an open-ended dimension has (`user`, `tag:KEY`). With too many it is no longer rolled up."""

    __tablename__ = "scopes"
    scope: str = Field(primary_key=True)
    # `values` is a word of SQL
    value_count: int
    calls: int
    rolled_up: int


class SpanTagRow(SQLModel, table=True):
    """Which spans carry a tag: `series` is that of the scope `tag:KEY` with the value."""

    __tablename__ = "span_tags"
    __table_args__: ClassVar[dict[str, bool]] = _NO_ROWID
    series: int = Field(primary_key=True)
    started_at: int = Field(primary_key=True)
    span: int = Field(primary_key=True)


class Counters(SQLModel):
    """What a rollup keeps for a series and a period. Counts and sums are exact, so are minima and maxima."""

    series: int = Field(primary_key=True)
    start: int = Field(primary_key=True)
    """First µs of the period"""
    requests: int
    errors: int
    cancelled: int
    interrupted: int
    unpriced: int
    cost_nanousd: int
    input_cost_nanousd: int
    output_cost_nanousd: int
    charge_nanousd: int
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    generation_us: int
    generation_tokens: int
    latency_sum: int
    latency_min: int | None
    latency_max: int | None
    latency_histogram: bytes | None = Field(sa_type=LargeBinary)
    ttft_sum: int
    ttft_min: int | None
    ttft_max: int | None
    ttft_histogram: bytes | None = Field(sa_type=LargeBinary)
    overhead_sum: int
    overhead_min: int | None
    overhead_max: int | None
    overhead_histogram: bytes | None = Field(sa_type=LargeBinary)
    output_sum: int = Field(sa_column_kwargs={"server_default": text("0")})
    output_min: int | None
    output_max: int | None
    output_histogram: bytes | None = Field(sa_type=LargeBinary)
    saved_nanousd: int = Field(sa_column_kwargs={"server_default": text("0")})


class HourlyRow(Counters, table=True):
    __tablename__ = "rollups_hourly"
    __table_args__: ClassVar[dict[str, bool]] = _NO_ROWID


class DailyRow(Counters, table=True):
    """Days of UTC."""

    __tablename__ = "rollups_daily"
    __table_args__: ClassVar[dict[str, bool]] = _NO_ROWID


class PositionRow(SQLModel, table=True):
    __tablename__ = "journal_positions"
    journal: str = Field(primary_key=True)
    segment: int
    # `offset` is a word of SQL
    byte_offset: int


class CarriedRow(SQLModel, table=True):
    __tablename__ = "carried_opens"
    __table_args__ = (Index("ix_carried_opens_journal", "journal"),)
    request_id: str = Field(primary_key=True)
    journal: str
    frame: bytes = Field(sa_type=LargeBinary)


class KeyRow(SQLModel, table=True):
    __tablename__ = "keys"
    __table_args__ = (CheckConstraint("length(key_hash) > 0", name="key_hash"),)
    key_hash: str = Field(primary_key=True)
    """Keyed hash, hex. The key itself is nowhere."""
    key_id: str = Field(index=True)
    key: str = Field(sa_type=Text)
    """JSON of `gateway.core.key.Key`"""


class FactRow(SQLModel, table=True):
    """Single numbers: `keys_version`, `documents_version`, and `rows_from_us`: spans before it may have been deleted,
    rollups not."""

    __tablename__ = "facts"
    name: str = Field(primary_key=True)
    value: int


class DocumentRow(SQLModel, table=True):
    """See `gateway.store.documents`."""

    __tablename__ = "documents"
    kind: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    body: bytes = Field(sa_type=LargeBinary)
    version: int
    created_at: int
    updated_at: int


class AnswerRow(SQLModel, table=True):
    """What the response cache keeps; see `gateway.store.answers`."""

    __tablename__ = "answers"
    __table_args__ = (Index("ix_answers_age", "written_at", "size"), Index("ix_answers_until", "until"))
    key: bytes = Field(primary_key=True, sa_type=LargeBinary)
    written_at: int
    until: int
    size: int
    body: bytes = Field(sa_type=LargeBinary)


class AuditRow(SQLModel, table=True):
    """Who changed what. Nothing can change or delete a row: `AUDIT_IS_APPEND_ONLY`."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_kind", "kind", "id"),)
    number: int = Field(primary_key=True)
    at: int
    actor: str
    action: str
    kind: str
    id: str
    body_before: bytes | None = Field(sa_type=LargeBinary)
    body_after: bytes | None = Field(sa_type=LargeBinary)


AUDIT_IS_APPEND_ONLY = [
    f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
    for change in ("UPDATE", "DELETE")
]
for _trigger in AUDIT_IS_APPEND_ONLY:
    event.listen(SQLModel.metadata.tables["audit"], "after_create", DDL(_trigger))  # type: ignore[no-untyped-call]  # theirs
