"""Nothing is lost when a process is killed. The long run is `python -m tests.e2e.kill --rounds 50`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.kill import TARGETS, Seen, new_gateway, one_round, paced, verdict
from tests.e2e.upstream import Upstream


@pytest.mark.slow
def test_three_kills_under_load_lose_nothing(tmp_path: Path, upstream: Upstream) -> None:
    upstream.script = paced
    seen = Seen()
    gateway = new_gateway(tmp_path, upstream)
    try:
        for number, target in enumerate(TARGETS):
            one_round(gateway, upstream, seen, number, target, 0.6)
        found = verdict(gateway, seen)
    finally:
        if gateway.running:
            gateway.kill()
    assert len(seen.complete) > 100, "there was some load"
    assert seen.cut, "and some calls were cut off"
    assert (found.missing, found.twice, found.wrong) == (set(), set(), {})
    assert {name: rollups - rows for name, (rollups, rows) in found.totals.items()} == dict.fromkeys(found.totals, 0)
    assert found.interrupted > 0
