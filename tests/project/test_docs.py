"""What the documents say is there: links, anchors, commands, options, settings, code that compiles."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gateway.cli import COMMANDS, cli
from gateway.cli.lazy import resolved
from gateway.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "bench" / "README.md"])
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@EACH_PAGE
def test_links_lead_somewhere(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text_of(page))):
        if re.match(r"https?://|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            broken.append(target)
    assert broken == []


def test_documents_that_the_source_names_are_there():
    sources = [*(ROOT / "gateway").rglob("*.py"), *(ROOT / "pricing").rglob("*.py"), ROOT / "config.example.yaml"]
    named = {name for source in sources for name in re.findall(r"\bdocs/[\w/\-]+\.md\b", source.read_text("utf-8"))}
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def commands(page: Path) -> Iterator[str]:
    """Lines of code blocks and pieces of text in backquotes that call `callgate`."""
    text = text_of(page)
    blocks = [body for _, body in FENCE.findall(text)] + re.findall(r"^(?: {4}.+\n)+", text, re.MULTILINE)
    for line in "\n".join(blocks).splitlines():
        if match := re.match(r"\s*(?:\$ )?((?:\.venv/bin/)?callgate [a-z].*)", line):
            yield match[1]
    yield from (match for match in re.findall(r"`(callgate [a-z][^`]*)`", FENCE.sub("", text)))


@EACH_PAGE
def test_commands_and_options_exist(page):
    wrong = [line for line in commands(page) if not _exists(line)]
    assert wrong == []


def _exists(line: str) -> bool:
    words = shlex.split(re.sub(r"\s+#.*|[|>&;].*", "", line).replace("…", "X"))[1:]
    command: click.Command = cli
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words.pop(0))
        if found is None:
            return False
        command = found
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    known |= {"--help", "-h", "--version"}
    return all(word.partition("=")[0] in known for word in words if re.match(r"--?[a-z]", word))


@EACH_PAGE
def test_python_in_documents_compiles(page):
    for language, body in FENCE.findall(text_of(page)):
        if language == "python":
            ast.parse(body)


@EACH_PAGE
def test_settings_named_in_documents_exist(page):
    """`server.port`, `log.payloads`: what looks like a setting is one."""
    named = re.findall(r"`(server|log|store|metrics|prices)\.([a-z_]+)(?:\.[a-z_]+)?`", FENCE.sub("", text_of(page)))
    named = [(section, name) for section, name in named if name not in ("json", "yaml", "db")]  # files
    defaults = Settings()
    wrong = [f"{section}.{name}" for section, name in named if not hasattr(getattr(defaults, section), name)]
    assert wrong == []


def test_every_page_is_in_the_table_of_contents():
    contents = text_of(ROOT / "docs" / "README.md")
    missing = [page.name for page in (ROOT / "docs").glob("*.md") if f"]({page.name})" not in contents]
    assert missing in ([], ["README.md"])


def test_decisions_are_numbered_and_half_a_page():
    for page in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", page.name)
        assert re.match(rf"# 0*{int(page.name[:4])}[ .:]", text_of(page))
        assert len(text_of(page).splitlines()) <= 60


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help(name):
    def leaves(command: click.Command) -> Iterator[click.Command]:
        if isinstance(command, click.Group):
            context = click.Context(command)
            for below in command.list_commands(context):
                found = command.get_command(context, below)
                assert found is not None
                yield from leaves(found)
        else:
            yield command

    for command in leaves(resolved(COMMANDS[name].target)):
        assert command.help, f"callgate {name}: {command.name} says nothing about itself"
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help, f"{command.name} {parameter.opts}"


def test_the_readme_s_version_and_licence():
    assert (ROOT / "LICENSE").read_text("utf-8").lstrip().startswith("Apache License")
    assert "## [Unreleased]" in text_of(ROOT / "CHANGELOG.md")
