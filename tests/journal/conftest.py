"""Calls to journal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.core.span import CallClosed, CallOpened
from tests.frames import make_closed, make_opened


@pytest.fixture(scope="session")
def opened() -> Callable[..., CallOpened]:
    return make_opened


@pytest.fixture(scope="session")
def closed() -> Callable[..., CallClosed]:
    return make_closed
