"""What is installed is pinned by hash, the same everywhere, and names no registry."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "deploy/requirements.lock", "deploy/build.lock")
EACH_LOCK = pytest.mark.parametrize("name", LOCKS)


def pinned(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9][a-z0-9.\-]*)==(\S+)", text, re.MULTILINE))


def required(requirements: list[object]) -> set[str]:
    names = (re.match(r"[A-Za-z0-9.\-_]+", text) for text in requirements if isinstance(text, str))
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in names if match}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@EACH_LOCK
def test_every_line_is_a_pin_or_one_of_its_hashes(name):
    lines = [line for line in (ROOT / name).read_text("utf-8").splitlines() if not line.startswith("#")]
    wrong = [
        line
        for line in lines
        if not re.fullmatch(r"[a-z0-9.\-]+==[^ ]+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", LOCKS[1:])
def test_one_version_of_each_in_all(name):
    assert pinned(name).items() <= pinned("requirements.lock").items()


def test_the_locks_hold_what_the_project_asks_for():
    runs = required(PROJECT["project"]["dependencies"])
    groups = PROJECT["dependency-groups"]
    assert runs <= pinned("deploy/requirements.lock").keys()
    assert required(groups["build"]) <= pinned("deploy/build.lock").keys()
    assert runs | required(groups["dev"]) | required(groups["build"]) <= pinned("requirements.lock").keys()


def test_tools_of_development_are_not_in_the_container():
    assert not {"pytest", "ruff", "mypy", "playwright"} & pinned("deploy/requirements.lock").keys()
