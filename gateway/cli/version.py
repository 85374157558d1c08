"""`callgate version`."""

from __future__ import annotations

import platform

import click

from gateway import __version__


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(f"callgate {__version__} (Python {platform.python_version()}, {platform.system()} {platform.machine()})")
