"""Runs every client of `programs/`, each in an environment of its own, against a gateway with the demo and a scripted
provider behind it, and prints what passed.

    python -m tests.clients.run_all [NAME …] [--write]

Environments are made in `.work/` at the first run (Python's with uv, Node's with npm: both fetch the newest versions
from the package registries) and kept; delete the folder for newer ones. `--write` puts the table into docs/clients.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.clients.provider import provides
from tests.e2e.harness import ROOT, UPSTREAM_KEY, Gateway, configuration, wait_for
from tests.e2e.upstream import Upstream

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
WORK = HERE / ".work"
MANUAL = ROOT / "docs" / "clients.md"
BEGIN, END = "<!-- tried: begin -->", "<!-- tried: end -->"
EVERYWHERE = ("whole", "streaming", "tools", "errors")
"""Checks that every program has."""


@dataclass(frozen=True)
class Client:
    program: str
    """Its file in `programs/`."""
    title: str
    packages: tuple[str, ...]
    """The first one's version is shown."""

    @property
    def is_node(self) -> bool:
        return self.program.endswith(".mjs")

    @property
    def name(self) -> str:
        return self.program.partition(".")[0]

    @property
    def environment(self) -> Path:
        return WORK / ("node" if self.is_node else self.name)


CLIENTS = (
    Client("openai_python.py", "OpenAI, Python", ("openai",)),
    Client("openai_node.mjs", "OpenAI, Node", ("openai",)),
    Client("anthropic_python.py", "Anthropic, Python", ("anthropic",)),
    Client("anthropic_node.mjs", "Anthropic, Node", ("@anthropic-ai/sdk",)),
    Client("google_genai.py", "Google Gen AI, Python", ("google-genai",)),
    Client("boto3_bedrock.py", "AWS boto3, Bedrock", ("boto3",)),
    Client("cohere_python.py", "Cohere, Python", ("cohere",)),
    Client("mistral_python.py", "Mistral, Python", ("mistralai",)),
    Client("groq_python.py", "Groq, Python", ("groq",)),
    Client("litellm_python.py", "LiteLLM SDK", ("litellm", "mcp")),
    Client("langchain_python.py", "LangChain, Python", ("langchain", "langchain-openai", "langchain-anthropic")),
    Client("llama_index_python.py", "LlamaIndex", ("llama-index-core", "llama-index-llms-openai-like")),
    Client("pydantic_ai_python.py", "Pydantic AI", ("pydantic-ai-slim[openai,anthropic]",)),
    Client("instructor_python.py", "Instructor", ("instructor",)),
    Client("openai_agents_python.py", "OpenAI Agents SDK, Python", ("openai-agents",)),
    Client("vercel_ai_node.mjs", "Vercel AI SDK", ("ai", "@ai-sdk/openai", "@ai-sdk/anthropic", "zod")),
)


@dataclass
class Result:
    client: Client
    version: str
    failed: dict[str, str | None]
    """By check: None where it passed, else why not."""
    log: list[str]
    """What is wrong with the log of its calls."""

    @property
    def passed(self) -> bool:
        return self.failed.keys() >= set(EVERYWHERE) and not any(self.failed.values()) and not self.log


# -- environments


def install(clients: list[Client]) -> None:
    """What is missing."""
    for client in clients:
        if not client.is_node and not client.environment.is_dir():
            uv = str(Path(sys.executable).parent / "uv")
            python = str(client.environment / "bin" / "python")
            subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, client.environment], check=True)
            subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *client.packages], check=True)
    node = [client for client in clients if client.is_node]
    if node and not (WORK / "node" / "node_modules").is_dir():
        (WORK / "node").mkdir(parents=True, exist_ok=True)
        packages = sorted({package for client in CLIENTS if client.is_node for package in client.packages})
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", *packages], cwd=WORK / "node", check=True)
    for module in PROGRAMS.glob("*.mjs") if node else ():  # where Node looks for packages: beside the importing file
        shutil.copy(module, WORK / "node")


def version(client: Client, python: Path) -> str:
    package = client.packages[0].partition("[")[0]
    if client.is_node:
        about = json.loads((client.environment / "node_modules" / package / "package.json").read_bytes())
        return f"{package} {about['version']}"
    ask = f"import importlib.metadata as m; print(m.version({package!r}))"
    said = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
    return f"{package} {said.stdout.strip()}"


# -- running


