"""`callgate schema`: the JSON schema of the configuration file, for editors."""

from __future__ import annotations

import json
from typing import Any

import click
import msgspec

from gateway.core.providers import DIALECTS, KNOWN
from gateway.settings import Settings

_REFERENCE = {"type": "string", "pattern": r"\$\{"}
"""`${VAR}` may stand for any scalar."""


def settings_schema() -> dict[str, Any]:
    """Draft 2020-12. Everything of `gateway.settings`, with `${VAR}` allowed where a number or a switch is wanted."""
    schema = msgspec.json.schema(Settings)
    definitions = {name: _with_references(definition) for name, definition in schema["$defs"].items()}
    definitions["Provider"]["properties"]["dialect"]["examples"] = list(DIALECTS)
    definitions["Settings"]["properties"]["providers"]["propertyNames"] = {"examples": list(KNOWN)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Callgate configuration",
        "$ref": schema["$ref"],
        "$defs": definitions,
    }


def _with_references(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_references(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") in ("integer", "number", "boolean") or "enum" in node or "minLength" in node:
        return _as_alternative(node)
    return {name: value if name == "default" else _with_references(value) for name, value in node.items()}


def _as_alternative(node: dict[str, Any]) -> dict[str, Any]:
    about = {name: value for name, value in node.items() if name in ("description", "default")}
    shape = {name: value for name, value in node.items() if name not in about}
    return {**about, "anyOf": [shape, _REFERENCE]}


@click.command()
def schema() -> None:
    """Print the JSON schema of the configuration file.

    Editors with a YAML language server check callgate.yaml against it, with this as the first line of the file:
    `# yaml-language-server: $schema=config.schema.json`
    """
    click.echo(json.dumps(settings_schema(), indent=2, ensure_ascii=False))
