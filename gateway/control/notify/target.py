"""Where a notice goes: names become addresses once, all of them are checked, and those are connected to.

A name that is asked again could answer otherwise (DNS rebinding), so nothing else looks it up after the check.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable

from gateway.control.notify.sink import Undelivered

RESOLVER = Callable[[str, int], Awaitable[list[str]]]
"""(host, port) → addresses."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


async def resolved(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


async def addresses(host: str, port: int, resolve: RESOLVER, *, allow_private: bool) -> list[str]:
    """Raises Undelivered for a name that nobody knows, and where any of its addresses is not public."""
    try:
        found = await resolve(host, port)
    except OSError as exc:
        raise Undelivered(f"{host} is not known to the name service") from exc
    if not found:
        raise Undelivered(f"{host} has no address")
    inside = [each for each in found if not is_public(each)]
    if inside and not allow_private:
        raise Undelivered(
            f"{host} is {inside[0]}, which is not a public address; set allow_private: true if it is meant",
            is_final=True,
        )
    return found


def is_public(text: str) -> bool:
    """Whether an address is one of the internet at large, seen through the ways IPv6 has of writing an IPv4 one."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast
