"""A websocket through the gateway: `GET /v1/realtime`. Two transports, each the other's writer; a meter looks on.

The provider sees the client's handshake with its own key in place of the gateway's, and answers it: what it accepts,
the client gets. After that every byte passes as it came. Nothing here awaits but the connecting.
"""

from __future__ import annotations

import asyncio
import logging
import time
from urllib.parse import parse_qsl, quote

from gateway.core import tags as tagging
from gateway.core.ids import uuid7
from gateway.core.key import Key
from gateway.core.limits import Ask, Lease
from gateway.errors import CallError, JournalError
from gateway.proxy import failures, tunnel_booking
from gateway.proxy.admit import authenticated, permitted_here, refuse_suspended
from gateway.proxy.door import Door
from gateway.proxy.gateway import Gateway
from gateway.proxy.head import INSECURE_KEY, Head
from gateway.proxy.headers import Headers, relayed
from gateway.proxy.plan import permitted
from gateway.proxy.target import Target
from gateway.proxy.tunnel_ends import ClientEnd, ProviderEnd
from gateway.proxy.tunnel_frames import GOING_AWAY, NORMAL, POLICY, SERVER_ERROR, SERVICE_RESTART, close_frame
from gateway.proxy.tunnel_meter import Meter, Turn

log = logging.getLogger("callgate.proxy")

_MODEL_NAMES = ("model", "deployment")
"""How OpenAI and Azure name the model in the query."""


