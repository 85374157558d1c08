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
    if head.no_store:
        level = "none"
    else:
        tenant = (key.tenant if key is not None else None) or tags.get("tenantSlug")
        environment = (key.environment if key is not None else None) or tags.get("environment")
        level = gateway.capture.level(tenant, environment, key.name if key is not None else None)
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
