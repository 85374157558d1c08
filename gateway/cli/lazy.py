"""A group of commands that are imported when they are used (docs/decisions/0006-lazy-commands.md)."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

import click


class Lazy(NamedTuple):
    target: str
    """`module:attribute` of a click command."""
    summary: str
    """The line in the list of commands, so that the list needs no import."""


class LazyGroup(click.Group):
    def __init__(self, *, lazy: dict[str, Lazy], **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]  # whatever click.Group takes
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.lazy.get(cmd_name)
        return None if entry is None else resolved(entry.target)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.lazy.items()])


def resolved(target: str) -> click.Command:
    module, _, attribute = target.partition(":")
    command = getattr(import_module(module), attribute)
    if not isinstance(command, click.Command):
        raise TypeError(f"{target} is not a click command")
    return command
