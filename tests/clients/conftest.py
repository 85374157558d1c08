from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.harness import UPSTREAM_KEY, Gateway, configuration
from tests.e2e.upstream import Upstream


@pytest.fixture(scope="session")
def scripted() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture
def upstream(scripted: Upstream) -> Iterator[Upstream]:
    """The default provider: does what a test says."""
    scripted.forget()
    yield scripted
    scripted.forget()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, scripted: Upstream) -> Iterator[Gateway]:
    """With the demo provider, and a scripted one as the default."""
    raw = {"dialect": "openai", "base_url": f"http://127.0.0.1:{scripted.port}/v1", "api_key": UPSTREAM_KEY}
    config = configuration(providers={"raw": raw}, default_provider="raw")
    running = Gateway(tmp_path_factory.mktemp("clients") / "data", config).start()
    yield running
    assert running.stop() == 0, "".join(running.output)
