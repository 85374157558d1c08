"""Bills that several calls may report; who really answered, and what was billed at other models' prices"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("spans", sa.Column("upstream_provider", sa.String(), nullable=True))
    op.add_column("span_details", sa.Column("also", sa.String(), nullable=True))
    op.add_column("span_details", sa.Column("priced_as", sa.String(), nullable=True))
    op.create_table(
        "billed",
        sa.Column("bill_id", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("billed_at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("bill_id"),
    )
    op.create_index("ix_billed_billed_at", "billed", ["billed_at"], unique=False)
