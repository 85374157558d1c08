"""First tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "carried_opens",
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("journal", sa.String(), nullable=False),
        sa.Column("frame", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("request_id"),
    )
    op.create_index("ix_carried_opens_journal", "carried_opens", ["journal"], unique=False)
    op.create_table(
        "facts",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "journal_positions",
        sa.Column("journal", sa.String(), nullable=False),
        sa.Column("segment", sa.Integer(), nullable=False),
        sa.Column("byte_offset", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("journal"),
    )
    op.create_table(
        "keys",
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.CheckConstraint("length(key_hash) > 0", name="key_hash"),
        sa.PrimaryKeyConstraint("key_hash"),
    )
    op.create_index(op.f("ix_keys_key_id"), "keys", ["key_id"], unique=False)
    op.create_table(
        "payloads",
        sa.Column("span", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("span"),
    )
    op.create_index("ix_payloads_started_at", "payloads", ["started_at"], unique=False)
    op.create_table(
        "rollups_daily",
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Integer(), nullable=False),
        sa.Column("interrupted", sa.Integer(), nullable=False),
        sa.Column("unpriced", sa.Integer(), nullable=False),
        sa.Column("cost_nanousd", sa.Integer(), nullable=False),
        sa.Column("input_cost_nanousd", sa.Integer(), nullable=False),
        sa.Column("output_cost_nanousd", sa.Integer(), nullable=False),
        sa.Column("charge_nanousd", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("cached_input_tokens", sa.Integer(), nullable=False),
        sa.Column("cache_write_tokens", sa.Integer(), nullable=False),
        sa.Column("reasoning_tokens", sa.Integer(), nullable=False),
        sa.Column("generation_us", sa.Integer(), nullable=False),
        sa.Column("generation_tokens", sa.Integer(), nullable=False),
        sa.Column("latency_sum", sa.Integer(), nullable=False),
        sa.Column("latency_min", sa.Integer(), nullable=True),
        sa.Column("latency_max", sa.Integer(), nullable=True),
        sa.Column("latency_histogram", sa.LargeBinary(), nullable=True),
        sa.Column("ttft_sum", sa.Integer(), nullable=False),
        sa.Column("ttft_min", sa.Integer(), nullable=True),
        sa.Column("ttft_max", sa.Integer(), nullable=True),
        sa.Column("ttft_histogram", sa.LargeBinary(), nullable=True),
        sa.Column("overhead_sum", sa.Integer(), nullable=False),
        sa.Column("overhead_min", sa.Integer(), nullable=True),
        sa.Column("overhead_max", sa.Integer(), nullable=True),
        sa.Column("overhead_histogram", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("series", "start"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollups_hourly",
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Integer(), nullable=False),
        sa.Column("interrupted", sa.Integer(), nullable=False),
        sa.Column("unpriced", sa.Integer(), nullable=False),
        sa.Column("cost_nanousd", sa.Integer(), nullable=False),
        sa.Column("input_cost_nanousd", sa.Integer(), nullable=False),
        sa.Column("output_cost_nanousd", sa.Integer(), nullable=False),
        sa.Column("charge_nanousd", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("cached_input_tokens", sa.Integer(), nullable=False),
        sa.Column("cache_write_tokens", sa.Integer(), nullable=False),
        sa.Column("reasoning_tokens", sa.Integer(), nullable=False),
        sa.Column("generation_us", sa.Integer(), nullable=False),
        sa.Column("generation_tokens", sa.Integer(), nullable=False),
        sa.Column("latency_sum", sa.Integer(), nullable=False),
        sa.Column("latency_min", sa.Integer(), nullable=True),
        sa.Column("latency_max", sa.Integer(), nullable=True),
        sa.Column("latency_histogram", sa.LargeBinary(), nullable=True),
        sa.Column("ttft_sum", sa.Integer(), nullable=False),
        sa.Column("ttft_min", sa.Integer(), nullable=True),
        sa.Column("ttft_max", sa.Integer(), nullable=True),
        sa.Column("ttft_histogram", sa.LargeBinary(), nullable=True),
        sa.Column("overhead_sum", sa.Integer(), nullable=False),
        sa.Column("overhead_min", sa.Integer(), nullable=True),
        sa.Column("overhead_max", sa.Integer(), nullable=True),
        sa.Column("overhead_histogram", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("series", "start"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "scopes",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("value_count", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("rolled_up", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("scope"),
    )
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("labels", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=True),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=True),
        sa.Column("environment", sa.String(), nullable=True),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("provider", sa.String(), nullable=True),
        sa.Column("model_requested", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("config", sa.String(), nullable=True),
        sa.Column("variant", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=True),
        sa.Column("prompt", sa.String(), nullable=True),
        sa.Column("stream", sa.Integer(), nullable=True),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("error_type", sa.String(), nullable=True),
        sa.Column("outcome", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_series_labels", "series", ["labels"], unique=True)
    op.create_index("ix_series_scope", "series", ["scope", "value"], unique=False)
    op.create_table(
        "span_details",
        sa.Column("span", sa.Integer(), nullable=False),
        sa.Column("error_message", sa.String(), nullable=True),
        sa.Column("input_preview", sa.String(), nullable=True),
        sa.Column("output_preview", sa.String(), nullable=True),
        sa.Column("tags", sa.String(), nullable=True),
        sa.Column("tool_calls", sa.String(), nullable=True),
        sa.Column("usage", sa.String(), nullable=True),
        sa.Column("usage_raw", sa.LargeBinary(), nullable=True),
        sa.Column("attempts", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("span"),
    )
    op.create_table(
        "span_tags",
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.Integer(), nullable=False),
        sa.Column("span", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("series", "started_at", "span"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "spans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("trace_id", sa.String(), nullable=True),
        sa.Column("span_id", sa.String(), nullable=True),
        sa.Column("parent_span_id", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("started_at", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.Integer(), nullable=True),
        sa.Column("tenant", sa.String(), nullable=True),
        sa.Column("environment", sa.String(), nullable=True),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("user", sa.String(), nullable=True),
        sa.Column("session", sa.String(), nullable=True),
        sa.Column("feature", sa.String(), nullable=True),
        sa.Column("workflow", sa.String(), nullable=True),
        sa.Column("agent", sa.String(), nullable=True),
        sa.Column("config", sa.String(), nullable=True),
        sa.Column("variant", sa.String(), nullable=True),
        sa.Column("config_version", sa.Integer(), nullable=True),
        sa.Column("prompt", sa.String(), nullable=True),
        sa.Column("prompt_version", sa.Integer(), nullable=True),
        sa.Column("provider", sa.String(), nullable=True),
        sa.Column("endpoint", sa.String(), nullable=True),
        sa.Column("dialect", sa.String(), nullable=True),
        sa.Column("model_requested", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("response_id", sa.String(), nullable=True),
        sa.Column("upstream_request_id", sa.String(), nullable=True),
        sa.Column("client_request_id", sa.String(), nullable=True),
        sa.Column("stream", sa.Integer(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("error_type", sa.String(), nullable=True),
        sa.Column("finish_reason", sa.String(), nullable=True),
        sa.Column("usage_source", sa.String(), nullable=False),
        sa.Column("service_tier", sa.String(), nullable=True),
        sa.Column("cost_nanousd", sa.Integer(), nullable=True),
        sa.Column("input_cost_nanousd", sa.Integer(), nullable=True),
        sa.Column("output_cost_nanousd", sa.Integer(), nullable=True),
        sa.Column("charge_nanousd", sa.Integer(), nullable=True),
        sa.Column("cost_source", sa.String(), nullable=False),
        sa.Column("price_id", sa.String(), nullable=True),
        sa.Column("latency_us", sa.Integer(), nullable=True),
        sa.Column("ttft_us", sa.Integer(), nullable=True),
        sa.Column("upstream_us", sa.Integer(), nullable=True),
        sa.Column("overhead_us", sa.Integer(), nullable=True),
        sa.Column("cache", sa.String(), nullable=True),
        sa.Column("input_tokens", sa.Integer(), nullable=True),
        sa.Column("output_tokens", sa.Integer(), nullable=True),
        sa.Column("cached_input_tokens", sa.Integer(), nullable=True),
        sa.Column("cache_write_tokens", sa.Integer(), nullable=True),
        sa.Column("reasoning_tokens", sa.Integer(), nullable=True),
        sa.Column("unpriced", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    # Within the hour, so that writing stays in a few pages however large the table grows
    op.create_index("ix_spans_latency", "spans", [sa.text("started_at / 3600000000"), "latency_us"], unique=False)
    op.create_index("ix_spans_cost", "spans", [sa.text("started_at / 3600000000"), "cost_nanousd"], unique=False)
    op.create_index("ix_spans_failed", "spans", ["started_at"], unique=False, sqlite_where=sa.text("outcome > 0"))
    op.create_index("ix_spans_request_id", "spans", ["request_id"], unique=True)
    op.create_index(
        "ix_spans_session",
        "spans",
        ["session", "started_at"],
        unique=False,
        sqlite_where=sa.text("session IS NOT NULL"),
    )
    op.create_index("ix_spans_started_at", "spans", ["started_at"], unique=False)
    op.create_index("ix_spans_tenant", "spans", ["tenant", "started_at"], unique=False)
    op.create_index(
        "ix_spans_trace",
        "spans",
        ["trace_id", "started_at"],
        unique=False,
        sqlite_where=sa.text("trace_id IS NOT NULL"),
    )
    op.create_index(
        "ix_spans_user", "spans", ["user", "started_at"], unique=False, sqlite_where=sa.text("user IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_index("ix_spans_user", table_name="spans", sqlite_where=sa.text("user IS NOT NULL"))
    op.drop_index("ix_spans_trace", table_name="spans", sqlite_where=sa.text("trace_id IS NOT NULL"))
    op.drop_index("ix_spans_tenant", table_name="spans")
    op.drop_index("ix_spans_started_at", table_name="spans")
    op.drop_index("ix_spans_session", table_name="spans", sqlite_where=sa.text("session IS NOT NULL"))
    op.drop_index("ix_spans_request_id", table_name="spans")
    op.drop_index("ix_spans_failed", table_name="spans", sqlite_where=sa.text("outcome > 0"))
    op.drop_table("spans")
    op.drop_table("span_tags")
    op.drop_table("span_details")
    op.drop_index("ix_series_scope", table_name="series")
    op.drop_index("ix_series_labels", table_name="series")
    op.drop_table("series")
    op.drop_table("scopes")
    op.drop_table("rollups_hourly")
    op.drop_table("rollups_daily")
    op.drop_index("ix_payloads_started_at", table_name="payloads")
    op.drop_table("payloads")
    op.drop_index(op.f("ix_keys_key_id"), table_name="keys")
    op.drop_table("keys")
    op.drop_table("journal_positions")
    op.drop_table("facts")
    op.drop_index("ix_carried_opens_journal", table_name="carried_opens")
    op.drop_table("carried_opens")
