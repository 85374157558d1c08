"""`/api/openapi.json`: the API describes itself, in OpenAPI 3.1.

Made from what answers: the paths from the routes, who may from `access.RULES`, the shapes from the structs that
handlers decode and encode, the words from the docstrings of handlers, structs and fields. What only a person can say
of an operation is a line in `openapi_operations`; a test finds routes without one, and answers that are not as
described.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.api import access
from gateway.api.openapi_operations import FILTERS, OPERATIONS
from gateway.api.openapi_schemas import components, schemas_of
from gateway.api.openapi_shapes import Operation, Parameter
from gateway.api.scope import state_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ABOUT = (
    "Everything that the dashboard shows, as JSON. Lists take `limit` and `cursor`; all that is about calls takes the "
    "filters, and besides those listed `tag.KEY=VALUE` for any tag. Values of a repeated parameter are alternatives, "
    "`!` before a value leaves it out. Times are ISO 8601 in UTC, `*_usd` are exact decimals, `*_nanousd` integers, "
    "null is unknown. Who is bound to a tenant or environment sees only that."
)
SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A gateway key or an API token."},
    "header": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "The same, in another place."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "callgate_session",
        "description": "Of a browser that signed in, with the port behind the name where it is not 80 or 443; changes "
        "only from the dashboard's own pages.",
    },
}
ERRORS = {"4XX": "Not possible as asked; the error says why.", "5XX": "The gateway failed, or a part of it is away."}
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


async def openapi(request: Request) -> Response:
    """This document. The same for everybody; what a role may not do is in it too."""
    state = request.app.state
    if not hasattr(state, "openapi"):  # the sources are read for their words, which takes some milliseconds
        made = await asyncio.to_thread(document, request.app.routes, state_of(request).version)
        state.openapi = msgspec.json.encode(made)
    return Response(state.openapi, media_type="application/json")


def document(routes: Iterable[BaseRoute], version: str) -> dict[str, Any]:
    """Of those routes that have a rule in `access.RULES`: the dashboard's are pages, and model traffic is described
    by whose dialect it is."""
    described = list(_described(routes))
    types = {kind for _, _, _, operation in described for kind in (operation.answer, operation.body) if kind}
    schemas = schemas_of(types)
    paths: dict[str, dict[str, Any]] = {}
    for route, method, rule, operation in described:
        path = _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[method.lower()] = _operation(route, method, rule, operation, schemas)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": DIALECT,
        "info": {"title": "Callgate", "version": version, "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components(types),
            "parameters": {each.name: _parameter(each) for each in FILTERS},
            "securitySchemes": SECURITY,
        },
    }


def _described(routes: Iterable[BaseRoute]) -> Iterator[tuple[Route, str, access.Rule, Operation]]:
    rules = {(rule.path, method): rule for rule in access.RULES for method in rule.methods}
    for route in routes:
        if isinstance(route, Route):
            for method in sorted(route.methods or ()):
                rule, operation = rules.get((route.path, method)), OPERATIONS.get(f"{method} {route.path}")
                if rule is not None and operation is not None:
                    yield route, method, rule, operation


def _operation(
    route: Route, method: str, rule: access.Rule, operation: Operation, schemas: Mapping[Any, dict[str, Any]]
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": f"{route.endpoint.__module__.rpartition('.')[2]}_{route.endpoint.__name__}",
        "summary": operation.summary,
        "description": _words(route, rule),
        "tags": [operation.group],
        "security": _security(rule),
        "x-callgate-roles": list(rule.roles),
        "parameters": [*_path_parameters(route.path), *(_referred(each) for each in operation.query)],
        "responses": _responses(operation, schemas),
    }
    if operation.body is not None:
        fields = msgspec.structs.fields(operation.body)
        made["requestBody"] = {
            "required": any(field.required for field in fields),
            "content": {"application/json": {"schema": schemas[operation.body]}},
        }
    return made


def _security(rule: access.Rule) -> list[dict[str, list[str]]]:
    """Any of them; `{}` is none, and an empty list that none is asked for."""
    if not rule.roles:
        return []
    any_of: list[dict[str, list[str]]] = [{name: []} for name in SECURITY]
    return [{}, *any_of] if rule.path == "/metrics" else any_of  # metrics.open


def _words(route: Route, rule: access.Rule) -> str:
    """The handler's docstring and who may, in a sentence."""
    said = " ".join((route.endpoint.__doc__ or "").split())
    if not rule.roles:
        who = "Open to all."
    elif set(rule.roles) == set(access.EVERYONE):
        who = "Any role."
    else:
        who = f"Roles: {', '.join(rule.roles)}."
    if rule.unbound:
        who += " Not for who is bound to a tenant or environment."
    if rule.people:
        who += " For people, not for keys of applications."
    return f"{said} {who}".strip()


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PARAMETER.findall(path)
    ]


def _referred(of: Parameter) -> dict[str, Any]:
    """The filters stand in the document once."""
    return {"$ref": f"#/components/parameters/{of.name}"} if of in FILTERS else _parameter(of)


def _parameter(of: Parameter) -> dict[str, Any]:
    made = {"name": of.name, "in": of.where, "required": of.required, "schema": of.schema, "description": of.about}
    return made if of.where == "header" else {**made, "style": "form", "explode": True}


def _responses(operation: Operation, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    content = {kind: {"schema": {"type": "string"}} for kind in operation.media}
    if operation.answer is not None:
        content["application/json"] = {"schema": schemas[operation.answer]}
    answer = {"description": operation.summary, **({"content": content} if content else {})}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        str(operation.status): answer,
        **{str(status): answer for status in operation.also},
        **{status: {"description": said, "content": error} for status, said in ERRORS.items()},
    }
