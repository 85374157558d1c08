"""`/api/docs`: the API's description, to be read. Made of `/api/openapi.json`; it asks nobody else for anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.openapi import document
from gateway.dashboard import urls
from gateway.dashboard.render import respond
from gateway.dashboard.view import Shell, make_shell, open_view

DESCRIPTION = "/api/openapi.json"


@dataclass(frozen=True)
class Field:
    name: str
    kind: str
    """`string`, `Record`, `list of Record`, `integer or null`."""
    about: str
    is_required: bool = False


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    anchor: str
    summary: str
    about: str
    parameters: list[Field]
    has_filters: bool
    body: list[Field]
    status: str
    answer: list[Field]
    answer_kind: str
    """Of the whole answer: a shape's name, or its media types where it is no JSON."""


@dataclass(frozen=True)
class Shape:
    name: str
    about: str
    fields: list[Field]


@dataclass(frozen=True)
class ApiDocs:
    template: ClassVar[str] = "api_docs.html"
    shell: Shell
    about: str
    description: str
    groups: list[tuple[str, list[Operation]]]
    filters: list[Field]
    shapes: list[Shape]


async def api_docs(request: Request) -> Response:
    view = open_view(request)
    shell = await make_shell(view, "API", urls.API_DOCS, has_period=False)
    state = request.app.state
    if not hasattr(state, "api_docs"):
        said = await asyncio.to_thread(document, request.app.routes, view.state.version)
        state.api_docs = (said["info"]["description"], _groups(said), _filters(said), _shapes(said))
    about, groups, filters, shapes = state.api_docs
    return respond(ApiDocs(shell, about, DESCRIPTION, groups, filters, shapes))


def _groups(said: Mapping[str, Any]) -> list[tuple[str, list[Operation]]]:
    groups: dict[str, list[Operation]] = {}
    for path, methods in said["paths"].items():
        for method, of in methods.items():
            groups.setdefault(of["tags"][0], []).append(_operation(path, method, of, said["components"]["schemas"]))
    return list(groups.items())


def _operation(path: str, method: str, of: Mapping[str, Any], schemas: Mapping[str, Any]) -> Operation:
    status, answered = next(iter(of["responses"].items()))
    content = answered.get("content", {})
    answer = content.get("application/json", {}).get("schema", {})
    body = of.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    other = [media for media in content if media != "application/json"]
    return Operation(
        method=method.upper(),
        path=path,
        anchor=of["operationId"],
        summary=of["summary"],
        about=of["description"],
        parameters=[_parameter(each) for each in of["parameters"] if "name" in each],
        has_filters=any("$ref" in each for each in of["parameters"]),
        body=list(_fields(body, schemas)),
        status=status,
        answer=list(_fields(answer, schemas)),
        answer_kind=", ".join([*([_kind(answer)] if answer else []), *other]),
    )


def _parameter(of: Mapping[str, Any]) -> Field:
    where = "" if of["in"] == "query" else f" in the {of['in']}"
    return Field(of["name"], _kind(of["schema"]) + where, of.get("description", ""), of["required"])


def _filters(said: Mapping[str, Any]) -> list[Field]:
    return [_parameter(each) for each in said["components"]["parameters"].values()]


def _shapes(said: Mapping[str, Any]) -> list[Shape]:
    schemas = said["components"]["schemas"]
    return [
        Shape(name, of.get("description", ""), list(_fields(of, schemas)))
        for name, of in schemas.items()
        if of.get("properties")
    ]


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[Field]:
    if "$ref" in schema:
        schema = schemas[_name(schema["$ref"])]
    required = schema.get("required", ())
    for name, of in schema.get("properties", {}).items():
        yield Field(name, _kind(of), of.get("description", ""), name in required)


def _kind(of: Mapping[str, Any]) -> str:
    """A schema in words."""
    if "$ref" in of:
        return _name(of["$ref"])
    if "anyOf" in of:
        return " or ".join(_kind(each) for each in of["anyOf"])
    if "enum" in of:
        return " | ".join(str(each) for each in of["enum"])
    if of.get("type") == "array":
        return f"list of {_kind(of.get('items', {}))}"
    if of.get("type") == "object" and isinstance(of.get("additionalProperties"), dict):
        return f"object of {_kind(of['additionalProperties'])}"
    return str(of.get("type", "any JSON"))


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]
