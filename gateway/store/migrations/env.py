"""Run by alembic with the connection that `gateway.store.migrate` hands over."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlmodel import AutoString, SQLModel

import gateway.store.tables  # noqa: F401  # fills the metadata


def plain_types(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Migrations must not depend on SQLModel: its string type is written as SQLAlchemy's."""
    return "sa.String()" if kind == "type" and isinstance(item, AutoString) else False


context.configure(
    connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata, render_item=plain_types
)
with context.begin_transaction():
    context.run_migrations()
