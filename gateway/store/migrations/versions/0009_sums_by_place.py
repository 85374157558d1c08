"""Users, tags and cost sources are summed up by tenant and environment; of what is stored the recorder does it later"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# See gateway/store/sqlite/places.py.
UNPLACED = """
INSERT INTO facts (name, value) SELECT 'unplaced_to', max(id) FROM spans HAVING max(id) IS NOT NULL
"""


def upgrade() -> None:
    op.execute(UNPLACED)
