"""What a result was measured on: the machine, the versions, and how quiet it was."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench import proc

PACKAGES = ("callgate", "uvicorn", "uvloop", "httptools", "msgspec", "zstandard", "google-re2")
QUIET_SHARE = 0.05
"""More than this of a core busy before anything was started, and figures may not be quoted."""


def first_match(pattern: str, text: str, default: str = "unknown") -> str:
    found = re.search(pattern, text)
    return found.group(1) if found else default


def output(*command: str) -> str:
    """What a command prints, on either stream; "" where it is not installed."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def revision(project: Path) -> str:
    commit = output("git", "-C", str(project), "rev-parse", "--short=12", "HEAD").strip() or "unknown"
    status = ("status", "--porcelain", "--untracked-files=no", "--", "gateway", "pricing")
    changed = output("git", "-C", str(project), *status)
    return f"{commit}, with uncommitted changes" if changed.strip() else commit


def lua_module() -> str:
    """The version of nginx's Lua module, from Debian's package; nginx itself does not say."""
    return output("dpkg-query", "-W", "-f=${Version}", "libnginx-mod-http-lua") or "unknown"


def describe(project: Path) -> dict[str, str]:
    processor = first_match(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory_kb = int(first_match(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(), "0"))
    nginx = first_match(r"nginx/(\S+)", output("nginx", "-v"))
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": revision(project),
        "processor": f"{processor}, {os.cpu_count()} cores",
        "memory": f"{memory_kb / 1024 / 1024:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_version()} ({platform.python_implementation()}), SQLite {sqlite3.sqlite_version}",
        "packages": ", ".join(f"{name} {package(name)}" for name in PACKAGES),
        "nginx": f"{nginx}, http-lua {lua_module()}",
        "wrk": first_match(r"wrk (\S+)", output("wrk", "-v")),
        "command": " ".join(["python", "-m", "bench", *sys.argv[1:]]),
    }


def busy_shares(seconds: float) -> dict[int, float]:
    """The share of each core that is busy or stolen while we do nothing: what others take."""
    before = proc.core_times_s()
    time.sleep(seconds)
    after = proc.core_times_s()
    shares = {}
    for core, (busy, stolen, whole) in after.items():
        elapsed = whole - before[core][2]
        taken = busy + stolen - before[core][0] - before[core][1]
        shares[core] = max(0.0, taken / elapsed) if elapsed else 0.0
    return shares
