"""What the supervisor tells an annex, as one line of JSON."""

from __future__ import annotations

import msgspec


class Orders(msgspec.Struct, frozen=True):
    """How to load its configuration: as the gateway did, so that no secret passes through the pipe."""

    config: str | None
    overrides: dict[str, object]
