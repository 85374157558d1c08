"""Series know the feature"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# As in 0003: unknown of what was counted before.
LONGER_LABELS = """
UPDATE series SET labels = substr(labels, 1, length(labels) - 2) || ',null]]' WHERE scope = 'call'
"""


def upgrade() -> None:
    op.add_column("series", sa.Column("feature", sa.String(), nullable=True))
    op.execute(LONGER_LABELS)
