"""`GET /v1/models`: the models a key may use, in OpenAI's shape. Answered by the gateway, not by a provider."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.api.errors import error_response
from gateway.control.keys import key_state, now_us
from gateway.control.principal import presented_key
from gateway.control.state import AppState
from gateway.core.key import Key
from gateway.core.providers import DEMO, known
from gateway.demo import MODELS
from gateway.errors import CallError


def routes() -> list[BaseRoute]:
    return [
        Route("/v1/models", list_models),
        Route("/v1/models/{model:path}", show_model),
    ]


async def list_models(request: Request) -> Response:
    key = _caller(request)
    if isinstance(key, CallError):
        return error_response(key)
    state: AppState = request.app.state.callgate
    return _json({"object": "list", "data": [_shape(*model) for model in usable(state, key)]})


async def show_model(request: Request) -> Response:
    key = _caller(request)
    if isinstance(key, CallError):
        return error_response(key)
    state: AppState = request.app.state.callgate
    wanted = request.path_params["model"]
    for name, owner in usable(state, key):
        if name == wanted:
            return _json(_shape(name, owner))
    message = f"There is no model {wanted!r} that this key may use. GET /v1/models lists them."
    return error_response(CallError(404, "model_not_found", message, param="model"))


def _caller(request: Request) -> Key | CallError:
    """The gateway key, by itself or through a session of the dashboard's playground; what is wrong otherwise."""
    state: AppState = request.app.state.callgate
    token = presented_key(request)
    if token is None:
        return CallError(401, "missing_api_key", "No gateway key was sent. Send one as `Authorization: Bearer cg-…`.")
    key = state.keyring.authenticate(token)
    if key is not None:
        return key
    former = state.keyring.lookup(token)
    if former is None:
        return CallError(401, "invalid_api_key", "This gateway key is not known.")
    return CallError(401, "invalid_api_key", f"The gateway key {former.name!r} is {key_state(former, now_us())}.")


def usable(state: AppState, key: Key) -> Iterator[tuple[str, str]]:
    """(name, owner): aliases first, then every provider's models as `provider/name`."""
    for alias in state.settings.models:
        if key.allows_model(alias):
            yield alias, "callgate"
    for name, provider in state.settings.providers.items():
        row = known(name)
        models = provider.models or state.catalog.models(row.name if row else name)
        for model in MODELS if name == DEMO and not provider.models else models:
            full = f"{name}/{model}"
            if key.allows_model(full, model):
                yield full, name


def _shape(name: str, owner: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


def _json(body: object) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")
