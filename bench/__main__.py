"""`python -m bench [PART …]`: measures, prints the page, and keeps it.

Without parts it measures all of them (the peers where they are installed) and writes bench/RESULTS.md, so that what is
kept there is always one whole run; anything less goes to bench/.work/RESULTS.md. Ends with status 1 when a target was
missed, 2 when something could not be measured.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from bench import (
    latency,
    machine,
    memory,
    pages,
    pages_clicks,
    pages_export,
    pages_paint,
    peers,
    recording,
    startup,
    streams,
    throughput,
)
from bench.effort import FULL, QUICK, Effort
from bench.lab import REST_CORE, WORK, Lab
from bench.report import Section, render
from bench.servers import BenchError

PARTS: dict[str, Callable[[Lab, Effort], Section]] = {
    "throughput": throughput.run,
    "latency": latency.run,
    "streams": streams.run,
    "recorder": recording.run,
    "startup": startup.run,
    "memory": memory.run,
    "pages": pages.run,
    "exports": pages_export.run,
    "paint": pages_paint.run,
    "clicks": pages_clicks.run,
    "peers": peers.run,
}
HERE = Path(__file__).parent
QUIET_CHECK_S = 1.0
ENOUGH_FILES = 20_000
"""Sockets of 2,000 streams on both sides of a proxy, and then some."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="short rounds: to see that it works, not to quote")
    parser.add_argument("--million", action="store_true", help="memory: a million calls")
    parser.add_argument("--install", action="store_true", help="peers: install them into bench/.work/peers, and end")
    parser.add_argument("--output", type=Path, help="where the page goes")
    parser.add_argument(
        "--callgate",
        type=Path,
        default=Path(sys.executable).with_name("callgate"),
        help="the command to measure (default: the one of this environment)",
    )
    args = parser.parse_args()
    for part in args.parts:
        if part not in PARTS:
            parser.error(f"no part {part!r}: there are {', '.join(PARTS)}")
    return args


def selected(parts: list[str]) -> list[str]:
    return parts or [part for part in PARTS if part != "peers" or peers.installed()]


def measure(args: argparse.Namespace, effort: Effort) -> tuple[list[Section], bool]:
    """The sections, and whether all could be measured: one that could not says so on the page and ends no other."""
    sections, complete = [], True
    with Lab(args.callgate.absolute()) as lab:
        for part in selected(args.parts):
            began = time.monotonic()
            print(f"{part} …", end=" ", flush=True)
            try:
                sections.append(PARTS[part](lab, effort))
            except BenchError as exc:
                complete = False
                sections.append(Section(part.capitalize(), "**Could not be measured in this run.**"))
                print(f"\nbench: {part}: {exc}", file=sys.stderr)
            print(f"{time.monotonic() - began:.0f} s", flush=True)
    return sections, complete


def stop_on_signal(number: int, _frame: FrameType | None) -> None:
    """As Ctrl-C does, so that the servers are stopped."""
    raise KeyboardInterrupt(f"signal {number}")


def allow_many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(ENOUGH_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))


def main() -> int:
    """Status 1 where a target was missed, 2 where a part could not be measured."""
    args = arguments()
    if args.install:
        return peers.install()
    effort = QUICK if args.quick else FULL
    if args.million:
        effort = effort.with_a_million_calls()
    signal.signal(signal.SIGTERM, stop_on_signal)
    allow_many_files()
    os.sched_setaffinity(0, {REST_CORE})
    busy = machine.busy_shares(QUIET_CHECK_S)
    facts = machine.describe(HERE.parent)
    try:
        sections, complete = measure(args, effort)
    except BenchError as exc:
        print(f"\nbench: {exc}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nbench: stopped", file=sys.stderr)
        return 130
    page = render(facts, sections, busy, quiet=max(busy.values()) <= machine.QUIET_SHARE)
    whole = not args.parts and not args.quick
    path = args.output or (HERE if whole else WORK) / "RESULTS.md"
    path.write_text(page)
    print(page)
    met = all(claim.met for section in sections for claim in section.claims)
    return (0 if met else 1) if complete else 2


if __name__ == "__main__":
    sys.exit(main())
