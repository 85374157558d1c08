"""What of a call never reaches the journal, because somebody said that it may not be kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from gateway.core.key import Key
from gateway.core.span import CallClosed

if TYPE_CHECKING:
    from gateway.proxy.gateway import Gateway
    from gateway.proxy.head import Head

Pieces = Sequence[bytes]


def withheld(
    gateway: Gateway,
    head: Head,
    key: Key | None,
    tags: dict[str, str],
    closed: CallClosed,
    asked: Pieces,
    said: Pieces,
    *,
    own_message: bool,
) -> tuple[CallClosed, Pieces, Pieces]:
    """The end of a call and its bodies as they may be journalled. With `preview` and `hash` the recorder still needs
    the bodies; with `none`, or `x-callgate-no-store: true`, they stop here, and so do headers and what a provider
    wrote in an error, which may quote the prompt. `own_message`: the error is worded by the gateway."""
    level = capture_level(gateway, head, key, tags)
    if level == "full":
        return closed, asked, said
    if level != "none":
        return msgspec.structs.replace(closed, capture=level), asked, said
    kept = msgspec.structs.replace(
        closed,
        capture=level,
        error_message=closed.error_message if own_message else None,
        request_headers=[],
        response_headers=[],
    )
    return kept, (), ()


def capture_level(gateway: Gateway, head: Head, key: Key | None, tags: dict[str, str]) -> str:
    """How much of the call may be kept, as far as its head and key say."""
    if head.no_store:
        return "none"
    tenant = (key.tenant if key is not None else None) or tags.get("tenantSlug")
    environment = (key.environment if key is not None else None) or tags.get("environment")
    return gateway.capture.level(tenant, environment, key.name if key is not None else None)
