from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.demo.sample import sample

TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["name", "next", "children"],
        }
    },
    "$ref": "#/$defs/node",
}


def satisfies(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """A second, plain reading of JSON schema, to judge the samples by."""
    if "$ref" in schema:
        at: Any = root
        for name in schema["$ref"].split("/")[1:]:
            at = at[name]
        return satisfies(value, at, root)
    if "anyOf" in schema:
        return any(satisfies(value, one, root) for one in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return (
                isinstance(value, dict)
                and set(schema.get("required", ())) <= set(value) <= set(properties)
                and all(satisfies(v, properties[k], root) for k, v in value.items())
            )
        case "array":
            return (
                isinstance(value, list)
                and schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
                and all(satisfies(v, schema["items"], root) for v in value)
            )
        case "string":
            bounds = schema.get("minLength", 0), schema.get("maxLength", 10**9)
            return isinstance(value, str) and bounds[0] <= len(value) <= bounds[1]
        case "integer" | "number" as kind:
            whole = isinstance(value, int) and not isinstance(value, bool)
            low, high = schema.get("minimum", -1e18), schema.get("maximum", 1e18)
            return (whole or (kind == "number" and isinstance(value, float))) and low <= value <= high
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
    return True


LEAVES = st.one_of(
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
        st.integers(0, 60),
        st.integers(0, 60),
    ),
    st.builds(
        lambda kind, low, more: {"type": kind, "minimum": low, "maximum": low + more},
        st.sampled_from(["integer", "number"]),
        st.integers(-1000, 1000),
        st.integers(0, 100),
    ),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(lambda values: {"enum": values}, st.lists(st.integers() | st.text(), min_size=1, max_size=4)),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            lambda properties: {"type": "object", "properties": properties, "required": list(properties)},
            st.dictionaries(st.text(max_size=8), inner, max_size=4),
        ),
        st.builds(
            lambda items, low, more: {"type": "array", "items": items, "minItems": low, "maxItems": low + more},
            inner,
            st.integers(0, 4),
            st.integers(0, 3),
        ),
        st.builds(lambda several: {"anyOf": several}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=8,
)


@given(schema=SCHEMAS, seed=st.text(max_size=5))
def test_a_sample_satisfies_its_schema_and_is_the_same_again(schema: dict[str, Any], seed: str) -> None:
    value = sample(schema, seed)
    assert satisfies(value, schema, schema)
    assert sample(schema, seed) == value


def test_a_schema_that_refers_to_itself_ends() -> None:
    value = sample(TREE, "any")
    assert satisfies(value, TREE, TREE)
    assert value["children"][0]["children"], "it goes some levels deep"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"const": "fixed"}, "fixed"),
        ({"type": "string", "default": "usual"}, "usual"),
        ({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["ABC"]}, "ABC"),
        ({"type": "string", "format": "date"}, "2026-03-14"),
        ({"type": ["null", "boolean"], "enum": [True]}, True),
        ({"type": "integer", "exclusiveMinimum": 4, "exclusiveMaximum": 6}, 5),
        ({"type": "integer", "multipleOf": 7, "minimum": 8, "maximum": 15}, 14),
        ({"type": "number", "minimum": 0.1, "maximum": 0.1}, 0.1),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}, {"a": 1, "b": 2}),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}]}, [1, 2]),
        ({"type": "object"}, {}),
    ],
)
def test_what_else_a_schema_can_say(schema: Any, value: Any) -> None:
    assert sample(schema, "seed") == value
