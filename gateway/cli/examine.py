"""What `callgate doctor` looks at. Each part yields findings; nothing is changed, nothing secret is shown."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import re
import shutil
import socket
import stat
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from gateway.banner import reachable
from gateway.cli.check import key_state
from gateway.config import Loaded
from gateway.core.providers import DEMO, KNOWN
from gateway.core.proxies import shown_proxy
from gateway.errors import CallgateError
from gateway.recorder.health import read_health
from gateway.store import migrate, open_store
from pricing.edition import current_edition, prices_path

LITTLE_SPACE_BYTES = 1_000_000_000
NO_SPACE_BYTES = 100_000_000
OLD_PRICES_DAYS = 60
BACKLOG_BYTES = 50_000_000
RELEASED_AT_S = 1_760_000_000
"""October 2025: no Callgate is older, so a clock before it is wrong."""


class Finding(NamedTuple):
    state: Literal["ok", "look", "wrong"]
    """`look`: works, but somebody should know. `wrong`: does not work."""
    subject: str
    detail: str
    way_out: str = ""


def examine(loaded: Loaded) -> Iterator[Finding]:
    yield from installation()
    yield from configuration(loaded)
    yield from data_folder(loaded.data)
    yield address(loaded.settings.server.host, loaded.settings.server.port)
    yield prices(loaded.data)
    yield asyncio.run(store(loaded))
    yield recorder(loaded.data)
    yield from providers(loaded)
    yield from clock(loaded.data)


def installation() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    missing = []
    for requirement in importlib.metadata.requires("callgate") or []:
        name = re.split(r"[;\[<>=~! ]", requirement, maxsplit=1)[0]
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        yield Finding("wrong", "packages", f"missing: {', '.join(missing)}", "Install callgate again.")
    else:
        yield Finding("ok", "installation", f"callgate {importlib.metadata.version('callgate')} on Python {version}")


def configuration(loaded: Loaded) -> Iterator[Finding]:
    yield Finding("ok", "configuration", loaded.source if loaded.path else "none; the defaults and the environment")
    for warning in loaded.warnings:
        subject, _, message = warning.partition(": ")
        yield Finding("look", subject, message)


def data_folder(data: Path) -> Iterator[Finding]:
    if not data.exists():
        parent = next(folder for folder in data.parents if folder.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            yield Finding("ok", "data", f"{data} is made at the first start")
        else:
            yield Finding(
                "wrong", "data", f"{data} cannot be made: {parent} is not yours", "Set server.data or --data."
            )
        return
    if not data.is_dir() or not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("wrong", "data", f"{data} cannot be written", "Give it to the user that runs Callgate.")
        return
    if data.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding("look", "data", f"{data} is open to other users", f"It holds prompts: chmod 700 {data}")
    free = shutil.disk_usage(data).free
    detail = f"{data}, {_size(free)} free"
    if free < NO_SPACE_BYTES:
        yield Finding("wrong", "data", detail, "Calls are refused when the journal cannot be written: free some space.")
    elif free < LITTLE_SPACE_BYTES:
        yield Finding("look", "data", detail, "Free some space, or keep less: log.retention_days, log.payloads.")
    else:
        yield Finding("ok", "data", detail)


def address(host: str, port: int) -> Finding:
    shown = f"{host}:{port}"
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except socket.gaierror:
        return Finding("wrong", "address", f"{host} is no address of this machine", "Set server.host.")
    except OSError as error:
        if port and _is_callgate(host, port):
            return Finding("ok", "address", f"{shown}, where a Callgate is running")
        return Finding("wrong", "address", f"{shown}: {error.strerror}", "Set server.port, or stop what has it.")
    return Finding("ok", "address", f"{shown} is free")


def _is_callgate(host: str, port: int) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://{reachable(host, port)}/healthz", timeout=2) as answer:
            return bool(json.load(answer) == {"status": "ok"})
    except (OSError, ValueError):
        return False


def prices(data: Path) -> Finding:
    edition = current_edition(prices_path(data))
    if edition.problem:
        return Finding("look", "prices", edition.problem)
    if not edition.entries:
        return Finding("wrong", "prices", edition.source, "No call has a cost: callgate prices refresh")
    detail = f"{len(edition.entries):,} models, {edition.source}"
    taken_us = edition.history.sources[-1].at_us if edition.history.sources else None
    if taken_us and time.time_ns() // 1000 - taken_us > OLD_PRICES_DAYS * 86_400_000_000:
        return Finding("look", "prices", detail, "They change: callgate prices refresh")
    return Finding("ok", "prices", detail)


async def store(loaded: Loaded) -> Finding:
    """Read-only: neither made nor migrated."""
    url = loaded.settings.store.url
    path = loaded.data / url.removeprefix("sqlite:///")
    if not path.exists():
        return Finding("ok", "store", f"{path} is made at the first start")
    opened = open_store(url, loaded.data)
    try:
        health = await opened.health()
    except CallgateError as error:
        return Finding("wrong", "store", str(error))
    finally:
        await opened.close()
    if not health.ok:
        return Finding("wrong", "store", health.detail)
    detail = f"{path.name}, {health.detail}, {_size(health.size_bytes or 0)}, {health.spans or 0:,} rows"
    if not health.detail.endswith(f"schema {migrate.head()}"):
        return Finding("look", "store", detail, f"It is migrated to {migrate.head()} at the next start; back it up.")
    return Finding("ok", "store", detail)


def recorder(data: Path) -> Finding:
    health = read_health(data)
    waiting = [folder.name for folder in (data / "journal").glob("*") if folder.is_dir()]
    if health.state in ("starting", "stopped") and waiting:
        detail = f"not running, and {len(waiting)} journal folder{'s' * (len(waiting) > 1)} not yet in the store"
        return Finding("look", "recorder", detail, "Nothing is lost: they are recorded at the next start.")
    if health.state == "store_down":
        return Finding("wrong", "recorder", f"the store does not take its rows: {health.last_error}")
    detail = f"{health.state}, {health.written:,} rows written, {_size(health.backlog_bytes)} waiting"
    if health.dead_letters:
        return Finding("look", "recorder", f"{health.dead_letters} rows refused", "callgate requests deadletter list")
    if health.backlog_bytes > BACKLOG_BYTES:
        return Finding("look", "recorder", detail, "It cannot keep up: see log.payloads and the disk's speed.")
    return Finding("ok", "recorder", detail if health.pid else "starts with the gateway")


def providers(loaded: Loaded) -> Iterator[Finding]:
    named = [(name, provider) for name, provider in loaded.settings.providers.items() if name != DEMO]
    if not named:
        variables = ", ".join(KNOWN[name].key_variables[0] for name in ("openai", "anthropic", "openrouter"))
        yield Finding("look", "providers", "only the built-in demo", f"Set a key, like {variables}.")
    for name, provider in named:
        target = urlsplit(provider.base_url or "")
        host, port = target.hostname or "", target.port or (443 if target.scheme == "https" else 80)
        proxy = loaded.proxy_for(target.scheme, host, port)
        through = f", through {shown_proxy(proxy)}" if proxy else ""
        detail = f"{host}, {key_state(name, provider)}{through}"
        if proxy is None and not _resolves(host, port):
            yield Finding("look", f"provider {name}", f"{detail}; the name is not found", "Check DNS, or HTTPS_PROXY.")
        else:
            yield Finding("ok", f"provider {name}", detail)


def _resolves(host: str, port: int) -> bool:
    try:
        return bool(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except OSError:
        return False


def clock(data: Path) -> Iterator[Finding]:
    now = time.time()
    newest = max((path.stat().st_mtime for path in data.glob("*") if path.exists()), default=0.0)
    if now < RELEASED_AT_S:
        yield Finding("wrong", "clock", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now)), "Set the clock.")
    elif newest > now + 60:
        ahead = int(newest - now)
        yield Finding("look", "clock", f"files in {data} are {ahead} s in the future", "The clock was set back.")
    else:
        yield Finding("ok", "clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)))


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
