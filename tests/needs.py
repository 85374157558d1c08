"""Programs that some tests start. Where one is missing they are skipped and say so; in CI, which installs them, that is
a failure."""

from __future__ import annotations

import os
import shutil

import pytest


def program(name: str) -> None:
    """To be called at the top of a test module, or in a fixture."""
    if shutil.which(name) is not None:
        return
    if os.environ.get("CI"):
        pytest.fail(f"{name} is not installed; .ci/run installs it", pytrace=False)
    pytest.skip(f"{name} is not installed", allow_module_level=True)
