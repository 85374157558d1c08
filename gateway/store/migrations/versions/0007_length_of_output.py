"""Rollups know how long answers are: unknown of what was counted before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("rollups_hourly", "rollups_daily"):
        op.add_column(table, sa.Column("output_sum", sa.Integer(), server_default=sa.text("0"), nullable=False))
        op.add_column(table, sa.Column("output_min", sa.Integer(), nullable=True))
        op.add_column(table, sa.Column("output_max", sa.Integer(), nullable=True))
        op.add_column(table, sa.Column("output_histogram", sa.LargeBinary(), nullable=True))
