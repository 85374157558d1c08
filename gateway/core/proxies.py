"""Which proxy a connection goes through, from `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.

As curl and Go have it: lower case wins over upper case; `NO_PROXY` is a list of `*`, hosts (which hold for their
subdomains too, with or without a leading dot), `host:port`, IP addresses and networks. Loopback never goes through one.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import msgspec

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Proxies(msgspec.Struct, frozen=True):
    """Proxy URLs can hold passwords: `repr` does not show them."""

    by_scheme: dict[str, str] = {}
    excluded: tuple[str, ...] = ()

    def __repr__(self) -> str:
        shown = {scheme: shown_proxy(url) for scheme, url in self.by_scheme.items()}
        return f"Proxies({shown}, excluded={self.excluded})"

    def proxy_for(self, scheme: str, host: str, port: int | None = None) -> str | None:
        """The proxy's URL, None for a direct connection."""
        proxy = self.by_scheme.get(scheme)
        if proxy is None or _is_loopback(host) or self._is_excluded(host, port or _DEFAULT_PORTS.get(scheme)):
            return None
        return proxy

    def _is_excluded(self, host: str, port: int | None) -> bool:
        host = host.lower().strip("[]").rstrip(".")
        return any(_matches(pattern, host, port) for pattern in self.excluded)


def proxies_from(environ: Mapping[str, str]) -> tuple[Proxies, list[str]]:
    """What the environment says, and a warning for each proxy that cannot be used."""
    warnings = []
    by_scheme = {}
    for scheme in ("http", "https"):
        variable, url = _first(environ, f"{scheme}_proxy", "all_proxy")
        if not url:
            continue
        url = url if "://" in url else f"http://{url}"
        if problem := _unusable(url):
            warnings.append(f"{variable}: {problem}; {scheme} connections go direct")
            continue
        by_scheme[scheme] = url
    _, excluded = _first(environ, "no_proxy")
    patterns = tuple(part.lower() for part in excluded.replace(",", " ").split())
    return Proxies(by_scheme, patterns), warnings


def _unusable(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            return f"{parts.scheme} proxies are not supported"
        return None if parts.hostname and parts.port != 0 else "is not an address like http://proxy:3128"
    except ValueError:
        return "is not an address like http://proxy:3128"


def shown_proxy(url: str) -> str:
    """Scheme, host and port, without user and password."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def _first(environ: Mapping[str, str], *names: str) -> tuple[str, str]:
    for name in names:
        for variable in (name, name.upper()):
            if environ.get(variable):
                return variable, environ[variable].strip()
    return names[0], ""


def _is_loopback(host: str) -> bool:
    host = host.lower().strip("[]").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _matches(pattern: str, host: str, port: int | None) -> bool:
    if pattern == "*":
        return True
    try:
        return ip_address(host) in ip_network(pattern.strip("[]"), strict=False)
    except ValueError:
        pass  # one of the two is a name
    name, colon, wanted = pattern.rpartition(":")
    if colon and wanted.isdigit():
        if int(wanted) != port:
            return False
        pattern = name.strip("[]")
    suffix = pattern.removeprefix("*").lstrip(".").rstrip(".")
    return host == suffix or host.endswith(f".{suffix}")
