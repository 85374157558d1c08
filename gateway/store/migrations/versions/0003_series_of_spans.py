"""Every span names the series it belongs to; series know versions"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The labels of a series are a JSON array of its columns: two more, unknown of what was counted before.
LONGER_LABELS = """
UPDATE series SET labels = substr(labels, 1, length(labels) - 2) || ',null,null]]' WHERE scope = 'call'
"""
SERIES_OF_SPANS = """
UPDATE spans AS s SET series = coalesce((
    SELECT e.id FROM series e WHERE e.labels = json_array('call', NULL, json_array(
        s.tenant, s.environment, s.key_id, s.provider, s.model_requested, s.model, s.config, s.variant, s.kind,
        s.prompt, s.stream, s.status_code, s.error_type, s.outcome, NULL, NULL))), 0)
"""


def upgrade() -> None:
    op.add_column("series", sa.Column("prompt_version", sa.Integer(), nullable=True))
    op.add_column("series", sa.Column("config_version", sa.Integer(), nullable=True))
    op.add_column("spans", sa.Column("series", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.execute(LONGER_LABELS)
    op.execute(SERIES_OF_SPANS)
    op.drop_index("ix_spans_tenant", table_name="spans")
    op.drop_index("ix_spans_failed", table_name="spans")
    op.create_index("ix_spans_series", "spans", ["series", "started_at"], unique=False)
    op.create_index("ix_spans_unpriced", "spans", ["started_at"], unique=False, sqlite_where=sa.text("unpriced = 1"))
