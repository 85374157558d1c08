"""The demo provider without its connection: a request in, and what is to be sent, and when, out."""

from __future__ import annotations

import os
import random
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from gateway.demo import tokens
from gateway.demo.answer import MODELS, answer
from gateway.demo.chat import Chat
from gateway.demo.completions import Completions
from gateway.demo.controls import Controls, Words, controls, words
from gateway.demo.embeddings import EmbeddingBody, embeddings
from gateway.demo.messages import Messages
from gateway.demo.responses import Responses
from gateway.demo.surface import Body, Piece, Surface, json, openai_error

CREATED = 1_767_225_600
"""When the demo models came to be, for `GET /v1/models`: 2026-01-01."""

NOT_HTTP = b"\x16\x03\x01 this is not HTTP\r\n\r\n"
NOT_JSON = b'<html><body>502 Bad Gateway</body></html>{"choices": [{'
REMEMBERED = 1024
"""How many requests `times` counts."""

End = Literal["finish", "cut", "reset", "stall"]


@dataclass(slots=True)
class Reply:
    """What to send. `status` None sends the pieces bare, without a head."""

    status: int | None
    pieces: list[Piece]
    headers: list[tuple[str, str]] = field(default_factory=list)
    stream: bool = False
    """Chunked, one chunk an event; else with `content-length`."""
    length: int = 0
    """Of the whole body: larger than the pieces when it is to be cut."""
    end: End = "finish"
    delay_s: float = 0
    ttft_s: float = 0
    tokens_per_s: float = 0
    """0 is as fast as it can."""


class Demo:
    """One provider, for any number of connections: remembers prompts it has seen (for cached tokens) and tries."""

    def __init__(self, defaults: Words | None = None) -> None:
        self.defaults = defaults or {}
        self.cache = tokens.PrefixCache()
        self.failures: OrderedDict[bytes, int] = OrderedDict()
        self.surfaces: dict[str, Surface[Any]] = {
            "/chat/completions": Chat(),
            "/completions": Completions(),
            "/responses": Responses(),
            "/messages": Messages(),
        }
        self.decoders = {path: msgspec.json.Decoder(surface.body) for path, surface in self.surfaces.items()}

    def reply(self, method: str, path: str, said: str, body: bytes) -> Reply:
        """`path` without the query; `said` is the request's `x-demo` headers, joined by commas."""
        path = path.removeprefix("/v1")
        if method == "GET" and (path == "/models" or path.startswith("/models/")):
            return _models(path.removeprefix("/models").strip("/"))
        if path not in self.surfaces and path not in ("/embeddings", "/messages/count_tokens"):
            return _whole(404, openai_error(404, f"The demo provider has no {method} /v1{path}. See docs/demo.md."))
        if method != "POST":
            return _whole(405, openai_error(405, f"/v1{path} takes POST."), [("allow", "POST")])
        surface = self.surfaces.get("/messages" if path == "/messages/count_tokens" else path)
        failed = surface.error if surface else openai_error
        try:
            if surface is None:
                return self._embed(msgspec.json.decode(body, type=EmbeddingBody), said, body)
            decoded = self.decoders["/messages" if path == "/messages/count_tokens" else path].decode(body)
            if isinstance(surface, Messages) and path == "/messages/count_tokens":
                return _whole(200, surface.count_tokens(decoded))
            return self._answer(surface, decoded, said, body)
        except msgspec.MsgspecError as exc:
            return _whole(400, failed(400, f"The demo provider cannot read this request: {exc}."))
        except UnknownModelError as exc:
            return _whole(404, failed(404, str(exc), "model_not_found"))
        except ValueError as exc:
            return _whole(400, failed(400, str(exc)))

    def _answer(self, surface: Surface[Any], body: Body, said: str, raw: bytes) -> Reply:
        model, wanted = self._wanted(body, said, raw)
        if wanted.status is not None:
            return _failure(surface.error, wanted)
        asked = surface.ask(body, model)
        found = answer(asked, wanted, self.cache, serial=os.urandom(12).hex(), now_s=int(time.time()))
        if body.stream:
            reply = Reply(200, list(surface.events(body, found)), _headers("text/event-stream; charset=utf-8"), True)
        else:
            reply = _whole(200, surface.whole(body, found), generated=found.output_tokens)
        _pace(reply, wanted)
        if wanted.error_after is not None and body.stream:
            reply.pieces[wanted.error_after :] = [Piece(surface.error_event("The demo provider was asked to fail."), 0)]
        _sabotage(reply, wanted)
        return reply

    def _embed(self, body: EmbeddingBody, said: str, raw: bytes) -> Reply:
        model, wanted = self._wanted(body, said, raw)
        if wanted.status is not None:
            return _failure(openai_error, wanted)
        reply = _whole(200, embeddings(body, model, reports_usage=wanted.usage != "none"))
        _pace(reply, wanted)
        _sabotage(reply, wanted)
        return reply

    def _wanted(self, body: Body, said: str, raw: bytes) -> tuple[str, Controls]:
        """The model's plain name, and what is to be done this time."""
        model, _, suffix = body.model.removeprefix("demo/").partition(":")
        if model not in MODELS:
            known = ", ".join(f"demo/{name}" for name in MODELS)
            raise UnknownModelError(f"The demo provider has no model {body.model!r}. It has {known}.")
        wanted = controls(self.defaults, words(suffix), body.demo or {}, words(said))
        if wanted.fails and wanted.times is not None and self._tried(raw) > wanted.times:
            wanted = wanted.without_failure()
        return model, wanted

    def _tried(self, body: bytes) -> int:
        """How often this body came, this time included."""
        digest = blake2b(body, digest_size=12).digest()
        tries = self.failures[digest] = self.failures.pop(digest, 0) + 1
        if len(self.failures) > REMEMBERED:
            self.failures.popitem(last=False)
        return tries


