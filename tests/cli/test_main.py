"""The command itself: help without imports, errors as lines, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gateway import __version__, cli
from gateway.cli.lazy import Lazy, LazyGroup, resolved
from gateway.errors import CallgateError

CALLGATE = Path(sys.executable).with_name("callgate")


def callgate(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return subprocess.run([CALLGATE, *arguments], cwd=cwd, env=kept | environ, capture_output=True, text=True)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_where_it_is_said_to_be(name):
    assert resolved(cli.COMMANDS[name].target).name == name


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_line_in_the_list_is_the_first_of_the_command_s_own_help(name):
    own = (resolved(cli.COMMANDS[name].target).help or "").split("\n\n")[0].replace("\n", " ").strip()
    assert cli.COMMANDS[name].summary == own


def test_help_lists_every_command_and_imports_none(tmp_path):
    shown = callgate("--help", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    for name, entry in cli.COMMANDS.items():
        assert f"  {name} " in shown.stdout
        assert entry.summary.split()[0] in shown.stdout


def test_help_is_quick_because_it_imports_nothing_of_the_gateway():
    """Click is a quarter of the 0.1 s it takes; what a command needs would be ten times that."""
    code = "import sys; from gateway import cli; cli.run(['--help']); print(*sys.modules, file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = run.stderr.split()
    assert {name for name in imported if name.startswith("gateway.")} == {
        "gateway.cli",
        "gateway.cli.lazy",
        "gateway.errors",
    }
    assert not {"yaml", "msgspec", "uvicorn", "starlette", "jinja2", "httpx"} & set(imported)


@pytest.mark.parametrize("arguments", [["--version"], ["version"]])
def test_version(tmp_path, arguments):
    assert callgate(*arguments, cwd=tmp_path).stdout.startswith(f"callgate {__version__}")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nope"], 2, "Error: No such command 'nope'."),
        (["check", "--nope"], 2, "Error: No such option"),
        (["serve", "--port", "x"], 2, "'x' is not a valid integer range"),
        (["serve", "--port", "70000"], 2, "70000 is not in the range 0<=x<=65535"),
        (["check", "--config", "nowhere.yaml"], 1, "nowhere.yaml: there is no such file"),
    ],
)
def test_wrong_usage_and_wrong_configuration(tmp_path, arguments, code, said):
    shown = callgate(*arguments, cwd=tmp_path)
    assert (shown.returncode, shown.stdout) == (code, "")
    assert said in shown.stderr
    assert "Traceback" not in shown.stderr


def raising(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (CallgateError("the store is away"), 1, "callgate: the store is away\n"),
        (click.ClickException("no such key"), 1, "Error: no such key\n"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
    ],
)
def test_errors_are_lines(monkeypatch, capsys, error, code, said):
    monkeypatch.setattr(LazyGroup, "get_command", lambda self, ctx, name: raising(error))
    assert cli.run(["serve"]) == code
    captured = capsys.readouterr()
    assert (captured.out.strip(), captured.err.strip()) == ("", said.strip())


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    command = f"{CALLGATE} schema | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    shown = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert (shown.stdout, shown.stderr) == ("0\n", "")


def test_a_wrong_entry_in_the_table_is_found():
    with pytest.raises(TypeError, match=r"gateway\.cli:main is not a click command"):
        resolved("gateway.cli:main")
    group = LazyGroup(name="g", lazy={"v": Lazy("gateway.cli.version:version", "Print the version.")})
    assert group.list_commands(click.Context(group)) == ["v"]
