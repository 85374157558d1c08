"""The playground: chat under one's own rights, and the models to chat with.

`POST /api/playground/chat` makes the call inside this process (`gateway.proxy.inside`), so it is admitted, limited,
priced and logged as any other; tags say that it is the playground's, whose, and of which conversation.
"""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.api.access import reader
from gateway.api.models import usable
from gateway.api.reading import Body, read_json
from gateway.api.requests import json_response
from gateway.api.scope import state_of
from gateway.control.caller import key_of
from gateway.control.principal import Principal, address_of
from gateway.control.state import AppState
from gateway.core.key import Key
from gateway.core.providers import known
from gateway.errors import CallError
from pricing import Catalog
from pricing.usage import Usage

FEATURE = "playground"
CHAT = b"/v1/chat/completions"
QUOTED_TOKENS = 1000
"""What a model's price is told for: below every threshold from which a provider charges more."""


class Ask(Body, kw_only=True):
    conversation: str | None = None
    """Its id: the session of the call."""
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    request: dict[str, msgspec.Raw]
    """What `/v1/chat/completions` takes; its `metadata` is not forwarded."""


class ModelRecord(msgspec.Struct):
    """Prices are nano-dollars for 1,000 tokens, null where there is none, or none of tokens."""

    id: str
    owned_by: str
    input_nanousd: int | None
    output_nanousd: int | None


class ModelList(msgspec.Struct):
    items: list[ModelRecord]


async def models(request: Request) -> Response:
    state = state_of(request)
    key = key_of(state.keyring, reader(request))
    return json_response(ModelList(await asyncio.to_thread(_models, state, key)))


async def chat(request: Request) -> Response:
    state, principal = state_of(request), reader(request)
    ask = await read_json(request, Ask, int(state.settings.server.max_body_mb * 1024 * 1024))
    if state.inside is None:
        raise CallError(503, "no_data_plane", "This process carries no calls, so it cannot make one.")
    ask.request.pop("metadata", None)  # tags that the table below could not overrule
    return _Chat(state, key_of(state.keyring, principal), tags_of(ask, principal), ask.request)


def tags_of(ask: Ask, principal: Principal) -> dict[str, str]:
    """The person's own, and over them what makes the call the playground's."""
    fixed = {"feature": FEATURE, "userId": principal.name}
    if ask.conversation is not None:
        fixed["sessionId"] = ask.conversation
    return {**ask.tags, **fixed}


class _Chat(Response):
    """An answer that is passed on while it comes."""

    def __init__(self, state: AppState, key: Key, tags: dict[str, str], asked: dict[str, msgspec.Raw]) -> None:
        self._state = state
        self._key = key
        self._tags = tags
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        inside = self._state.inside
        assert inside is not None
        headers = [
            (b"content-type", b"application/json"),
            (b"x-callgate-tags", msgspec.json.encode(self._tags)),
            (b"x-callgate-cache", b"no-store"),  # whoever asks here wants to see what the model says now
        ]
        with self._state.keyring.lend(self._key) as token:
            headers.append((b"authorization", b"Bearer " + token.encode()))
            body = msgspec.json.encode(self._asked)
            await inside.pass_on(CHAT, headers, body, address_of(Request(scope)), receive, send)


def _models(state: AppState, key: Key) -> list[ModelRecord]:
    return [_priced(state.catalog, name, owner) for name, owner in usable(state, key)]


def _priced(catalog: Catalog, name: str, owner: str) -> ModelRecord:
    """An alias has the prices of whatever serves it, which is told when it does."""
    provider, _, model = name.partition("/")
    price = catalog.find(row.name if (row := known(provider)) else provider, model) if provider == owner else None
    if price is None:
        return ModelRecord(name, owner, None, None)
    asked = price.cost(Usage(input_tokens=QUOTED_TOKENS, output_tokens=0))
    said = price.cost(Usage(input_tokens=0, output_tokens=QUOTED_TOKENS))
    return ModelRecord(
        name, owner, None if asked is None else asked.input_nanousd, None if said is None else said.output_nanousd
    )
