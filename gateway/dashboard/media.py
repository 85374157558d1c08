"""Images, sound and documents inside a body, served one by one from the gateway itself.

A page may load nothing from elsewhere and runs under a policy without exceptions, so what lies in a body as base64 is
given an address: `/requests/{id}/media/{digest}`. It is answered with the type it claims, if that is one a browser
shows without running anything, under `nosniff` and a sandbox; the digest is of the base64 text.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.scope import sees
from gateway.core.span import Payload
from gateway.dashboard import urls
from gateway.dashboard.conversation import Conversation
from gateway.dashboard.render import HEADERS
from gateway.dashboard.talk import Part
from gateway.dashboard.view import open_view

SHOWN_TYPES = {
    **dict.fromkeys(("image/png", "image/jpeg", "image/gif", "image/webp"), "image"),
    **dict.fromkeys(("audio/wav", "audio/mpeg", "audio/ogg", "audio/flac", "audio/aac", "audio/mp4"), "audio"),
    **dict.fromkeys(("audio/webm", "audio/opus"), "audio"),
    **dict.fromkeys(("video/mp4", "video/webm"), "video"),
}
"""What a browser plays without running it. No SVG (it holds script), no HTML; all else is a download."""
TYPE_OF_FORMAT = {"mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac", "opus": "audio/ogg"}
TYPE_OF_FORMAT |= {"aac": "audio/aac", "ogg": "audio/ogg", "png": "image/png", "jpeg": "image/jpeg"}
DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)(?:;[\w=.+-]+)*;base64,(?P<data>[A-Za-z0-9+/=_\s-]+)\Z")
DOWNLOAD = "application/octet-stream"
LEAST_CHARACTERS = 24
MOST_ITEMS = 40
MOST_DEPTH = 40
MOST_INLINE = 300_000
"""Characters of an image that stands in the page itself, because nothing in the bodies has its address."""


@dataclass(frozen=True)
class Item:
    """`kind`: image, audio, video or file."""

    digest: str
    kind: str
    content_type: str
    data: str
    """Base64."""
    where: str
    """`request` or `response`."""

    @property
    def size(self) -> int:
        """Bytes, decoded."""
        return len(self.data) * 3 // 4 - self.data.count("=", -4)


@dataclass(frozen=True)
class Medium:
    """As a page shows it."""

    kind: str
    href: str
    content_type: str
    size: int
    where: str


def shown_media(request_id: str, payload: Payload | None) -> list[Medium]:
    return [
        Medium(item.kind, urls.media(request_id, item.digest), item.content_type, item.size, item.where)
        for item in items_of(payload)
    ]


def give_addresses(found: Conversation, request_id: str, media: list[Medium]) -> list[Medium]:
    """Puts the address of each medium where the conversation holds it as a `data:` URL; returns those it does not
    show. A page is not made larger by what it can ask for, and sound without an address is only named."""
    hrefs = {medium.href for medium in media}
    shown: set[str] = set()
    for turn in (*found.setting, *found.turns):
        for index, part in enumerate(turn.parts):
            match = DATA_URL.match(part.text) if part.kind in ("image", "sound") else None
            if match is None:
                continue
            href = urls.media(request_id, digest_of(match["data"]))
            if href in hrefs:
                turn.parts[index] = replace(part, text=href)
                shown.add(href)
            elif part.kind == "sound" or len(part.text) > MOST_INLINE:
                turn.parts[index] = Part("file", match["type"])
    return [medium for medium in media if medium.href not in shown]


def items_of(payload: Payload | None) -> list[Item]:
    """At most `MOST_ITEMS`, each once."""
    found: dict[str, Item] = {}
    for where in ("request", "response"):
        data = getattr(payload, f"{where}_body") if payload else None
        for content_type, text in _media_in(_parsed(data), 0) if data else ():
            item = _item(content_type, text, where)
            found.setdefault(item.digest, item)
            if len(found) >= MOST_ITEMS:
                return list(found.values())
    return list(found.values())


def digest_of(text: str) -> str:
    return blake2b(text.encode("ascii", "replace"), digest_size=12).hexdigest()


async def media(request: Request) -> Response:
    view = open_view(request)
    found = await view.state.store.span(request.path_params["request_id"])
    if found is None or not sees(view.principal, found.span):
        raise HTTPException(404)
    wanted = request.path_params["digest"]
    item = next((item for item in items_of(found.payload) if item.digest == wanted), None)
    if item is None:
        raise HTTPException(404, "This is not kept.")
    headers = {**HEADERS, "content-security-policy": "default-src 'none'; sandbox"}
    headers["content-disposition"] = "inline" if item.kind != "file" else f'attachment; filename="{wanted}.bin"'
    return Response(
        _decoded(item.data), media_type=item.content_type if item.kind != "file" else DOWNLOAD, headers=headers
    )


def _item(content_type: str, text: str, where: str) -> Item:
    content_type = content_type.lower()
    return Item(digest_of(text), SHOWN_TYPES.get(content_type, "file"), content_type, text, where)


def _decoded(text: str) -> bytes:
    """Both alphabets, with or without padding; what cannot be read is cut where it breaks."""
    compact = re.sub(r"\s+", "", text).translate(str.maketrans("-_", "+/")).rstrip("=")
    compact = compact[: len(compact) - (1 if len(compact) % 4 == 1 else 0)]
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4))
    except binascii.Error:
        return b""


def _parsed(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _media_in(value: Any, depth: int) -> Iterator[tuple[str, str]]:
    """(content type, base64) in the shapes that providers' APIs use, in reading order."""
    if depth > MOST_DEPTH:
        return
    if isinstance(value, str):
        match = DATA_URL.match(value) if value.startswith("data:") else None
        if match:
            yield match["type"], match["data"]
    elif isinstance(value, list):
        for each in value:
            yield from _media_in(each, depth + 1)
    elif isinstance(value, dict):
        own = _own(value)
        if own is not None:
            yield own
            return
        for each in value.values():
            yield from _media_in(each, depth + 1)


def _own(value: dict[str, Any]) -> tuple[str, str] | None:
    """An object that is itself a medium: Anthropic's `source`, Gemini's `inlineData`, OpenAI's `input_audio`, `audio`
    and `b64_json`."""
    data = value.get("data")
    if isinstance(data, str) and len(data) >= LEAST_CHARACTERS:
        for name in ("media_type", "mime_type", "mimeType"):
            if isinstance(value.get(name), str):
                return str(value[name]), data
        if value.get("format") in TYPE_OF_FORMAT:
            return TYPE_OF_FORMAT[value["format"]], data
        if "transcript" in value:  # an answer's audio does not say its format: the request did, wav by default
            return "audio/wav", data
    image = value.get("b64_json", value.get("result") if value.get("type") == "image_generation_call" else None)
    if isinstance(image, str) and len(image) >= LEAST_CHARACTERS:
        return _image_type(image), image
    return None


def _image_type(text: str) -> str:
    starts = {"iVBOR": "image/png", "/9j/": "image/jpeg", "UklGR": "image/webp", "R0lGO": "image/gif"}
    return next((kind for start, kind in starts.items() if text.startswith(start)), "image/png")
