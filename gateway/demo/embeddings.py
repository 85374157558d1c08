"""`POST /v1/embeddings` of the demo provider: unit vectors from hashed words, so like texts lie near each other."""

from __future__ import annotations

import math
import re
from base64 import b64encode
from struct import pack
from typing import Literal
from zlib import crc32

from gateway.demo import tokens
from gateway.demo.surface import Body

DIMENSIONS = 256
MOST_DIMENSIONS = 4096
WORD = re.compile(r"\w+")


class EmbeddingBody(Body):
    input: str | list[str | int | list[int]] = ""
    dimensions: int | None = None
    encoding_format: Literal["float", "base64"] = "float"


def embeddings(body: EmbeddingBody, model: str, *, reports_usage: bool) -> dict[str, object]:
    """Raises ValueError for dimensions that cannot be."""
    dimensions = DIMENSIONS if body.dimensions is None else body.dimensions
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        raise ValueError(f"`dimensions` is {dimensions}; it can be 1 to {MOST_DIMENSIONS}.")
    texts = _texts(body.input)
    data = [
        {"object": "embedding", "index": index, "embedding": _written(vector(text, dimensions), body.encoding_format)}
        for index, text in enumerate(texts)
    ]
    used = sum(map(tokens.count, texts))
    usage = {"usage": {"prompt_tokens": used, "total_tokens": used}} if reports_usage else {}
    return {"object": "list", "data": data, "model": model, **usage}


def vector(text: str, dimensions: int) -> list[float]:
    """Of length 1. A text without words points along the first axis."""
    found = [0.0] * dimensions
    for word in WORD.findall(text.lower()):
        hashed = crc32(word.encode("utf-8", "surrogatepass"))
        found[hashed % dimensions] += 1.0 if hashed & 0x8000_0000 else -1.0
    length = math.sqrt(sum(x * x for x in found))
    if length == 0:
        return [1.0, *found[1:]]
    return [x / length for x in found]


def _texts(given: str | list[str | int | list[int]]) -> list[str]:
    """Token lists stand for the text of their numbers."""
    if isinstance(given, str):
        return [given]
    if given and isinstance(given[0], int):
        return [" ".join(map(str, given))]
    return [" ".join(map(str, one)) if isinstance(one, list) else str(one) for one in given]


def _written(values: list[float], encoding: str) -> list[float] | str:
    return b64encode(pack(f"<{len(values)}f", *values)).decode() if encoding == "base64" else values
