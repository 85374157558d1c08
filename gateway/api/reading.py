"""The JSON body of a request, small or refused, as the struct a handler asks for."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.requests import Request

from gateway.api.errors import invalid
from gateway.errors import CallError

MOST_BYTES = 65_536
T = TypeVar("T")


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Unknown fields are refused: a typing error must not be silently ignored."""


async def read_json(request: Request, kind: type[T], most_bytes: int = MOST_BYTES) -> T:
    """Raises CallError 400 that says where it is wrong, 413 for one that is too large. Nothing at all is `{}`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise CallError(413, "too_large", f"The body is larger than {most_bytes // 1024} KB.")
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as exc:
        raise invalid("body", f"{exc}.") from exc
    except msgspec.DecodeError as exc:
        raise invalid("body", f"The body is not JSON: {exc}.") from exc
