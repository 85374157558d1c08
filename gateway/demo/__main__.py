"""`python -m gateway.demo --port 0 --controls "ttft-ms=0, tps=0"`: the demo provider on a port of its own."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from gateway.demo.controls import controls, words
from gateway.demo.protocol import DemoProtocol
from gateway.demo.service import Demo


async def serve(host: str, port: int, demo: Demo) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    server = await loop.create_server(lambda: DemoProtocol(demo), host, port)
    sys.stdout.write(f"http://{host}:{server.sockets[0].getsockname()[1]}/v1\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gateway.demo", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one and prints it")
    parser.add_argument("--controls", default="", help="said to every request, e.g. 'ttft-ms=0, tps=0'")
    given = parser.parse_args()
    defaults = words(given.controls)
    try:
        controls(defaults)
    except ValueError as exc:
        parser.error(str(exc))
    asyncio.run(serve(given.host, given.port, Demo(defaults)))


if __name__ == "__main__":
    main()
