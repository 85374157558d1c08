"""Tokens as the demo provider counts them: cheap, the same every time, and near what real tokenizers say."""

from __future__ import annotations

import re
from collections import OrderedDict
from hashlib import blake2b

PIECE = re.compile(r"\s*[!-~]{1,6}|\s*\S|\s+")
"""Up to six ASCII characters with the space before them, or one character of another script."""

BYTES_PER_TOKEN = 4
CACHE_STEP = 128
CACHE_LEAST = 1024
CACHE_LOOKED_AT = 32_768
"""In tokens: prefixes are cached in steps, from a least length, as OpenAI does; what is beyond is not looked at."""


def split(text: str, *, limit: int) -> list[str]:
    """The pieces a stream is made of, one token each, `limit` at most; joined they are the text."""
    pieces: list[str] = []
    for match in PIECE.finditer(text):
        if len(pieces) == limit:
            break
        pieces.append(match.group())
    return pieces


def count(text: str) -> int:
    """Of a prompt, by its size in UTF-8: quick on megabytes."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)


class PrefixCache:
    """Which long beginnings of prompts were seen before; forgets the least recently used."""

    def __init__(self, size: int = 4096) -> None:
        self.size = size
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def cached_tokens(self, prompt: str) -> int:
        """How many of the prompt's tokens were cached, and from now on are."""
        data = prompt.encode("utf-8", "surrogatepass")
        hashed = blake2b(digest_size=12)
        cached = 0
        step = CACHE_STEP * BYTES_PER_TOKEN
        for end in range(step, min(len(data), CACHE_LOOKED_AT * BYTES_PER_TOKEN) + 1, step):
            hashed.update(data[end - step : end])
            tokens = end // BYTES_PER_TOKEN
            if tokens >= CACHE_LEAST and self._touch(hashed.digest()):
                cached = tokens
        return cached

    def _touch(self, prefix: bytes) -> bool:
        known = prefix in self._seen
        self._seen[prefix] = None
        self._seen.move_to_end(prefix)
        if len(self._seen) > self.size:
            self._seen.popitem(last=False)
        return known
