"""kill.py in short: six kills. The long one is run by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_kill_9_of_the_writer_and_the_recorder_at_random_moments():
    script = Path(__file__).with_name("kill.py")
    done = subprocess.run(
        (sys.executable, str(script), "--rounds", "6", "--calls-per-s", "500"),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 rows" not in done.stdout
