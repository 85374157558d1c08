"""What every program here uses: where the gateway is, and `@check`, which runs a function and says how it went.

A program is a client used as its own manual says, but for the base URL and the key. It gets both from the environment
and prints a JSON line for each check (`tests.clients.run_all` reads them).
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

URL = os.environ["CALLGATE_URL"]
KEY = os.environ["CALLGATE_KEY"]
SAY = "Hello there, old friend"
"""What is said to a model that echoes."""


def check(run: Callable[[], Any]) -> None:
    """Runs it now. Its name is the check's: `whole`, `streaming`, `tools`, `errors`, or one of the client's own."""
    why = None
    try:
        run()
    except Exception as failure:
        traceback.print_exc(file=sys.stderr)
        why = f"{type(failure).__name__}: {failure}"[:300]
    print(json.dumps({"check": run.__name__, "failed": why}), flush=True)


def raised(wanted: type[BaseException], call: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """The exception that the call must raise."""
    try:
        call(*given, **named)
    except wanted as failure:
        return failure
    raise AssertionError(f"no {wanted.__name__} was raised")
