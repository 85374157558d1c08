"""A value that satisfies a JSON schema, for tool arguments and structured output.

Understands what the providers' strict modes allow: types, enum, const, properties, items, anyOf/oneOf/allOf, local
$ref, and the bounds of numbers, strings and arrays; `pattern` only through `examples` or `default`. The same schema
and seed give the same value.
"""

from __future__ import annotations

import random
from typing import Any

Schema = dict[str, Any]

DEEPEST = 8
"""A schema that refers to itself is followed this far, then only as far as it must be."""

FORMATS = {
    "date-time": "2026-03-14T09:26:53Z",
    "date": "2026-03-14",
    "time": "09:26:53Z",
    "duration": "PT15M",
    "email": "ada@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "9b2f0c4e-6d1a-4c3b-8f57-2a1e0d9c8b7a",
}
WORDS = ("river", "copper", "lantern", "harbour", "meadow", "signal", "orchard", "granite", "compass", "willow")


def sample(schema: Schema | bool, seed: str) -> Any:
    root = schema if isinstance(schema, dict) else {}
    return _Sampler(root, random.Random(seed)).value(root, 0)


class _Sampler:
    def __init__(self, root: Schema, rng: random.Random) -> None:
        self.root = root
        self.rng = rng

    def value(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, dict):
            return {}
        schema = self.resolved(schema)
        for given in ("const", "default"):
            if given in schema:
                return schema[given]
        for several in ("enum", "examples"):
            if schema.get(several):
                return schema[several][0 if several == "examples" else self.rng.randrange(len(schema[several]))]
        for choice in ("anyOf", "oneOf"):
            if schema.get(choice):
                return self.value(self.simplest(schema[choice]) if depth >= DEEPEST else schema[choice][0], depth + 1)
        return self.of_type(schema, depth)

    def resolved(self, schema: Schema) -> Schema:
        """With `$ref` followed and `allOf` put together."""
        followed = 0
        while isinstance(ref := schema.get("$ref"), str) and followed < DEEPEST:
            schema = {**self.pointed(ref), **{k: v for k, v in schema.items() if k != "$ref"}}
            followed += 1
        for part in schema.get("allOf", ()):
            part = self.resolved(part)
            both = {**schema.get("properties", {}), **part.get("properties", {})}
            required = [*schema.get("required", ()), *part.get("required", ())]
            schema = {**schema, **part, **({"properties": both, "required": required} if both else {})}
        return schema

    def pointed(self, ref: str) -> Schema:
        at: Any = self.root
        for name in ref.removeprefix("#").split("/")[1:]:
            at = at.get(name.replace("~1", "/").replace("~0", "~"), {}) if isinstance(at, dict) else {}
        return at if isinstance(at, dict) else {}

    def simplest(self, schemas: list[Any]) -> Any:
        """Of several, one that ends the recursion: null first, then whatever is not an object or array."""
        order = {"null": 0, "boolean": 1, "integer": 1, "number": 1, "string": 1}
        return min(schemas, key=lambda s: order.get(str(s.get("type")), 2) if isinstance(s, dict) else 3)

    def of_type(self, schema: Schema, depth: int) -> Any:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = "null" if depth >= DEEPEST and "null" in kind else next((k for k in kind if k != "null"), "null")
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
        match kind:
            case "object":
                return self.object(schema, depth)
            case "array":
                return self.array(schema, depth)
            case "integer" | "number":
                return self.number(schema, whole=kind == "integer")
            case "boolean":
                return self.rng.random() < 0.5
            case "null":
                return None
            case _:
                return self.string(schema)

    def object(self, schema: Schema, depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        wanted = {k: v for k, v in schema.get("properties", {}).items() if depth < DEEPEST or k in required}
        return {name: self.value(part, depth + 1) for name, part in wanted.items()}

    def array(self, schema: Schema, depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        length = least if depth >= DEEPEST else min(max(least, 2), schema.get("maxItems", max(least, 2)))
        first = [self.value(part, depth + 1) for part in schema.get("prefixItems", ())]
        return first + [self.value(schema.get("items", {}), depth + 1) for _ in range(length - len(first))]

    def number(self, schema: Schema, *, whole: bool) -> int | float:
        step = schema.get("multipleOf", 1 if whole else 0.5)
        low = schema.get("minimum")
        if (above := schema.get("exclusiveMinimum")) is not None:
            low = max(above + step, low if low is not None else above + step)
        high = schema.get("maximum")
        if (below := schema.get("exclusiveMaximum")) is not None:
            high = min(below - step, high if high is not None else below - step)
        if low is None:
            low = 1 if high is None or high >= 1 else high
        steps = 40 if high is None else max(0, int((high - low) // step))
        start = -(-low // step) * step  # the first multiple that is not below
        found = start + step * self.rng.randint(0, min(steps, 40))
        if high is not None and found > high:
            found = start if start <= high else (low + high) / 2
        return int(found) if whole else found

    def string(self, schema: Schema) -> str:
        text = FORMATS.get(schema.get("format", ""), "")
        if not text:
            text = " ".join(self.rng.sample(WORDS, 2))
        while len(text) < schema.get("minLength", 0):
            text += " " + self.rng.choice(WORDS)
        return text[: schema.get("maxLength", len(text))]
