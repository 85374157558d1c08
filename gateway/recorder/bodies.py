"""A body as bytes on the wire → what is read and stored: decoded, told from binary data, cut."""

from __future__ import annotations

import codecs
import hashlib
import zlib

import zstandard

from gateway.core.eventstream import CONTENT_TYPE as EVENT_STREAM
from gateway.dialects.bedrock_events import as_lines

READ_LIMIT_BYTES = 64 * 1024 * 1024
"""A decoded body is read up to here: a small compressed body can be a bomb."""
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
RAW_DEFLATE = -zlib.MAX_WBITS
TEXT_TYPES = (
    "text/",
    "application/json",
    "application/x-ndjson",
    "application/xml",
    "application/x-www-form-urlencoded",
)


def decoded(body: bytes, encoding: str | None, limit: int = READ_LIMIT_BYTES) -> bytes | None:
    """The body without its `content-encoding`, at most `limit` bytes of it; a body that was cut gives its beginning.

    None where that cannot be done: an encoding that is not known here (`br`), or bytes that are not what it says.
    """
    for name in reversed([part.strip().lower() for part in (encoding or "").split(",")]):
        if name in ("", "identity"):
            continue
        try:
            if name in ("gzip", "x-gzip"):
                body = _inflated(body, GZIP_OR_ZLIB, limit)
            elif name == "deflate":
                body = _deflated(body, limit)
            elif name == "zstd":
                body = _zstd(body, limit)
            else:
                return None
        except (zlib.error, zstandard.ZstdError):
            return None
    return body


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    """Members one after the other, as gzip allows."""
    parts: list[bytes] = []
    room = limit
    while body and room > 0:
        inflater = zlib.decompressobj(window)
        part = inflater.decompress(body, room)
        parts.append(part)
        room -= len(part)
        body = inflater.unused_data if inflater.eof else b""
    return b"".join(parts)


def _deflated(body: bytes, limit: int) -> bytes:
    """Meant is zlib's format (RFC 9110, 8.4.1.2); some send raw deflate."""
    try:
        return _inflated(body, GZIP_OR_ZLIB, limit)
    except zlib.error:
        return _inflated(body, RAW_DEFLATE, limit)


def _zstd(body: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    room = limit
    with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as reader:
        while room > 0 and (part := reader.read(min(room, 1 << 20))):
            parts.append(part)
            room -= len(part)
    return b"".join(parts)


def readable(body: bytes, content_type: str | None) -> bytes:
    """A binary event stream as JSON lines, one event each; any other body as it is. Dialects read both."""
    return as_lines(body) if (content_type or "").startswith(EVENT_STREAM) else body


def is_text(body: bytes, content_type: str | None) -> bool:
    """Whether a body can be read, searched for secrets and shown. The last character may be cut."""
    if b"\0" in body:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(body)
    except UnicodeDecodeError:
        return (content_type or "").startswith(TEXT_TYPES)
    return True


def binary_note(body: bytes, size: int, content_type: str | None) -> bytes:
    """What is stored in place of a body that is no text: images and audio cannot be searched for secrets."""
    digest = hashlib.sha256(body).hexdigest()
    kept = "" if len(body) >= size else f" of its first {len(body)} bytes"
    return f"[binary body: {size} bytes, {content_type or 'no content type'}, sha256{kept} {digest}]".encode()


def cut(body: bytes, limit: int) -> bytes:
    """At most `limit` bytes, without half a character at the end."""
    if len(body) <= limit:
        return body
    end = limit
    while end > limit - 4 and end > 0 and body[end] & 0xC0 == 0x80:
        end -= 1
    return body[:end]
