"""Reading usage objects: typed and fast where they are as documented, forgiving where they are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec

from gateway.dialects.base import UNREADABLE

MOST = 2**53
"""Above it a number is no count: it would fit neither the journal nor a database."""

Tokens = Annotated[int, msgspec.Meta(ge=0, le=MOST)] | None

_NAMES = frozenset(("model", "modality", "service_tier", "serviceTier", "trafficType", "speed", "inference_geo"))
"""Fields of usage objects that are text."""

Kind = TypeVar("Kind", bound=msgspec.Struct)


def reader(kind: type[Kind]) -> Callable[[bytes], Kind | None]:
    """What reads a usage object as `kind`; None where it is none.

    Counts that are none are repaired: 12.0 is 12; a negative or absurd number or a text is not reported.
    """
    decode = msgspec.json.Decoder(kind).decode

    def read(raw: bytes) -> Kind | None:
        try:
            return decode(raw)
        except UNREADABLE:
            return _repaired(raw, kind)

    return read


def _repaired(raw: bytes, kind: type[Kind]) -> Kind | None:
    try:
        return msgspec.convert(_counts(msgspec.json.decode(raw)), kind)
    except UNREADABLE:
        return None


def _counts(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: (part if isinstance(part, str) else None) if name in _NAMES else _counts(part)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [counted for part in value if (counted := _counts(part)) is not None]
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST:
        return int(value)
    return None
