"""What is installed works from any folder: the wheel holds everything the gateway reads at run time."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from gateway import __version__
from gateway.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-W", "error", "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with the wheel in it; what it depends on comes from the environment of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--disable-pip-version-check", str(wheel)], check=True, capture_output=True)
    site = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin"


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environ, check=False)


def test_the_wheel_holds_every_file_of_the_project_that_runs(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        path.relative_to(ROOT).as_posix()
        for package in ("gateway", "pricing")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    shown = {
        f"gateway/{path.relative_to(ROOT).as_posix()}"
        for folder in ("templates", "static")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    assert sources | shown <= held
    assert "gateway/store/schema.sql" in held
    assert any(name.startswith("gateway/store/migrations/versions/") for name in held)
    assert any(name.endswith("/licenses/LICENSE") for name in held)


def test_the_wheel_holds_nothing_else(wheel):
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"gateway", "pricing", f"callgate-{__version__}.dist-info"}


def test_it_runs_from_any_folder_with_nothing_of_the_checkout(installed, tmp_path):
    where = run(installed / "python", "-c", "import gateway, pricing; print(gateway.__file__)", cwd=tmp_path)
    assert where.stdout.startswith(str(installed.parent))
    assert run(installed / "callgate", "--help", cwd=tmp_path).stdout.startswith("Usage: callgate")
    check = run(installed / "callgate", "check", cwd=tmp_path)
    assert (check.returncode, check.stderr) == (0, "")
    assert check.stdout.startswith("defaults: holds together\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_there(installed, tmp_path, command):
    shown = run(installed / "callgate", command, "--help", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")


def test_pages_and_schema_are_found(installed, tmp_path):
    code = """
from gateway.dashboard import assets
from gateway.store import migrate
print((assets.folder("templates") / "layout.html").is_file(), (assets.folder("static") / "app.css").is_file())
print(bool(migrate.head()))
"""
    found = run(installed / "python", "-c", code, cwd=tmp_path)
    assert found.stdout.split() == ["True", "True", "True"], found.stderr
