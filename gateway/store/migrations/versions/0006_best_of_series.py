"""The slowest and the costliest of a series are found by index"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

DAY = sa.text("started_at / 86400000000")


def upgrade() -> None:
    op.create_index("ix_spans_series_latency", "spans", ["series", DAY, "latency_us"], unique=False)
    op.create_index("ix_spans_series_cost", "spans", ["series", DAY, "cost_nanousd"], unique=False)
