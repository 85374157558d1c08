"""Nothing of the machine it was made on, and nothing secret, is in a tracked file."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FORBIDDEN = {
    "a path of a machine": re.compile(rf"(?<![\w.\-}}/])/(?:{'work'}|root|home/\w+|Users/\w+)/[\w.\-]+"),
    "a registry's address": re.compile(
        r"files\.pythonhosted\.org|pypi\.org/simple|--(?:extra-)?index-url\s+\S|registry\.(?:npmjs|yarnpkg)|"
        r"\b(?:artifactory|nexus|devpi|jfrog)[\w.\-]*\.(?:com|net|org|io|local|internal)\b"
    ),
    "a private key": re.compile(r"-----BEGIN (?:\w+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}"),
    "a key of a provider": re.compile(
        r"\b(?:sk-(?:proj-|ant-api\d\d-|or-v1-)?[A-Za-z0-9_\-]{40,}|gsk_[A-Za-z0-9]{40,}|AIza[A-Za-z0-9_\-]{35}|"
        r"AKIA(?!IOSFODNN7EXAMPLE)[A-Z0-9]{16}|ghp_[A-Za-z0-9]{36}|hf_[A-Za-z0-9]{34})\b"
    ),
}

MADE_UP = re.compile(r"example|fake|dummy|test|0123456789|abcdef|(.)\1{7}", re.IGNORECASE)
"""What makes a key in a test visibly no key."""


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_has(what):
    found = [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match[0][:40]}"
        for path in tracked()
        if (text := _text(path)) is not None
        for match in FORBIDDEN[what].finditer(text)
        if not (what == "a key of a provider" and MADE_UP.search(match[0]))
    ]
    assert found == []


def test_no_tracked_file_is_large():
    assert [str(path) for path in tracked() if path.stat().st_size > 5_000_000] == []


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return None
