"""Other gateways in the same run: LiteLLM's proxy (PyPI) and Portkey's gateway (npm), where they are installed.

`python -m bench peers --install` puts them into bench/.work/peers, apart from the project's own environment. Each has
the core to itself that Callgate has in its turn, one worker, the same upstream; neither writes a log.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import proc
from bench.effort import Effort
from bench.lab import GATEWAY_CORE, NAMES, WORK, Lab
from bench.machine import first_match, output
from bench.oneshot import NoAnswerError
from bench.report import Claim, Section, number, rounds_of
from bench.servers import BenchError, Server, free_ports
from bench.target import Target
from bench.templates import template
from bench.throughput import CONNECTIONS, Rounds, compare, table

HOME = WORK / "peers"
LITELLM = HOME / "litellm"
PORTKEY = HOME / "portkey"
PORTKEY_PACKAGE = PORTKEY / "node_modules" / "@portkey-ai" / "gateway"
KEY = "sk-bench-0123456789abcdef"
START_TIMEOUT_S = 120
LEAST_TIMES_LITELLM = 100


@dataclass(frozen=True)
class Peer:
    name: str
    program: Path
    """There when the peer is installed."""
    command: Callable[[Lab, int], list[str]]
    """What starts it on a port, by the lab's upstream."""
    headers: Callable[[Lab], Mapping[str, str]]
    env: Mapping[str, str]
    version: Callable[[], str]


def litellm_command(lab: Lab, port: int) -> list[str]:
    config = lab.folder / "litellm.yaml"
    config.write_text(template("litellm.yaml", fixed=lab.ports["fixed"], key=KEY, model=lab.direct().model))
    program = str(LITELLM / "bin" / "litellm")
    return [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]


def litellm_version() -> str:
    code = "from importlib.metadata import version; print(version('litellm'))"
    return output(str(LITELLM / "bin" / "python"), "-c", code).strip()


def portkey_command(lab: Lab, port: int) -> list[str]:
    return ["node", str(PORTKEY_PACKAGE / "build" / "start-server.js"), f"--port={port}", "--headless"]


def portkey_headers(lab: Lab) -> Mapping[str, str]:
    upstream = f"http://127.0.0.1:{lab.ports['fixed']}/v1"
    return {"x-portkey-provider": "openai", "x-portkey-custom-host": upstream}


PEERS = (
    Peer(
        "LiteLLM",
        LITELLM / "bin" / "litellm",
        litellm_command,
        lambda lab: {"Authorization": f"Bearer {KEY}"},
        {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"},
        litellm_version,
    ),
    Peer(
        "Portkey",
        PORTKEY_PACKAGE / "build" / "start-server.js",
        portkey_command,
        portkey_headers,
        {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost", "NODE_ENV": "production"},
        lambda: first_match(r'"version":\s*"([^"]+)"', (PORTKEY_PACKAGE / "package.json").read_text()),
    ),
)


def installed() -> list[Peer]:
    return [peer for peer in PEERS if peer.program.exists()]


def install() -> int:
    """The newest of both; status 1 where one could not be had."""
    HOME.mkdir(parents=True, exist_ok=True)
    pip = [str(LITELLM / "bin" / "python"), "-m", "pip", "install", "--quiet", "--upgrade", "litellm[proxy]"]
    npm = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(PORTKEY), "@portkey-ai/gateway"]
    commands = [[sys.executable, "-m", "venv", str(LITELLM)], pip, *([npm] if shutil.which("npm") else [])]
    failed = [command for command in commands if subprocess.run(command, check=False).returncode]
    for command in failed:
        print(f"failed: {' '.join(command)}", file=sys.stderr)
    for peer in installed():
        print(f"{peer.name} {peer.version()} is installed")
    return 1 if failed or not installed() else 0


@contextmanager
def running(peer: Peer, lab: Lab) -> Iterator[Target]:
    """The peer on the gateway's core, answering."""
    [port] = free_ports(1)
    with lab.new_folder(peer.name.lower()) as folder, ExitStack() as stack:
        server = Server(peer.name.lower(), peer.command(lab, port), folder, core=GATEWAY_CORE, env=peer.env)
        stack.callback(server.stop)
        target = Target(
            peer.name, port, lab.direct().model, headers=peer.headers(lab), pids=lambda: proc.family(server.pid)
        )

        def answers() -> bool:
            try:
                target.check(None)
            except (BenchError, NoAnswerError):
                return False
            return True

        server.wait_until(answers, "answer a call", START_TIMEOUT_S)
        yield target


def run(lab: Lab, effort: Effort) -> Section:
    """In turn with the others, each peer started anew for each round."""
    peers = installed()
    if not peers:
        raise BenchError("no peer is installed: python -m bench peers --install")
    measured = {name: Rounds() for name in (*NAMES, *(peer.name for peer in peers))}
    memory_mb = {}
    for _ in range(effort.peer_rounds):
        for name in NAMES:
            with lab.running(name) as target:
                measured[name].add(target, lab, seconds=effort.peer_s, warm_up_s=effort.warm_up_s)
        for peer in peers:
            with running(peer, lab) as target:
                measured[peer.name].add(target, lab, seconds=effort.peer_s, warm_up_s=effort.peer_warm_up_s)
                memory_mb[peer.name] = sum(proc.rss_mb(pid) for pid in target.pids())
    times = {peer.name: compare(measured, "callgate", peer.name) for peer in peers}
    return Section(
        "Peers",
        f"As the throughput part: wrk with {CONNECTIONS} connections, {rounds_of(effort.peer_rounds, effort.peer_s)}, "
        "the same upstream, each gateway alone on the same core, in turn. Callgate logs every call, the peers none.",
        tables=[table(measured, "nginx")],
        claims=[
            Claim(f"throughput, times {name}'s", ratio, LEAST_TIMES_LITELLM, "×", at_least=True)
            for name, ratio in times.items()
            if name == "LiteLLM"
        ],
        notes=[
            f"{peer.name} {peer.version()}: Callgate answers {number(times[peer.name])} × as many calls; "
            f"{memory_mb[peer.name]:,.0f} MiB resident after the load."
            for peer in peers
        ],
    )
