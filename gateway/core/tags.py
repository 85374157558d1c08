"""Tags: what a call is about, by the client's own words. From the body's `metadata`, a header, the key's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

import msgspec

from gateway.core.key import Key
from gateway.core.span import RESERVED_TAGS
from gateway.errors import CallError

MOST_TAGS = 64
LONGEST_KEY = 64
LONGEST_VALUE = 512

_decode_strings = msgspec.json.Decoder(dict[str, str]).decode
_decode_any = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_str = msgspec.json.Decoder(str).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def from_metadata(raw: bytes) -> dict[str, str]:
    """Tags of a `metadata` object. Numbers and booleans become text, nested values their JSON; null is no tag.

    CallError 400 where it is not an object.
    """
    try:
        return _checked(_decode_strings(raw), "metadata")
    except _UNREADABLE:
        pass
    if raw == b"null":
        return {}
    try:
        values = {key: bytes(value) for key, value in _decode_any(raw).items()}
        texts = {key: _as_text(value) for key, value in values.items() if value != b"null"}
    except _UNREADABLE:
        raise _bad('\'metadata\' must be an object of strings, e.g. {"feature": "chat"}.', "metadata") from None
    return _checked(texts, "metadata")


def from_header(value: bytes) -> dict[str, str]:
    """Tags of `x-callgate-tags`: `{"k":"v"}` or `k=v,k2=v2` (percent-encoded where a value has a comma)."""
    stripped = value.strip()
    if stripped.startswith(b"{"):
        try:
            return from_metadata(stripped)
        except CallError:
            raise _bad("x-callgate-tags is not a JSON object of strings.", "x-callgate-tags") from None
    tags: dict[str, str] = {}
    for pair in stripped.decode("utf-8", "replace").split(","):
        name, equals, content = pair.partition("=")
        if not equals or not name.strip():
            if pair.strip():
                raise _bad(f"x-callgate-tags: {pair.strip()!r} is not key=value.", "x-callgate-tags")
            continue
        tags[unquote(name.strip())] = unquote(content.strip())
    return _checked(tags, "x-callgate-tags")


def bind(key: Key, tags: dict[str, str]) -> dict[str, str]:
    """The tags of a call: the key's defaults under the client's, and what the key is bound to over both."""
    if not key.tags and key.tenant is None and key.environment is None:
        return tags
    bound = {**key.tags, **tags}
    if key.tenant is not None:
        bound["tenantSlug"] = key.tenant
    if key.environment is not None:
        bound["environment"] = key.environment
    return bound


def columns(tags: Mapping[str, str]) -> dict[str, str]:
    """The columns that reserved tags fill, by column name."""
    return {column: tags[tag] for tag, column in RESERVED_TAGS.items() if tag in tags}


def _as_text(value: bytes) -> str:
    return _decode_str(value) if value[:1] == b'"' else value.decode("utf-8", "replace")


def _checked(tags: dict[str, str], source: str) -> dict[str, str]:
    if len(tags) > MOST_TAGS:
        raise _bad(f"{source} has {len(tags)} tags; {MOST_TAGS} are allowed.", source)
    for name, value in tags.items():
        if len(name) > LONGEST_KEY or len(value) > LONGEST_VALUE:
            raise _bad(
                f"{source}: the tag {name[:LONGEST_KEY]!r} is too long; a key may have {LONGEST_KEY} characters, "
                f"a value {LONGEST_VALUE}.",
                source,
            )
    return tags


def _bad(message: str, param: str) -> CallError:
    return CallError(400, "invalid_request_error", message, error_type="invalid_request", param=param)
