"""`/api/playground/conversations`: one's own conversations of the playground, kept until they are deleted."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import reader
from gateway.api.filters import iso_time
from gateway.api.reading import Body, read_json
from gateway.api.record import usd
from gateway.api.requests import json_response
from gateway.api.scope import state_of
from gateway.control.conversations import MOST_BYTES, Conversations, Head, Kept, Talk, owner_of

ENVELOPE_BYTES = 65_536


class Change(Body):
    """What is not given stays as it is."""

    title: str | None = None
    talk: Talk | None = None
    version: int | None = None
    """That the talk was changed from; needed with one."""


class New(Body):
    talk: Talk


class HeadRecord(msgspec.Struct):
    id: str
    title: str
    models: list[str]
    rounds: int
    cost_usd: msgspec.Raw | None
    created_at: str
    updated_at: str


class HeadList(msgspec.Struct):
    items: list[HeadRecord]


class KeptRecord(msgspec.Struct):
    id: str
    title: str
    version: int
    talk: Talk


async def list_conversations(request: Request) -> Response:
    """The last talked in first; `q`: with all of these words in title or messages."""
    heads = await _own(request).heads(request.query_params.get("q", ""))
    return json_response(HeadList([_head_record(*each) for each in heads]))


async def make_conversation(request: Request) -> Response:
    new = await read_json(request, New, MOST_BYTES + ENVELOPE_BYTES)
    response = json_response(_record(await _own(request).make(new.talk)))
    response.status_code = 201
    return response


async def read_conversation(request: Request) -> Response:
    return json_response(_record(await _own(request).read(request.path_params["conversation_id"])))


async def change_conversation(request: Request) -> Response:
    change = await read_json(request, Change, MOST_BYTES + ENVELOPE_BYTES)
    conversations, conversation_id = _own(request), request.path_params["conversation_id"]
    if change.title is not None:
        await conversations.rename(conversation_id, change.title)
    if change.talk is None:
        return json_response(_record(await conversations.read(conversation_id)))
    return json_response(_record(await conversations.write(conversation_id, change.talk, change.version or 0)))


async def delete_conversation(request: Request) -> Response:
    await _own(request).delete(request.path_params["conversation_id"])
    return Response(status_code=204)


def _own(request: Request) -> Conversations:
    return Conversations(state_of(request).store, owner_of(reader(request)))


def _record(kept: Kept) -> KeptRecord:
    return KeptRecord(kept.id, kept.head.title, kept.version, kept.talk)


def _head_record(conversation_id: str, head: Head) -> HeadRecord:
    return HeadRecord(
        id=conversation_id,
        title=head.title,
        models=head.models,
        rounds=head.rounds,
        cost_usd=usd(head.cost_nanousd),
        created_at=iso_time(head.created_at),
        updated_at=iso_time(head.updated_at),
    )