def settings(upstream: Upstream) -> dict[str, Any]:
    """A key for each client, so that its calls are found in the log."""
    here = f"http://127.0.0.1:{upstream.port}"
    config = configuration(
        providers={
            "gemini": {"base_url": here, "api_key": UPSTREAM_KEY},
            "cohere": {"base_url": here, "api_key": UPSTREAM_KEY},
            "mistral": {"base_url": f"{here}/v1", "api_key": UPSTREAM_KEY},
            "groq": {"base_url": f"{here}/openai/v1", "api_key": UPSTREAM_KEY},
            "bedrock": {
                "base_url": here,
                "region": "us-east-1",
                "aws_access_key_id": "AKIDEXAMPLE",
                "aws_secret_access_key": "secret-0123456789",
            },
        }
    )
    config["keys"] = [
        *config["keys"],
        *({"name": c.name, "key": key_of(c), "tags": {"client": c.name}} for c in CLIENTS),
    ]
    return config


def key_of(client: Client) -> str:
    return f"cg-test-{client.name}-0123456789abcdef"


def run(client: Client, gateway: Gateway, python: Path) -> Result:
    """`python` is the interpreter with the client, if that is one for Python."""
    command = ["node" if client.is_node else str(python), client.program]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "CALLGATE_URL": gateway.url,
        "CALLGATE_KEY": key_of(client),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it asks the network for prices otherwise
    }
    folder = client.environment if client.is_node else PROGRAMS
    said = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180)
    lines = [json.loads(line) for line in said.stdout.splitlines() if line.startswith('{"check"')]
    failed = {line["check"]: line["failed"] for line in lines}
    if said.returncode or any(failed.values()):
        print(said.stderr[-4000:], file=sys.stderr)
    for name in EVERYWHERE:
        failed.setdefault(name, "did not run")
    return Result(client, version(client, python), failed, list(_log(client, gateway)))


def _log(client: Client, gateway: Gateway) -> Iterator[str]:
    """Every answer of a model is metered, and errors were refused before or have a type."""
    wait_for(lambda: gateway.rows(f"tag.client={client.name}&status=error"), "its errors are logged")
    rows = gateway.rows(f"tag.client={client.name}")
    for row in rows:
        what = f"{row['endpoint']} {row['model_requested']} {row['status_code']}"
        if row["status_code"] >= 400 and row["error_type"] is None:
            yield f"{what} has no error type"
        if row["error_type"] is None and row["kind"] in ("llm", "embedding"):
            if row["input_tokens"] is None or row["usage_source"] != "reported":
                yield f"{what} is not metered"
            if not row["input_preview"]:
                yield f"{what} has no preview"
    if not any(row["tool_calls"] for row in rows):
        yield "no tool call was read"


# -- the table


def table(results: list[Result]) -> str:
    lines = ["| client | version | whole | streaming | tools | errors | also |", "|---|---|---|---|---|---|---|"]
    for result in results:
        marks = ["yes" if result.failed[name] is None else "**no**" for name in EVERYWHERE]
        others = [n if why is None else f"**not {n}**" for n, why in result.failed.items() if n not in EVERYWHERE]
        cells = [result.client.title, result.version, *marks, ", ".join(others).replace("_", " ") or "–"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write(results: list[Result]) -> None:
    manual = MANUAL.read_text(encoding="utf-8")
    before, _, rest = manual.partition(BEGIN)
    after = rest.partition(END)[2]
    tried = f"{BEGIN}\nTried on {datetime.now(UTC):%Y-%m-%d}:\n\n{table(results)}{END}"
    MANUAL.write_text(f"{before}{tried}{after}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients.run_all", description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(client.name for client in CLIENTS))
    parser.add_argument("--write", action="store_true", help="put the table into docs/clients.md")
    given = parser.parse_args()
    clients = [client for client in CLIENTS if not given.names or client.name in given.names]
    install(clients)
    upstream, results = Upstream(), []
    upstream.script = provides
    with tempfile.TemporaryDirectory() as home:
        gateway = Gateway(Path(home) / "data", settings(upstream)).start()
        try:
            for client in clients:
                results.append(run(client, gateway, client.environment / "bin" / "python"))
                problems = [f"{name}: {why}" for name, why in results[-1].failed.items() if why] + results[-1].log
                print(f"{client.name}: {'; '.join(problems) or 'passed'}", flush=True)
        finally:
            gateway.stop()
            upstream.close()
    print(f"\n{table(results)}")
    if given.write:
        write(results)
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
