"""Answers that the response cache keeps, and what they saved: nothing was saved before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answers",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("written_at", sa.Integer(), nullable=False),
        sa.Column("until", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_answers_age", "answers", ["written_at", "size"], unique=False)
    op.create_index("ix_answers_until", "answers", ["until"], unique=False)
    op.add_column("spans", sa.Column("saved_nanousd", sa.Integer(), nullable=True))
    for table in ("rollups_hourly", "rollups_daily"):
        op.add_column(table, sa.Column("saved_nanousd", sa.Integer(), server_default=sa.text("0"), nullable=False))
