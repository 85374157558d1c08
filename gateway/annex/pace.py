"""When the annex may run: only when no call wants to, until somebody has waited for a page.

In the idle class it is stopped at once when a worker wakes up (see `gateway.recorder.priority`). Under lasting load on
every core that class would hardly run at all, so over a page that takes long the annex joins the others for a while.
Exports and event streams do not hurry: they would do so all the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator

from gateway.recorder.priority import set_idle_class

NICENESS = 5
"""Beside the others, and where there is no idle class: after calls, before what the recorder writes."""
PATIENCE_S = 0.5


class Pace:
    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        os.nice(NICENESS)
        self._patience_s = patience_s
        self._waiting = 0
        self._hurrying: asyncio.TimerHandle | None = None
        self.is_idle = set_idle_class(idle=True)

    @contextlib.contextmanager
    def waited_for(self) -> Iterator[None]:
        """Somebody looks at an empty page meanwhile."""
        self._waiting += 1
        if self._hurrying is None:
            self._hurrying = asyncio.get_running_loop().call_later(self._patience_s, self._hurry)
        try:
            yield
        finally:
            self._waiting -= 1
            if self._waiting == 0:
                self._rest()

    def _hurry(self) -> None:
        if set_idle_class(idle=False):
            self.is_idle = False

    def _rest(self) -> None:
        if self._hurrying is not None:
            self._hurrying.cancel()
            self._hurrying = None
        if not self.is_idle:
            self.is_idle = set_idle_class(idle=True)
