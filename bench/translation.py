"""What translation adds to litellm's own time: `python -m bench.translation [--calls 200]`.

One process, the demo provider (Anthropic's dialect) on a port of another, one call at a time, the two ways in turn:
`litellm.acompletion` as a program would call it, and the same call through the translator's connection, with the
client's dialect written and read as bytes. A stream's time is to its last byte. What litellm does after an answer's end
(its callbacks, in tasks and a thread) is waited for before the next call begins: else it would count as that one's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median, quantiles
from typing import Any

from gateway.config import quiet_litellm
from gateway.translation import Backend, Engine, Translator

MESSAGES = [{"role": "user", "content": "Say something about the sea. " * 20}]
MODEL = "lorem:tokens=40"
QUIET_S = 0.004


async def by_litellm(litellm: Any, client: Any, base: str, stream: bool) -> None:
    answer = await litellm.acompletion(
        model=f"anthropic/{MODEL}",
        messages=MESSAGES,
        api_base=base,
        api_key="sk",
        stream=stream,
        max_tokens=100,
        client=client,
    )
    if not stream:
        answer.model_dump_json()
        return
    async for chunk in answer:
        chunk.model_dump_json()


async def by_translator(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: bool) -> None:
    body = json.dumps({"model": MODEL, "messages": MESSAGES, "stream": stream, "max_tokens": 100}).encode()
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk\r\ncontent-length: %d\r\n\r\n%b"
        % (len(body), body)
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    if stream:
        assert (await reader.readuntil(b"\r\n0\r\n\r\n")).count(b"data: ") > 10
    else:
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)


async def quiet() -> None:
    """Until this process has done nothing for a moment."""
    used = -1.0
    while time.process_time() - used > QUIET_S / 2:
        used = time.process_time()
        await asyncio.sleep(QUIET_S)


async def measure(base: str, calls: int) -> None:
    engine = Engine(quiet_litellm)
    await engine.bridge()
    litellm = sys.modules["litellm"]
    sock = Translator(engine).connect(Backend(name="claude", dialect="anthropic", base_url=base))
    reader, writer = await asyncio.open_connection(sock=sock, limit=2**20)
    own = sys.modules["litellm.llms.custom_httpx.http_handler"].AsyncHTTPHandler(timeout=60)
    ways: dict[str, Callable[[bool], Awaitable[None]]] = {
        "litellm": lambda stream: by_litellm(litellm, own, base, stream),
        "translator": lambda stream: by_translator(reader, writer, stream),
    }
    for stream in (False, True):
        times: dict[str, list[float]] = {name: [] for name in ways}
        processor: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(calls + 20):
            for name, call in ways.items():
                await quiet()
                began, used = time.perf_counter(), time.process_time()
                await call(stream)
                times[name].append(time.perf_counter() - began)
                processor[name].append(time.process_time() - used)
        for name, taken in times.items():
            q = quantiles([t * 1000 for t in taken[20:]], n=100)
            cpu_ms = median(processor[name][20:]) * 1000
            what = "stream" if stream else "whole"
            print(f"{what:7} {name:11} p50 {q[49]:6.2f} ms   p90 {q[89]:6.2f} ms   of the processor {cpu_ms:6.2f} ms")
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.translation", description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    given = parser.parse_args()
    command = [sys.executable, "-m", "gateway.demo", "--port", "0", "--controls", "ttft-ms=0, tps=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout
        base = demo.stdout.readline().strip().removesuffix("/v1")
        asyncio.run(measure(base, given.calls))
        demo.terminate()


if __name__ == "__main__":
    main()
