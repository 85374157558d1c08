"""The text fields of a multipart form, from as much of it as is at hand.

RFC 7578. A file among them may be cut or left out; the fields before and after it are found by the boundary.
"""

from __future__ import annotations

import re

_NAME = re.compile(rb'\bname="([^"]{1,100})"', re.IGNORECASE)
_FILE = re.compile(rb"\bfilename\*?=", re.IGNORECASE)
_MOST_BYTES = 4096
"""No field that is looked for is longer."""


def form_fields(body: bytes) -> dict[str, str]:
    """By name; empty where the body is no form. Files are left out."""
    end = body.find(b"\r\n", 0, 200)
    boundary = body[:end] if end > 2 else b""
    if not boundary.startswith(b"--"):
        return {}
    fields: dict[str, str] = {}
    for part in body.split(boundary)[1:]:
        head, blank, value = part.partition(b"\r\n\r\n")
        named = _NAME.search(head)
        if blank and named and not _FILE.search(head) and len(value) <= _MOST_BYTES:
            name = named[1].decode("utf-8", "replace")
            fields.setdefault(name, value.removesuffix(b"\r\n").decode("utf-8", "replace"))
    return fields
