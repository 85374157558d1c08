"""A YAML document made plain: dicts, lists and scalars, with the line each value stands on, and `${VAR}` filled in.

Text that came out of the environment is marked (`Sourced`), so that a message can name the variable instead of
showing a value that may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

Path = tuple[str | int, ...]
"""Where in a document: `("providers", "local", "base_url")`, `("keys", 0, "key")`."""


class Problem(NamedTuple):
    at: Path
    message: str


class Document(NamedTuple):
    value: Any
    lines: dict[Path, int]
    """Line numbers from 1."""
    problems: list[Problem]


class Sourced(str):
    """Text from the environment; `source` names the variable."""

    __slots__ = ("source",)
    source: str

    @classmethod
    def make(cls, text: str, source: str) -> Sourced:
        made = cls(text)
        made.source = source
        return made


def spelled(at: Path) -> str:
    """`providers.local.timeout`, `keys[0].key`."""
    out = ""
    for step in at:
        out += f"[{step}]" if isinstance(step, int) else f".{step}" if out else step
    return out


def parse(text: str) -> Document:
    """YAML 1.1 without tags for Python objects. A key that is written twice is a problem: the first would be lost."""
    try:
        loader = yaml.SafeLoader(text)
        reader = _Reader(loader)
        node = loader.get_single_node()
        value = None if node is None else reader.plain(node, ())
    except yaml.MarkedYAMLError as error:
        return Document(None, {}, [Problem((), _syntax_message(error, text))])
    except yaml.reader.ReaderError as error:
        return Document(
            None, {}, [Problem((), f"is not YAML: character {error.position} is not allowed in a text file")]
        )
    except (ValueError, RecursionError) as error:
        return Document(None, {}, [Problem((), f"is not YAML: {type(error).__name__}")])
    return Document(value, reader.lines, reader.problems)


def _syntax_message(error: yaml.MarkedYAMLError, text: str) -> str:
    if error.problem_mark is None:
        return f"is not YAML: {error.problem}"
    line = error.problem_mark.line
    unquoted = "${" in "".join(text.splitlines()[line : line + 1])
    hint = '; within { } or [ ] write "${VAR}" in quotes' if unquoted else ""
    return f"is not YAML: {error.problem} (line {line + 1}){hint}"


class _Reader:
    def __init__(self, loader: yaml.SafeLoader) -> None:
        self.loader = loader
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []

    def plain(self, node: yaml.Node, at: Path) -> Any:
        self.lines.setdefault(at, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.plain(item, (*at, index)) for index, item in enumerate(node.value)]
        if node.tag == "tag:yaml.org,2002:timestamp":
            return node.value  # settings have dates as text
        return self.loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, at: Path) -> dict[str, Any]:
        written = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in sorted({key for key in written if isinstance(key, str) and written.count(key) > 1}):
            self.problems.append(Problem((*at, key), "is written twice; keep one"))
        self.loader.flatten_mapping(node)
        out: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(at, f"has a name that is not text (line {key_node.start_mark.line + 1})"))
                continue
            name = str(key_node.value)
            self.lines[(*at, name)] = key_node.start_mark.line + 1
            out[name] = self.plain(value_node, (*at, name))
        return out


_REFERENCE = re.compile(r"\$(?:(?P<escaped>\$(?=\{))|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})")


def interpolate(value: Any, environ: Mapping[str, str], problems: list[Problem], at: Path = ()) -> Any:
    """`${VAR}` and `${VAR:-default}` (also where VAR is empty) in every text; `$${` is a plain `${`."""
    if isinstance(value, dict):
        return {key: interpolate(item, environ, problems, (*at, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, environ, problems, (*at, index)) for index, item in enumerate(value)]
    if isinstance(value, str) and "${" in value:
        return _fill(value, environ, problems, at)
    return value


def _fill(text: str, environ: Mapping[str, str], problems: list[Problem], at: Path) -> str:
    sources: list[str] = []

    def replacement(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name, default = match["name"], match["default"]
        if environ.get(name):
            sources.append(f"${{{name}}}")
            return environ[name]
        if default is not None:
            return str(default)
        if name in environ:
            return ""
        problems.append(Problem(at, f"${{{name}}} is not set; export {name}, or write ${{{name}:-default}}"))
        return ""

    filled = _REFERENCE.sub(replacement, text)
    return Sourced.make(filled, sources[0]) if sources else filled


def missing_variables(text: str, environ: Mapping[str, str]) -> list[str]:
    """The variables `text` needs that are not set and have no default."""
    names = (match for match in _REFERENCE.finditer(text) if match["name"] and match["default"] is None)
    return [match["name"] for match in names if not environ.get(match["name"])]
