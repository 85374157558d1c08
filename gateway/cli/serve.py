"""`callgate serve`."""

from __future__ import annotations

import click

from gateway.app import serve as run_until_stopped
from gateway.cli.options import config_option, data_option, load_for


@click.command()
@config_option
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 picks a free one.  [default: 4000]")
@click.option("--workers", type=click.IntRange(1), help="Gateway processes; one a core.  [default: 1]")
@data_option
def serve(config: str | None, host: str | None, port: int | None, workers: int | None, data: str | None) -> int:
    """Run the gateway, its log and its dashboard.

    Without a configuration every provider whose key is in the environment is routed, and the built-in provider
    `demo` is always there.
    """
    return run_until_stopped(load_for(config, host=host, port=port, workers=workers, data=data))
