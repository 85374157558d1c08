"""The command line. `main` is the command `callgate`.

Exit codes: 0 done; 1 something is wrong, and standard error says what; 2 wrong usage; 130 interrupted.
"""

from __future__ import annotations

import os
import sys

import click

from gateway import __version__
from gateway.cli.lazy import Lazy, LazyGroup
from gateway.errors import CallgateError, ConfigError

COMMANDS = {
    "serve": Lazy("gateway.cli.serve:serve", "Run the gateway, its log and its dashboard."),
    "check": Lazy("gateway.cli.check:check", "Validate the configuration and print what it comes to."),
    "doctor": Lazy("gateway.cli.doctor:doctor", "Say what is wrong with this installation and what to do."),
    "keys": Lazy("gateway.cli.keys:keys", "Create, list, change, rotate and revoke gateway keys."),
    "route": Lazy("gateway.cli.route:route", "Say where calls go, and why."),
    "tenants": Lazy("gateway.cli.tenants:tenants", "Create, list, change, suspend and delete tenants."),
    "environments": Lazy("gateway.cli.tenants:environments", "Create, list, rotate and delete environments."),
    "users": Lazy("gateway.cli.users:users", "Add, list, change, sign out and delete people; set their passwords."),
    "audit": Lazy("gateway.cli.audit:audit", "List and export who changed what."),
    "alerts": Lazy("gateway.cli.alerts:alerts", "List rules and what fires, silence, and test who is told."),
    "privacy": Lazy("gateway.cli.privacy:privacy", "Say what is kept of whose calls, seal it, erase it."),
    "requests": Lazy("gateway.cli.requests:requests", "List, show, follow and export what is in the log."),
    "prices": Lazy("gateway.cli.prices:prices", "Explain prices, refresh and compare them, recompute costs."),
    "demo": Lazy("gateway.cli.demo:demo", "Fill a store with a month of made-up traffic, to look at the dashboard."),
    "schema": Lazy("gateway.cli.schema:schema", "Print the JSON schema of the configuration file."),
    "version": Lazy("gateway.cli.version:version", "Print the version."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 something is wrong, and standard error says what; 2 wrong usage; 130 interrupted.",
)
@click.version_option(__version__, prog_name="callgate", message="%(prog)s %(version)s")
def cli() -> None:
    """An OpenAI-compatible LLM gateway with the log built in.

    `callgate serve` works without a configuration.
    """


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code. A `CallgateError` becomes lines on standard error, never a traceback."""
    try:
        result = cli.main(arguments, prog_name="callgate", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except ConfigError as error:
        click.echo(str(error), err=True)  # `file:path: message`, as editors read it
        return 1
    except CallgateError as error:
        click.echo(f"callgate: {error}", err=True)
        return 1
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its exit
        return 0
    return result if isinstance(result, int) else 0
