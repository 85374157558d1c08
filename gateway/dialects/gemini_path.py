"""Google's paths: the model and what is done with it stand in them, as `…/models/{model}:{method}`.

https://ai.google.dev/api/all-methods and https://docs.cloud.google.com/vertex-ai/generative-ai/docs/reference/rest
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_NAMED = re.compile(rb"/(?:models/|(?=(?:tunedModels|endpoints)/))(?P<model>.+):\w+$")
"""Of the model's whole resource name only `models/` is left out: `tunedModels/x` is called as that."""


def model_in(path: bytes) -> str | None:
    found = _NAMED.search(path)
    return unquote(found["model"].decode("latin-1")) if found else None


def with_model(path: bytes, model: str) -> bytes:
    found = _NAMED.search(path)
    if found is None:
        return path
    collection = b"" if model.startswith(("tunedModels/", "endpoints/")) else b"models/"
    method = path[found.end("model") :]
    return path[: found.start()] + b"/" + collection + quote(model, safe="/@:").encode("ascii") + method
