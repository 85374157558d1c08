"""The least that a gateway in Python can be: what the same steps cost here without a product around them.

Two protocols on uvloop and httptools, nothing else: the key's hash, the body's top level, the tags taken out, the
model's prefix taken off, usage, cost and two writes to a file. No limits, no routes, no errors, no streams, no
timeouts; a client or a provider that does anything unusual breaks it. It runs beside nginx and Callgate, so that the
part of a call's time which is Python's and this machine's can be told from the part that is Callgate's.

    python -m bench.bare PORT UPSTREAM_PORT FILE
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import struct
import sys
import time
import zlib

import httptools
import msgspec
import uvloop

from bench.templates import APP_KEY, INPUT_NANOUSD, OUTPUT_NANOUSD

SECRET = b"bench" * 6


class Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Choice(msgspec.Struct):
    finish_reason: str | None = None


class Completion(msgspec.Struct):
    model: str
    usage: Usage
    choices: list[Choice]


encode = msgspec.json.encode
read_body = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
read_tags = msgspec.json.Decoder(dict[str, str]).decode
read_text = msgspec.json.Decoder(str).decode
read_completion = msgspec.json.Decoder(Completion).decode


def digest(token: bytes) -> bytes:
    return hashlib.blake2b(token, key=SECRET, digest_size=32).digest()


class Gateway:
    def __init__(self, upstream_port: int, file: str) -> None:
        self.upstream_port = upstream_port
        self.keys = {digest(APP_KEY.encode()): "bench"}
        self.idle: list[Upstream] = []
        self.file = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    async def connect(self) -> Upstream:
        _, upstream = await asyncio.get_running_loop().create_connection(
            lambda: Upstream(self), "127.0.0.1", self.upstream_port
        )
        return upstream


class Connection(asyncio.Protocol):
    """Either side: headers and body of one message at a time."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body


class Upstream(Connection):
    client: Client | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        client, headers, body = self.client, self.headers, self.body
        self.client, self.headers, self.body = None, [], b""
        self.gateway.idle.append(self)
        if client is not None and not client.transport.is_closing():
            client.answered(self.parser.get_status_code(), headers, body)


class Client(Connection):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        headers, self.asked = dict(self.headers), self.body
        self.headers, self.body = [], b""
        self.began_ns = time.perf_counter_ns()
        key = self.gateway.keys[digest(headers[b"authorization"][7:])]
        body = read_body(self.asked)
        self.tags = read_tags(body.pop("metadata"))
        self.model = read_text(body["model"]).partition("/")[2]
        body["model"] = msgspec.Raw(encode(self.model))
        sent = encode(body)
        self.id = os.urandom(16).hex()
        opened = encode({"id": self.id, "key": key, "model": self.model, "at": time.time_ns(), "tags": self.tags})
        os.write(self.gateway.file, struct.pack("<II", len(opened), zlib.crc32(opened)) + opened)
        request = (
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: upstream\r\ncontent-type: application/json\r\n"
            b"authorization: Bearer sk-bench\r\ncontent-length: %d\r\n\r\n%b" % (len(sent), sent)
        )
        if self.gateway.idle:
            self.send(self.gateway.idle.pop(), request)
        else:
            connecting = asyncio.ensure_future(self.gateway.connect())
            connecting.add_done_callback(lambda done: self.send(done.result(), request))

    def send(self, upstream: Upstream, request: bytes) -> None:
        upstream.client = self
        upstream.transport.write(request)

    def answered(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        answer = read_completion(body)
        usage = answer.usage
        cost = usage.prompt_tokens * INPUT_NANOUSD + usage.completion_tokens * OUTPUT_NANOUSD
        reasons = [choice.finish_reason for choice in answer.choices]
        closed = encode(
            {
                "id": self.id,
                "model": answer.model,
                "usage": usage,
                "cost_nanousd": cost,
                "finish_reasons": reasons,
                "ns": time.perf_counter_ns() - self.began_ns,
            }
        )
        lengths = struct.pack("<IIII", len(closed), len(self.asked), len(body), zlib.crc32(closed))
        os.writev(self.gateway.file, (lengths, closed, self.asked, body))
        kept = b"".join([b"%b: %b\r\n" % header for header in headers if header[0] != b"connection"])
        self.transport.write(b"HTTP/1.1 %d OK\r\n%bx-request-id: %b\r\n\r\n%b" % (status, kept, self.id.encode(), body))


async def serve(port: int, upstream_port: int, file: str) -> None:
    gateway = Gateway(upstream_port, file)
    server = await asyncio.get_running_loop().create_server(lambda: Client(gateway), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
