"""Everything a run starts: the upstream and nginx as plain proxy for all of it, gateways one after the other.

A gateway is always a fresh one on a fresh data folder, so that what one round left to record does not weigh on the
next. Leaving the lab stops all that runs, also on Ctrl-C, and removes the folder.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from bench import proc
from bench.machine import first_match, output
from bench.servers import BenchError, Server, free_ports, listening
from bench.target import PROVIDERS, Callgate, Target
from bench.templates import ADMIN_KEY, APP_KEY, CONF, MODEL, completion, template

GATEWAY_CORE = 0
REST_CORE = 1
WORK = Path(__file__).parent / ".work"
UPSTREAMS = tuple(PROVIDERS)
NAMES = ("direct", "nginx", "callgate")
"""What a round goes through, in this order: the upstream itself, nginx in between, Callgate in between."""
WITH_BARE = ("direct", "nginx", "bare", "callgate")
"""Where the least that Python can do (bench/bare.py) is in between as well."""


def lua_modules() -> str:
    """nginx directives that load its Lua module; "" where that is not installed."""
    folder = Path(first_match(r"--modules-path=(\S+)", output("nginx", "-V"), "/usr/lib/nginx/modules"))
    if not (folder / "ngx_http_lua_module.so").exists():
        return ""
    return "\n".join(f"load_module {folder}/{name}.so;" for name in ("ndk_http_module", "ngx_http_lua_module"))


def user_line() -> str:
    """nginx started by root would give its workers to a user that cannot read the bench's folder."""
    return "user root;" if os.geteuid() == 0 else ""


def check_tools() -> None:
    for tool in ("nginx", "wrk", "taskset"):
        if shutil.which(tool) is None:
            raise BenchError(f"{tool} is not installed: the bench needs nginx, wrk and taskset (util-linux)")
    if (os.cpu_count() or 1) <= REST_CORE:
        raise BenchError("the bench needs two cores: one for the gateway, one for everything else")


class Lab:
    """`command` is the `callgate` to measure; `answer` is the body the fixed upstream answers with.

    `has_lua` says whether the other two upstreams are there: answers that differ, and streams.
    """

    def __init__(self, command: Path) -> None:
        self.command = command
        self.has_lua = bool(lua_modules())
        self.answer = completion()
        self._stack = ExitStack()

    def __enter__(self) -> Lab:
        check_tools()
        WORK.mkdir(exist_ok=True)
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=WORK, prefix="run-")))
            names = (*UPSTREAMS, *(f"proxy_{name}" for name in UPSTREAMS))
            self.ports = dict(zip(names, free_ports(len(names)), strict=True))
            self._nginx(stack, "upstream", self._upstream_config(), REST_CORE, self.ports["fixed"])
            config = template("proxy.nginx", folder=self.folder, user=user_line(), **self.ports)
            self.proxy = self._nginx(stack, "proxy", config, GATEWAY_CORE, self.ports["proxy_fixed"])
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def direct(self, upstream: str = "fixed") -> Target:
        return Target("direct", self.ports[upstream], f"{PROVIDERS[upstream]}/{MODEL}")

    def nginx(self, upstream: str = "fixed") -> Target:
        model = f"{PROVIDERS[upstream]}/{MODEL}"
        return Target("nginx", self.ports[f"proxy_{upstream}"], model, pids=lambda: proc.family(self.proxy.pid))

    @contextmanager
    def running(self, name: str, upstream: str = "fixed") -> Iterator[Target]:
        """The target of that name (one of NAMES or WITH_BARE), for as long as the context lasts."""
        if name == "callgate":
            with self.callgate() as gateway:
                yield gateway.target(upstream)
        elif name == "bare":
            with self.bare() as target:
                yield target
        else:
            yield self.nginx(upstream) if name == "nginx" else self.direct(upstream)

    @contextmanager
    def bare(self) -> Iterator[Target]:
        """The least that Python can do, on the gateway's core. It knows the fixed upstream only."""
        with self.new_folder("bare") as folder:
            [port] = free_ports(1)
            command = [sys.executable, "-m", "bench.bare", str(port), str(self.ports["fixed"]), str(folder / "journal")]
            root = str(Path(__file__).parents[1])
            server = Server("bare", command, folder, core=GATEWAY_CORE, env={"PYTHONPATH": root})
            try:
                server.wait_until(lambda: listening(port), "listen")
                yield Target("bare", port, f"{PROVIDERS['fixed']}/{MODEL}", pids=lambda: proc.family(server.pid))
            finally:
                server.stop()

    @contextmanager
    def callgate(self) -> Iterator[Callgate]:
        """A gateway that answers, alone on its core, its recorder and annex on the other and ready.

        Raises BenchError at the end if it has not done everything it was there for all the time.
        """
        with self.new_folder("callgate") as folder:
            gateway = self.start_callgate(folder, core=GATEWAY_CORE)
            try:
                gateway.server.wait_until(gateway.answers, "answer /healthz")
                gateway.server.wait_until(gateway.records, "start its recorder")
                gateway.server.wait_until(gateway.has_annex, "start its annex")
                recorder = gateway.recorder_pid()
                for beside in (recorder, gateway.annex_pid()):
                    proc.pin(beside, REST_CORE)
                gateway.server.wait_until(gateway.is_idle, "be done with starting")
                yield gateway
                gateway.check_unharmed(recorder)
            finally:
                gateway.server.stop(grace_s=0)  # it would work off its backlog first

    @contextmanager
    def new_folder(self, name: str) -> Iterator[Path]:
        """Removed at the end; the recorder of a gateway just killed may still be writing into it."""
        folder = Path(tempfile.mkdtemp(dir=self.folder, prefix=f"{name}-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def start_callgate(self, folder: Path, *, core: int | None, env: Mapping[str, str] | None = None) -> Callgate:
        """Starts it and does not wait. The folder holds its configuration and its data; the caller stops the server."""
        [port] = free_ports(1)
        data = folder / "data"
        upstreams = {name: self.ports[name] for name in UPSTREAMS}
        config = folder / "callgate.yaml"
        config.write_text(template("callgate.yaml", port=port, data=data, key=APP_KEY, admin=ADMIN_KEY, **upstreams))
        server = Server("callgate", [str(self.command), "serve", "--config", str(config)], folder, core=core, env=env)
        return Callgate(server, port, data)

    def _upstream_config(self) -> str:
        """Without the Lua module only the fixed answer is there."""
        return template(
            "upstream.nginx",
            lua=template("upstream-lua.nginx", conf=CONF, **self.ports) if self.has_lua else "",
            modules=lua_modules(),
            user=user_line(),
            folder=self.folder,
            completion=self.answer.decode(),
            **self.ports,
        )

    def _nginx(self, stack: ExitStack, name: str, config: str, core: int, port: int) -> Server:
        path = self.folder / f"{name}.conf"
        path.write_text(config)
        server = Server(name, ["nginx", "-e", "stderr", "-c", str(path)], self.folder, core=core)
        stack.callback(server.stop)
        server.wait_until(lambda: listening(port), "listen")
        return server
