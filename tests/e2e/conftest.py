from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.e2e.harness import UPSTREAM_KEY, Gateway, configuration
from tests.e2e.upstream import Upstream


@pytest.fixture(scope="session")
def scripted() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture
def upstream(scripted: Upstream) -> Iterator[Upstream]:
    """The scripted provider behind `raw/…` (and the default provider, and those with other settings)."""
    scripted.forget()
    yield scripted
    scripted.forget()


@pytest.fixture(scope="session")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    """A provider whose certificate nobody has signed."""
    folder = tmp_path_factory.mktemp("tls")
    make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost"
    needs.program("openssl")
    subprocess.run(make.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    upstream = Upstream(context)
    yield upstream
    upstream.close()


@pytest.fixture(scope="session")
def full_port() -> Iterator[int]:
    """A port that listens and whose queue is full: connecting to it takes forever."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        yield listener.getsockname()[1]


def settings(raw: int, tls: int, full: int) -> dict[str, Any]:
    """The scripted provider under several names, each with the setting it is for; and some that cannot be reached."""
    base = {"dialect": "openai", "base_url": f"http://127.0.0.1:{raw}/v1", "api_key": UPSTREAM_KEY}
    return configuration(
        default_provider="raw",
        providers={
            "raw": base,
            "connectless": base | {"base_url": f"http://127.0.0.1:{full}/v1", "timeout": {"connect_s": 0.3}},
            "firstless": base | {"timeout": {"first_byte_s": 0.3}},
            "idle": base | {"timeout": {"idle_s": 0.3}},
            "endless": base | {"timeout": {"total_s": 0.6}},
            "draining": base | {"on_disconnect": "drain"},
            "refused": base | {"base_url": "http://127.0.0.1:1/v1"},
            "unknown": base | {"base_url": "http://nowhere.invalid/v1"},
            "selfsigned": base | {"base_url": f"https://127.0.0.1:{tls}/v1"},
            "trusting": base | {"base_url": f"https://127.0.0.1:{tls}/v1", "verify_tls": False},
        },
        prices={"overrides": {"m-1-2026": {"input_per_mtok": 1.0, "output_per_mtok": 2.0}}},
    )


@pytest.fixture(scope="session")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, scripted: Upstream, self_signed: Upstream, full_port: int
) -> Iterator[Gateway]:
    """One gateway for all tests that leave it as they found it."""
    config = settings(scripted.port, self_signed.port, full_port)
    running = Gateway(tmp_path_factory.mktemp("gateway") / "data", config).start()
    yield running
    assert running.stop() == 0, "".join(running.output)


@pytest.fixture
def own_gateway(tmp_path: Path, scripted: Upstream) -> Iterator[Gateway]:
    """Not started yet, for tests that stop, break or change it. Knows the demo and `raw`; has no default provider."""
    raw = {"dialect": "openai", "base_url": f"http://127.0.0.1:{scripted.port}/v1", "api_key": UPSTREAM_KEY}
    gateway = Gateway(tmp_path / "data", configuration(providers={"raw": raw}))
    yield gateway
    if gateway.running:
        gateway.kill()
