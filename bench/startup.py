"""From the start of the process to the first answered call, and what was imported for it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import proc
from bench.effort import Effort
from bench.lab import Lab
from bench.oneshot import NoAnswerError, call
from bench.report import Claim, Section, Table, spread
from bench.servers import BenchError
from bench.target import CHAT, Callgate
from bench.templates import APP_KEY, chat_body

MOST_S = 1.5
TIMEOUT_S = 30
POLL_S = 0.002
HEAVY = ("litellm", "sqlalchemy", "alembic", "pydantic", "httpx", "pyarrow", "tiktoken", "tokenizers")
IMPORT_LINE = re.compile(r"^import time:.*\|\s*([\w.]+)\s*$", re.MULTILINE)
"""What `python -X importtime` says of each module, on standard error."""


@dataclass(frozen=True)
class Imports:
    modules: set[str]
    """Of the gateway and, where it writes to the same log, its recorder."""
    compiled: set[str]
    """Files mapped into the gateway process alone."""

    def of(self, package: str) -> int:
        return sum(module == package or module.startswith(f"{package}.") for module in self.modules)


def first_answer(gateway: Callgate) -> None:
    """Asks the demo provider, which needs no network and is told not to take its time, until it answers."""
    body = chat_body("demo/echo", demo={"ttft-ms": 0, "tps": 0})
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {APP_KEY}"}
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        gateway.server.check_running()
        try:
            answer = call(gateway.port, "POST", CHAT, body=body, headers=headers)
        except NoAnswerError:
            answer = None
        if answer is not None and answer.status == 200:
            return
        if time.monotonic() > deadline:
            raise BenchError(f"no answer within {TIMEOUT_S} s: {answer}\n{gateway.server.tail()}")
        time.sleep(POLL_S)


def start(lab: Lab, folder: Path, env: Mapping[str, str] | None = None) -> tuple[float, Imports]:
    """Seconds to the first answer, and what had been imported by then (modules only where `env` asks for them)."""
    began = time.monotonic()
    gateway = lab.start_callgate(folder, core=None, env=env)
    try:
        first_answer(gateway)
        seconds = time.monotonic() - began
        modules = set(IMPORT_LINE.findall(gateway.server.log.read_text(errors="replace")))
        return seconds, Imports(modules, {Path(file).name for file in proc.mapped(gateway.server.pid)})
    finally:
        gateway.server.stop()


def run(lab: Lab, effort: Effort) -> Section:
    fresh, existing = [], []
    for _ in range(effort.startups):
        with lab.new_folder("startup") as folder:
            fresh.append(start(lab, folder)[0])
            existing.append(start(lab, folder)[0])
            imports = start(lab, folder, env={"PYTHONPROFILEIMPORTTIME": "1"})[1]
    if not imports.modules:
        raise BenchError("python did not say what it imported")
    heavy = {package: imports.of(package) for package in HEAVY}
    return Section(
        "Start-up",
        "From the start of the process to the first answered call (the demo provider, no delay), on both cores as "
        f"a user would run it; {effort.startups} times with a data folder that does not exist yet and with one that "
        "does. Median (lowest–highest).",
        tables=[Table(("", "seconds"), [("fresh", spread(fresh, 2)), ("existing", spread(existing, 2))])],
        claims=[
            Claim("start to first answer, fresh data folder", median(fresh), MOST_S, "s"),
            Claim("start to first answer, existing data folder", median(existing), MOST_S, "s"),
            Claim("modules of litellm imported", heavy["litellm"], 0),
        ],
        notes=[
            f"Imported by the first answer: {len(imports.modules):,} modules, the recorder's included where it writes "
            f"to the same log; of the heavy ones {listed(heavy)}.",
            f"Compiled modules of heavy packages in the gateway process itself: {compiled_heavy(imports)}.",
        ],
    )


def listed(heavy: Mapping[str, int]) -> str:
    return ", ".join(f"{package} {count}" for package, count in heavy.items() if count) or "none"


def compiled_heavy(imports: Imports) -> str:
    names = sorted(name for name in imports.compiled if any(package in name for package in HEAVY))
    return ", ".join(names) or "none"