class Tunnel:
    """One connection, start to end. `started_at` is µs UTC."""

    def __init__(self, gateway: Gateway, head: Head, headers: Headers, transport: asyncio.Transport) -> None:
        self.gateway = gateway
        self.head = head
        self.request_id = uuid7()
        self.started_at = time.time_ns() // 1000
        self.key: Key | None = None
        self.target: Target | None = None
        self.model_requested: str | None = None
        self.tags: dict[str, str] = {}
        self.answer_headers: dict[bytes, bytes] = {}
        self.bytes_in = self.bytes_out = 0
        self.client = ClientEnd(self, transport)
        self.provider: ProviderEnd | None = None
        self.is_open = False
        """Whether the provider has switched protocols."""
        self._protocols = _offered(headers)
        self._meter = Meter()
        self._lease: Lease | None = None
        self._early = b""
        """What the client sent before there was anybody to send it to."""
        self._connecting: asyncio.Task[None] | None = None
        self._dispatched = self._done = self._draining = False
        self._limit_name, self._limit_at = "", failures.FOREVER

    # ------------------------------------------------------------------ to the provider

    def begin(self, door: Door) -> None:
        """The client's handshake has been read."""
        gateway = self.gateway
        gateway.counters.calls += 1
        try:
            if gateway.draining:
                raise failures.shutting_down()
            self.key = authenticated(gateway.keys, self.head.token)
            permitted_here(self.key, self.head, door, gateway.table.settings.server.trusted_proxies)
            self._plan(self.key)
            self._lease = self._admitted()
            self._dispatch()
        except CallError as error:
            self._refuse(error)

    def _plan(self, key: Key) -> None:
        table, head = self.gateway.table, self.head
        model = self.model_requested = _model_in(head.query)
        if head.provider is not None:
            way = table.named(head.provider, model)
        else:
            way = table.resolve(model) if model is not None else table.without_model()
        permitted(key, way, model)
        self.target = way.targets[0]
        self.tags = tagging.bind(key, tagging.from_header(head.tags) if head.tags is not None else {})
        self.tags.setdefault("sessionId", self.request_id)
        refuse_suspended(self.gateway.keys, self.tags)

    def _admitted(self) -> Lease | None:
        """Room for the next turn. CallError 402 or 429 where there is none."""
        admission, target, tags = self.gateway.admission, self.target, self.tags
        if admission is None or self.key is None or target is None:
            return None
        ask = Ask(
            self.key,
            tags.get("tenantSlug"),
            tags.get("environment"),
            target.model,
            self.model_requested,
            tags,
            0,
            None,
            target.upstream.price_provider if target.model is not None else None,
            tags.get("prompt"),
            waited=True,
        )
        return admission.admit(ask, time.time_ns() // 1000)

    def _dispatch(self) -> None:
        assert self.target is not None
        try:
            self.gateway.journal.open(tunnel_booking.opened(self))
        except JournalError as exc:
            raise failures.journal_refuses(exc) from exc
        self._dispatched = True
        self.gateway.counters.in_flight += 1
        self.gateway.timed.add(self)
        self._limit("connect", self.target.timeout.connect_s)
        self._connecting = asyncio.get_running_loop().create_task(self._connect(self.target))

    async def _connect(self, target: Target) -> None:
        try:
            await target.upstream.pool.dial(lambda: ProviderEnd(self))
        except (OSError, ValueError, UnicodeError) as exc:
            self._fail(failures.unreachable(target.upstream.name, exc))

    def connected(self, provider: ProviderEnd) -> None:
        target = self.target
        if self._done or target is None:
            provider.transport.abort()
            return
        self.provider = provider
        self._limit("first byte", target.timeout.first_byte_s)
        upstream = target.upstream
        protocols = b"sec-websocket-protocol: %b\r\n" % b", ".join(self._protocols) if self._protocols else b""
        provider.transport.write(
            b"GET %b HTTP/1.1\r\n%b%b%b%bconnection: Upgrade\r\nupgrade: websocket\r\n\r\n"
            % (
                upstream.target(self.head.path, _with_model(self.head.query, target.model)),
                upstream.head,
                upstream.key_lines[upstream.keys.pick(time.monotonic_ns() // 1000)],
                self.head.forwarded,
                protocols,
            )
        )

    def switched(self, headers: Headers) -> None:
        """The provider has accepted."""
        self.answer_headers = dict(headers)
        self.is_open = True
        self._limit_at = failures.FOREVER
        self.client.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\n%b%bconnection: Upgrade\r\nupgrade: websocket\r\n\r\n"
            % (relayed(headers, self.answer_headers), self._own_head())
        )
        early, self._early = self._early, b""
        if early:
            self.from_client(early)
        self.client.transport.resume_reading()

    def declined(self, status: int, headers: Headers, body: bytes) -> None:
        """The provider has answered something else, which is passed on; but a 401 is about the gateway's own key."""
        self.answer_headers = dict(headers)
        if status == 401 and self.target is not None:
            self._fail(failures.credentials_refused(self.target.upstream.name))
            return
        error = CallError(status, "upstream_error", "the provider did not accept", error_type="upstream_error")
        self._end(status, error)
        self._answer(status, relayed(headers, self.answer_headers), body)

    # ------------------------------------------------------------------ both ways

    def from_client(self, data: bytes) -> None:
        if not self.is_open or self.provider is None:
            self._early += data
            return
        if self._done:
            return
        self.bytes_in += len(data)
        self._meter.client(data)
        self.provider.transport.write(data)

    def from_provider(self, data: bytes) -> None:
        if self._done:
            return
        self.bytes_out += len(data)
        turns = self._meter.provider(data, time.time_ns() // 1000)
        refused: CallError | None = None
        for turn in turns:
            refused = self._book(turn, None) or refused
        self.client.transport.write(data)
        if refused is not None:
            self._close(SERVER_ERROR if refused.status == 503 else POLICY, refused)
        elif self._draining and not self._meter.in_turn:
            self._close(SERVICE_RESTART, None)

    def _book(self, turn: Turn, broken: CallError | None) -> CallError | None:
        """A turn is written down before its end is passed on. The error that there must be no other one for."""
        try:
            tokens, cost = tunnel_booking.book_turn(self, turn, broken)
        except JournalError as exc:
            return failures.not_written_down(broken, exc)
        if broken is not None:
            return None
        if self._lease is not None:
            self._lease.settle(tokens, cost, time.time_ns() // 1000)
            self._lease = None
        try:
            authenticated(self.gateway.keys, self.head.token)  # it may have been revoked, the tenant suspended
            refuse_suspended(self.gateway.keys, self.tags)
            self._lease = self._admitted()
        except CallError as error:
            return error
        return None

    # ------------------------------------------------------------------ endings

    def client_lost(self) -> None:
        if self._done:
            return
        self.gateway.counters.client_gone += 1
        error = failures.client_gone() if not self.is_open or self._meter.in_turn else None
        self._end(tunnel_booking.SWITCHED if self.is_open else 499, error)

    def provider_lost(self, reason: str) -> None:
        """The provider has closed: by a close frame, which says why, or without one."""
        if self._done or self.target is None:
            return
        name = self.target.upstream.name
        if not self.is_open:
            self._fail(failures.lost(name, reason))
            return
        code, words = self._meter.close
        error = None
        if code is None:
            error = failures.lost(name, reason)
        elif code not in (NORMAL, GOING_AWAY):
            error = CallError(
                502, "upstream_error", f"{name} closed with {code}: {words or 'no reason'}", error_type="upstream_error"
            )
        self._end(tunnel_booking.SWITCHED, error)
        self.client.transport.close()

    def shutdown(self) -> None:
        """No new turn: a response under way may end."""
        self._draining = True
        if not self.is_open:
            self._fail(failures.shutting_down())
        elif not self._meter.in_turn:
            self._close(SERVICE_RESTART, None)

    def interrupt(self, error: CallError) -> None:
        """The gateway stops."""
        if self.is_open:
            self._close(SERVICE_RESTART, error)
        else:
            self._fail(error)

    def check(self, now: float) -> None:
        """Called by the gateway's sweep."""
        if now >= self._limit_at and self.target is not None:
            self._fail(failures.too_slow(self._limit_name, self.target.timeout, self.target.upstream.name))

    def _limit(self, name: str, seconds: float) -> None:
        self._limit_name, self._limit_at = name, time.monotonic() + seconds

    def _close(self, code: int, error: CallError | None) -> None:
        """Ends both sides; a close frame goes only between two frames, where it is one."""
        if self._done:
            return
        reason = error.message if error is not None else "The gateway is restarting; connect again."
        if self._meter.provider_is_between_frames:
            self.client.transport.write(close_frame(code, reason))
        if self.provider is not None and self._meter.client_is_between_frames:
            self.provider.transport.write(close_frame(GOING_AWAY, "", masked=True))
        self._end(tunnel_booking.SWITCHED, error)
        self.client.transport.close()

    def _refuse(self, error: CallError) -> None:
        """Before anything was dispatched."""
        self.gateway.counters.rejected += 1
        self._done = True
        if self._lease is not None:
            self._lease.release(time.time_ns() // 1000)
        if self.key is not None and error.error_type is not None:
            try:
                tunnel_booking.book_refusal(self, error)
            except JournalError:
                log.warning("a refused connection could not be written to the journal")
        self._answer_error(error)

    def _fail(self, error: CallError) -> None:
        """After dispatch, before the provider has switched."""
        if self._done:
            return
        self.gateway.counters.upstream_errors += 1
        self._end(error.status, error)
        self._answer_error(error)

    def _end(self, status: int, error: CallError | None) -> None:
        """Books the connection, and a response that was broken off; closes the provider's side."""
        self._done = True
        self.gateway.timed.discard(self)
        if self._connecting is not None:
            self._connecting.cancel()
        if self.provider is not None:
            self.provider.transport.close()
        if self._lease is not None:
            self._lease.release(time.time_ns() // 1000)
        if not self._dispatched:
            return
        self.gateway.counters.in_flight -= 1
        try:
            if (broken := self._meter.broken_off()) is not None:
                tunnel_booking.book_turn(self, broken, error or failures.client_gone())
            tunnel_booking.book_end(self, status, error)
        except JournalError:
            log.warning("the end of a realtime connection could not be written; it will be booked as interrupted")

    def _answer_error(self, error: CallError) -> None:
        head = b"content-type: application/json\r\n"
        head += b"".join([b"%b: %b\r\n" % pair for pair in error.headers])
        self._answer(error.status, head, self.head.dialect.error_body(error))

    def _answer(self, status: int, head: bytes, body: bytes) -> None:
        transport = self.client.transport
        if not transport.is_closing():
            framing = b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body)
            transport.write(b"HTTP/1.1 %d \r\n%b%b%b%b" % (status, head, self._own_head(), framing, body))
            transport.close()

    def _own_head(self) -> bytes:
        head = b"x-request-id: %b\r\n" % self.request_id.encode()
        if self._lease is not None:
            head += self._lease.head
        return head + (self.target.head if self.target is not None else b"")


def _offered(headers: Headers) -> list[bytes]:
    """The subprotocols that the client offers, without the one that carries its key."""
    lists = [value for name, value in headers if name.lower() == b"sec-websocket-protocol"]
    names = [name.strip() for value in lists for name in value.split(b",")]
    return [name for name in names if name and not name.startswith(INSECURE_KEY)]


def _model_in(query: bytes) -> str | None:
    pairs = dict(parse_qsl(query.decode("latin-1")))
    return next((pairs[name] for name in _MODEL_NAMES if pairs.get(name)), None)


def _with_model(query: bytes, model: str | None) -> bytes:
    """The query with the model as the provider knows it."""
    if model is None:
        return query
    pairs = []
    for pair in query.split(b"&"):
        name = pair.partition(b"=")[0]
        is_model = name.decode("latin-1") in _MODEL_NAMES
        pairs.append(b"%b=%b" % (name, quote(model, safe="").encode()) if is_model else pair)
    return b"&".join(pairs)
