"""What somebody has of their own besides themselves: conversations, sessions, views. It goes when they go."""

from __future__ import annotations

import msgspec

from gateway.control import conversations, signed_in
from gateway.store.documents import Documents

KINDS = (conversations.HEAD, conversations.TALK, signed_in.KIND)
"""Their ids begin with `OWNER/`."""
VIEW = "view"
PAGE = 200


class _View(msgspec.Struct):
    """Of a saved view of the dashboard, as much as says whose it is."""

    owner: str
    is_shared: bool


async def discard(store: Documents, owner: str) -> int:
    """How many documents went. `owner` is a person's or a key's id. A view that is shared stays: others use it, and
    it names nobody but by that id. None of it is audited: that the person went is."""
    gone = 0
    for kind in KINDS:
        while page := await store.documents(kind, prefix=f"{owner}/", limit=PAGE):
            for document in page:
                gone += await store.delete_document(kind, document.id)
    for document in await store.documents(VIEW, limit=PAGE):
        view = msgspec.json.decode(document.body, type=_View)
        if view.owner == owner and not view.is_shared:
            gone += await store.delete_document(VIEW, document.id)
    return gone