class UnknownModelError(Exception):
    """Not one of the demo provider's."""


def _headers(content_type: str) -> list[tuple[str, str]]:
    return [("content-type", content_type), ("x-request-id", f"demo-{os.urandom(8).hex()}")]


def _whole(status: int, body: object, headers: list[tuple[str, str]] | None = None, *, generated: int = 0) -> Reply:
    data = json.encode(body)
    return Reply(status, [Piece(data, generated)], _headers("application/json") + (headers or []), length=len(data))


def _models(wanted: str) -> Reply:
    found = [{"id": name, "object": "model", "created": CREATED, "owned_by": "demo"} for name in MODELS]
    if not wanted:
        return _whole(200, {"object": "list", "data": found})
    one = next((model for model in found if model["id"] == wanted.removeprefix("demo/")), None)
    if one is None:
        return _whole(404, openai_error(404, f"The demo provider has no model {wanted!r}.", "model_not_found"))
    return _whole(200, one)


def _failure(error: Callable[[int, str, str | None], object], wanted: Controls) -> Reply:
    assert wanted.status is not None
    message = f"The demo provider was asked for status {wanted.status}."
    code = "rate_limit_exceeded" if wanted.status == 429 else None
    after = [] if wanted.retry_after is None else [("retry-after", f"{wanted.retry_after:g}")]
    reply = _whole(wanted.status, error(wanted.status, message, code), after)
    reply.delay_s = wanted.delay_ms / 1000
    return reply


def _pace(reply: Reply, wanted: Controls) -> None:
    reply.delay_s = wanted.delay_ms / 1000
    reply.ttft_s = (random.uniform(150, 350) if wanted.ttft_ms is None else wanted.ttft_ms) / 1000
    reply.tokens_per_s = random.uniform(40, 80) if wanted.tps is None else wanted.tps


def _sabotage(reply: Reply, wanted: Controls) -> None:
    """Makes a good reply fail as it was asked to."""
    if wanted.stall or wanted.reset:
        reply.status, reply.pieces, reply.end = None, [], "stall" if wanted.stall else "reset"
    elif wanted.garbage:
        reply.status, reply.pieces, reply.end = None, [Piece(NOT_HTTP, 0)], "cut"
    elif wanted.not_json:
        reply.pieces, reply.stream, reply.length = [Piece(NOT_JSON, 0)], False, len(NOT_JSON)
        reply.headers = _headers("application/json")
    elif wanted.stall_after is not None:
        reply.end = "stall"
        _keep(reply, wanted.stall_after)
    elif wanted.cut_after is not None:
        reply.end = "cut"
        _keep(reply, wanted.cut_after)


def _keep(reply: Reply, size: int) -> None:
    """The first so many events of a stream, or bytes of a whole answer."""
    if reply.stream:
        del reply.pieces[size:]
    else:
        reply.pieces = [Piece(piece.data[:size], piece.tokens) for piece in reply.pieces]
