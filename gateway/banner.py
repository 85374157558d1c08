"""What `callgate serve` says when it is ready."""

from __future__ import annotations

import socket

from gateway.config import Loaded
from gateway.core.providers import DEMO


def banner(loaded: Loaded, address: str, sign_in: str, first_key: str | None) -> str:
    """Where things are, and a line that works as it stands. `first_key` is shown this once: only its hash is kept."""
    providers = [name for name in loaded.settings.providers if name != DEMO]
    lines = [
        "",
        f"  Callgate is ready     base_url  http://{address}/v1",
        f"  Dashboard             http://{address}/login?token={sign_in}",
        f"  Data                  {loaded.data}",
        f"  Configuration         {loaded.source}",
        f"  Providers             {', '.join([*providers, DEMO])}",
    ]
    if first_key is not None:
        lines += [f"  First key (admin)     {first_key}", "                        shown once; only its hash is kept"]
    shown = first_key or "$CALLGATE_KEY"
    lines += [
        "",
        f'  curl http://{address}/v1/chat/completions -H "authorization: Bearer {shown}" \\',
        "    -H 'content-type: application/json' \\",
        """    -d '{"model": "demo/echo", "messages": [{"role": "user", "content": "Hello"}]}'""",
        "",
        "",
    ]
    return "\n".join(lines)


def address_of(listener: socket.socket) -> str:
    """`host:port` to reach the listener by."""
    host, port = listener.getsockname()[:2]
    return reachable(host, port)


def reachable(host: str, port: int) -> str:
    """`host:port` as a URL has it, of an address that was given to listen on; any address means this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
