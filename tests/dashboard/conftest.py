"""Pages in tests wait for all their figures: a busy machine must not decide what is on them."""

from __future__ import annotations

import pytest

from gateway.dashboard import patience


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE_S", 30)
