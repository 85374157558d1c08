"""`callgate doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import click

from gateway.cli.examine import Finding, examine
from gateway.cli.options import config_option, data_option, load_for

MARKS = {"ok": click.style("ok   ", fg="green"), "look": click.style("look ", fg="yellow")}
MARKS["wrong"] = click.style("wrong", fg="red")


@click.command()
@config_option
@data_option
def doctor(config: str | None, data: str | None) -> int:
    """Say what is wrong with this installation and what to do.

    Looks at the configuration, the data folder, the address, prices, the store, the recorder, providers and the clock;
    changes nothing and shows no key. Exits with 1 when something does not work.
    """
    findings = []
    for finding in examine(load_for(config, data=data)):
        findings.append(finding)
        click.echo("\n".join(shown(finding)))
    wrong = sum(finding.state == "wrong" for finding in findings)
    look = sum(finding.state == "look" for finding in findings)
    click.echo(f"\n{wrong} wrong, {look} to look at" if wrong or look else "\nAll is well.")
    return 1 if wrong else 0


def shown(finding: Finding) -> list[str]:
    lines = [f"{MARKS[finding.state]}  {finding.subject}: {finding.detail}"]
    return [*lines, f"       → {finding.way_out}"] if finding.way_out else lines
