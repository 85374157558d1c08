"""The playground's conversations: kept for whoever had them, titled, searched, read again.

A conversation is two documents: a `conversation` (its title and what a list shows) and a `talk` (all that was said,
images included), so that a list reads no talk. Their ids begin with the owner's: nobody finds another's. Neither is
audited, since the audit log is kept for ever and a conversation until it is deleted.
"""

from __future__ import annotations

import asyncio
import re
from typing import Literal

import msgspec

from gateway.control.keys import now_us
from gateway.control.principal import Principal
from gateway.core.ids import uuid7
from gateway.errors import ControlError, Missing
from gateway.store.documents import Document, Documents

HEAD = "conversation"
TALK = "talk"
MOST = 500
"""Conversations of one person."""
MOST_BYTES = 16 * 1024 * 1024
"""Of one talk."""
LONGEST_TITLE = 80
SEARCHED_CHARACTERS = 4000
"""Of what somebody asked; the answers are found in the log."""
_MARKS = re.compile(r"^[#>\s]+|\*\*|__|`+")
IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*\Z")


class _Written(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What the page writes; a typing error is refused."""


class ToolUse(_Written):
    """A tool that a model asked for, and the result that the person gave it."""

    id: str
    name: str
    arguments: str
    result: str = ""


class Answer(_Written):
    """What one model said. Figures are null while, or where, nobody knows them; the log has them for certain."""

    model: str
    """As it was asked for."""
    text: str = ""
    reasoning: str = ""
    tools: list[ToolUse] = []
    error: str = ""
    is_stopped: bool = False
    request_id: str | None = None
    served_by: str | None = None
    """`provider/model`"""
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_nanousd: int | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None


class Round(_Written):
    """One message and the answers to it, one of each model."""

    text: str
    images: list[str] = []
    """`data:` URLs"""
    answers: list[Answer] = []


class ChatSettings(_Written):
    """`tools` and `schema` are JSON as it was typed, right or wrong."""

    system: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    answer_format: Literal["text", "json_object", "json_schema"] = "text"
    schema: str = ""
    tools: str = ""
    tags: str = ""


class Talk(_Written):
    models: list[str] = []
    """That the next message goes to."""
    settings: ChatSettings = msgspec.field(default_factory=ChatSettings)
    rounds: list[Round] = []


class Head(msgspec.Struct, kw_only=True, frozen=True):
    title: str
    models: list[str]
    rounds: int
    cost_nanousd: int | None
    """Of the answers whose cost is known; None where it is of none."""
    words: str
    """Searched."""
    created_at: int
    updated_at: int


class Kept(msgspec.Struct, frozen=True):
    id: str
    head: Head
    talk: Talk
    version: int


def owner_of(principal: Principal) -> str:
    return principal.user_id or principal.key_id or principal.name


class Conversations:
    """Those of one person."""

    def __init__(self, store: Documents, owner: str) -> None:
        self._store = store
        self._prefix = f"{owner}/"

    async def heads(self, wanted: str = "") -> list[tuple[str, Head]]:
        """By id, the last talked in first; with all of the words of `wanted` in title or messages."""
        documents = await self._store.documents(HEAD, prefix=self._prefix, limit=MOST, newest=True)
        words = wanted.casefold().split()
        found = []
        for document in documents:
            head = _head(document)
            text = f"{head.title} {head.words}".casefold()
            if all(word in text for word in words):
                found.append((document.id.removeprefix(self._prefix), head))
        return sorted(found, key=lambda each: each[1].updated_at, reverse=True)

    async def read(self, conversation_id: str) -> Kept:
        """Raises Missing."""
        head, talk = await asyncio.gather(
            self._store.document(HEAD, self._prefix + conversation_id),
            self._store.document(TALK, self._prefix + conversation_id),
        )
        if head is None or talk is None:
            raise _missing(conversation_id)
        return Kept(conversation_id, _head(head), msgspec.json.decode(talk.body, type=Talk), talk.version)

    async def make(self, talk: Talk) -> Kept:
        """Titled by its first words. Raises ControlError for a talk that cannot be kept."""
        if len(await self._store.documents(HEAD, prefix=self._prefix, limit=MOST)) >= MOST:
            raise ControlError(f"There are {MOST} conversations already. Delete some that nobody needs.")
        conversation_id, at = uuid7(), now_us()
        title = _title(talk)
        body = _checked(talk)
        document = await self._store.put_document(TALK, self._prefix + conversation_id, body, expected=0)
        return Kept(conversation_id, await self._put_head(conversation_id, title, talk, at), talk, document.version)

    async def write(self, conversation_id: str, talk: Talk, version: int) -> Kept:
        """`version` is what the talk was changed from. Raises Missing, Conflict, and ControlError."""
        head = await self._store.document(HEAD, self._prefix + conversation_id)
        if head is None:
            raise _missing(conversation_id)
        before = _head(head)
        body = _checked(talk)
        document = await self._store.put_document(TALK, self._prefix + conversation_id, body, expected=version)
        written = await self._put_head(conversation_id, before.title, talk, before.created_at)
        return Kept(conversation_id, written, talk, document.version)

    async def rename(self, conversation_id: str, title: str) -> Head:
        """Raises Missing, ControlError without a title."""
        words = " ".join(title.split())[:LONGEST_TITLE]
        if not words:
            raise ControlError("A conversation needs a title.")
        document = await self._store.document(HEAD, self._prefix + conversation_id)
        if document is None:
            raise _missing(conversation_id)
        head = msgspec.structs.replace(_head(document), title=words)
        await self._store.put_document(HEAD, document.id, msgspec.json.encode(head), expected=document.version)
        return head

    async def delete(self, conversation_id: str) -> None:
        """The calls stay in the log. Raises Missing."""
        await self._store.delete_document(TALK, self._prefix + conversation_id)
        if not await self._store.delete_document(HEAD, self._prefix + conversation_id):
            raise _missing(conversation_id)

    async def _put_head(self, conversation_id: str, title: str, talk: Talk, created_at: int) -> Head:
        costs = [answer.cost_nanousd for each in talk.rounds for answer in each.answers]
        known = [cost for cost in costs if cost is not None]
        head = Head(
            title=title,
            models=talk.models,
            rounds=len(talk.rounds),
            cost_nanousd=sum(known) if known else None,
            words=" ".join(each.text for each in talk.rounds)[:SEARCHED_CHARACTERS],
            created_at=created_at,
            updated_at=now_us(),
        )
        await self._store.put_document(HEAD, self._prefix + conversation_id, msgspec.json.encode(head))
        return head


def _checked(talk: Talk) -> bytes:
    """As JSON. Raises ControlError where it is too large or an image is none."""
    for image in (image for each in talk.rounds for image in each.images):
        if not IMAGE.match(image):
            raise ControlError(f"{image[:40]!r} is no image: PNG, JPEG, GIF or WebP, as a data: URL in base64.")
    body = msgspec.json.encode(talk)
    if len(body) > MOST_BYTES:
        raise ControlError(
            f"A conversation may have {MOST_BYTES // 2**20} MB, images included. Begin a new one; what was said here "
            "is in the log."
        )
    return body


def _title(talk: Talk) -> str:
    """The first line of the first message, without the marks of markdown."""
    lines = talk.rounds[0].text.strip().splitlines() if talk.rounds else []
    words = " ".join(_MARKS.sub("", lines[0]).split()) if lines else ""
    if len(words) > LONGEST_TITLE:
        words = words[: LONGEST_TITLE - 1].rsplit(" ", 1)[0] + "…"
    return words or "New conversation"


def _head(document: Document) -> Head:
    return msgspec.json.decode(document.body, type=Head)


def _missing(conversation_id: str) -> Missing:
    return Missing(f"There is no conversation {conversation_id[:100]!r} of yours.")
