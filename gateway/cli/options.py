"""Options that several commands share, and reading the configuration as the command line has it."""

from __future__ import annotations

from typing import Any

import click

from gateway.config import Loaded, load

config_option = click.option(
    "--config",
    metavar="FILE",
    help="Configuration file. Default: $CALLGATE_CONFIG, then callgate.yaml here, then none.",
)
data_option = click.option(
    "--data", metavar="DIR", help="Folder for the store and the journal, instead of server.data."
)


def load_for(config: str | None, **server: Any) -> Loaded:
    """The configuration with `server` settings of the command line over it; None is not given."""
    given = {name: value for name, value in server.items() if value is not None}
    return load(config, {"server": given} if given else None)
