"""JSON schemas of the API's structs: what msgspec makes of the types, with the words that stand below the fields."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any, get_args, get_origin

import msgspec

from gateway.api.openapi_shapes import Error

REF = "#/components/schemas/{name}"
MONEY = {"anyOf": [{"type": "number"}, {"type": "null"}]}
"""Encoded as a decimal literal by hand (`record.usd`), so that its type says only that it is JSON."""


def schemas_of(types: Iterable[Any]) -> dict[Any, dict[str, Any]]:
    """By type, what a message of it refers to."""
    ordered = _ordered(types)
    return dict(zip(ordered, msgspec.json.schema_components(ordered, ref_template=REF)[0], strict=True))


def components(types: Iterable[Any]) -> dict[str, Any]:
    """Every struct that is reached from `types`, by the name it is referred to."""
    found = msgspec.json.schema_components(_ordered(types), ref_template=REF)[1]
    words = {kind.__name__: field_words(kind) for kind in _structs(types)}
    for name, schema in found.items():
        about = words.get(schema.get("title", name).partition("[")[0], {})
        for field, of in schema.get("properties", {}).items():
            if field.endswith("_usd") and not (of.keys() & {"type", "$ref"}):
                of.clear()
                of.update(MONEY)
            if field in about and "$ref" not in of:
                of.setdefault("description", about[field])
    return dict(sorted(found.items()))


def _ordered(types: Iterable[Any]) -> list[Any]:
    return [*sorted(types, key=str), Error]


def field_words(kind: type) -> dict[str, str]:
    """The docstrings below a struct's own fields, which Python does not keep; none where there is no source."""
    return _words_of(kind.__module__).get(kind.__name__, {})


@cache
def _words_of(module: str) -> dict[str, dict[str, str]]:
    """By class and field. Each module is read once: it is work beside running traffic."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):
        return {}
    return {node.name: dict(_commented(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _commented(of: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, said in pairwise(of.body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(said, ast.Expr):
            text = said.value
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield field.target.id, " ".join(text.value.split())


def _structs(types: Iterable[Any]) -> set[type[msgspec.Struct]]:
    """All that are reached."""
    found: set[type[msgspec.Struct]] = set()
    waiting = [*types, Error]
    while waiting:
        kind = waiting.pop()
        waiting += get_args(kind)
        kind = get_origin(kind) or kind
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in found:
            found.add(kind)
            waiting += [field.type for field in msgspec.structs.fields(kind)]
    return found
