"""The demo provider over a real socket pair."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import urllib.request
from typing import Any

import pytest

from gateway.demo import Demo, connect
from gateway.demo.protocol import DemoProtocol

QUICK = {"ttft-ms": 0, "tps": 0}


def request(text: str, said: str = "", **more: Any) -> bytes:
    body = json.dumps({"model": "echo", "messages": [{"role": "user", "content": text}], **more}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: demo\r\nx-demo: {said}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def opened(demo: Demo) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(sock=connect(demo))


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The head and the body as they were on the wire, chunks taken apart."""
    head = await reader.readuntil(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head:
        size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head, await reader.readexactly(size)
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    assert await reader.readexactly(2) == b"\r\n"
    return head, body


def test_one_connection_answers_one_request_after_another() -> None:
    async def scenario() -> None:
        reader, writer = await opened(Demo(QUICK))
        for text in ("first", "second"):
            writer.write(request(text))
            head, body = await answer(reader)
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert json.loads(body)["choices"][0]["message"]["content"] == text
        writer.close()

    asyncio.run(scenario())


def test_pipelined_requests_are_answered_in_order() -> None:
    async def scenario() -> None:
        reader, writer = await opened(Demo(QUICK))
        writer.write(request("slow", "delay-ms=30") + request("quick", stream=True) + request("last"))
        bodies = [(await answer(reader))[1] for _ in range(3)]
        assert json.loads(bodies[0])["choices"][0]["message"]["content"] == "slow"
        assert bodies[1].endswith(b"data: [DONE]\n\n")
        assert json.loads(bodies[2])["choices"][0]["message"]["content"] == "last"
        writer.close()

    asyncio.run(scenario())


def test_a_stream_keeps_the_pace() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        reader, writer = await opened(Demo())
        began = loop.time()
        writer.write(request("one two three four five six", "ttft-ms=60, tps=100", stream=True))
        await reader.readuntil(b"\r\n\r\n")
        first = loop.time() - began
        await reader.readuntil(b"\r\n0\r\n\r\n")
        whole = loop.time() - began
        assert first >= 0.06
        assert whole >= 0.06 + 0.06, "six tokens at 100 a second"
        writer.close()

    asyncio.run(scenario())


def test_a_reader_that_does_not_read_stops_the_writer() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        transport, protocol = await loop.connect_accepted_socket(lambda: DemoProtocol(Demo(QUICK)), theirs)
        text = "word " * 4000
        await loop.sock_sendall(ours, request(text, stream=True))
        while not protocol.paused:
            await asyncio.sleep(0)
        assert transport.get_write_buffer_size() < 256 * 1024, "of a megabyte"
        reader, writer = await asyncio.open_connection(sock=ours)
        _, body = await answer(reader)
        said = [json.loads(line[6:]) for line in body.decode().split("\n\n")[:-2]]
        assert "".join(e["choices"][0]["delta"].get("content", "") for e in said) == text
        writer.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("said", "stream", "received"),
    [
        ("reset", False, lambda data: data == b""),
        ("cut-after=7", False, lambda data: data.endswith(b'\r\n\r\n{"id":"')),
        ("cut-after=2", True, lambda data: data.count(b"data: ") == 2 and not data.endswith(b"0\r\n\r\n")),
        ("garbage", False, lambda data: data and not data.startswith(b"HTTP/")),
    ],
)
def test_connections_that_end_as_told(said: str, stream: bool, received: Any) -> None:
    async def scenario() -> None:
        reader, writer = await opened(Demo(QUICK))
        writer.write(request("Hello there", said, stream=stream))
        assert received(await reader.read())
        writer.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(("said", "received"), [("stall", b""), ("stall-after=7", b'{"id":"')])
def test_a_stall_keeps_the_connection_open_and_says_no_more(said: str, received: bytes) -> None:
    async def scenario() -> None:
        reader, writer = await opened(Demo(QUICK))
        writer.write(request("Hello", said) + request("never answered"))
        if received:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"content-length" in head
            assert await reader.readexactly(len(received)) == received
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        writer.close()

    asyncio.run(scenario())


def test_what_is_not_http_is_refused() -> None:
    async def scenario() -> None:
        reader, writer = await opened(Demo(QUICK))
        writer.write(b"nonsense\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()

    asyncio.run(scenario())


def test_connection_close_is_honoured_and_expect_is_answered() -> None:
    async def scenario() -> None:
        reader, writer = await opened(Demo(QUICK))
        whole = request("Hello").replace(b"host: demo", b"host: demo\r\nconnection: close\r\nexpect: 100-continue")
        head, _, body = whole.partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert b"connection: close" in (await answer(reader))[0]
        assert await reader.read() == b""
        writer.close()

    asyncio.run(scenario())


def test_standalone() -> None:
    command = [sys.executable, "-m", "gateway.demo", "--controls", "ttft-ms=0, tps=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            base = process.stdout.readline().strip()
            with urllib.request.urlopen(f"{base}/models", timeout=10) as listed:
                assert json.load(listed)["data"][0]["id"] == "echo"
        finally:
            process.terminate()
        assert process.wait(timeout=10) == 0


def test_standalone_refuses_controls_it_does_not_know() -> None:
    command = [sys.executable, "-m", "gateway.demo", "--controls", "bogus"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "bogus" in done.stderr
