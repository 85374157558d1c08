from __future__ import annotations

import asyncio
from pathlib import Path

from tests.security.fuzz import fuzz, gateway_for


def test_nothing_that_clients_send_makes_it_fail_hang_or_talk(tmp_path: Path) -> None:
    """The whole of it: `python -m tests.security.fuzz --cases 200000`."""
    gateway = gateway_for(tmp_path).start()
    try:
        report = asyncio.run(fuzz(gateway, 2000, seed=7))
    finally:
        gateway.stop()
    assert report.findings == []
    assert report.statuses["200"] > 10
    assert report.statuses["400"] > 100
