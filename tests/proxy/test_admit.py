from __future__ import annotations

import pytest

from gateway.core.key import Key
from gateway.errors import CallError
from gateway.proxy.admit import client_address, permitted_here
from gateway.proxy.door import ClosedDoor
from gateway.proxy.head import Head

PROXIES = ("10.0.0.0/8", "::1")


@pytest.mark.parametrize(
    ("peer", "header", "proxies", "address"),
    [
        ("192.0.2.1", None, PROXIES, "192.0.2.1"),
        ("192.0.2.1", b"203.0.113.7", PROXIES, "192.0.2.1"),
        ("10.0.0.1", b"203.0.113.7", (), "10.0.0.1"),
        ("10.0.0.1", b"203.0.113.7", PROXIES, "203.0.113.7"),
        ("10.0.0.1", b"evil, 203.0.113.7, 10.1.1.1", PROXIES, "203.0.113.7"),
        ("::1", b"2001:db8::7", PROXIES, "2001:db8::7"),
        ("10.0.0.1", b"10.0.0.9,10.0.0.8", PROXIES, "10.0.0.9"),
        ("10.0.0.1", b"\xff;drop", PROXIES, "ÿ;drop"),
    ],
)
def test_where_a_client_is(peer: str, header: bytes | None, proxies: tuple[str, ...], address: str) -> None:
    assert client_address(peer, header, proxies) == address


class At(ClosedDoor):
    def __init__(self, address: str) -> None:
        self.address = address


@pytest.mark.parametrize(
    ("address", "forwarded", "proxies", "code"),
    [
        ("203.0.113.7", "", [], None),
        ("192.0.2.1", "", [], "address_not_allowed"),
        ("10.0.0.1", "203.0.113.7", ["10.0.0.0/8"], None),
        ("10.0.0.1", "203.0.113.7, 192.0.2.1", ["10.0.0.0/8"], "address_not_allowed"),
        ("", "", [], "address_not_allowed"),
    ],
)
def test_a_key_holds_to_its_networks(address: str, forwarded: str, proxies: list[str], code: str | None) -> None:
    key = Key(key_id="k", name="n", networks=("203.0.113.0/24",))
    head = Head(b"POST", b"/v1/embeddings", [(b"x-forwarded-for", forwarded.encode())])
    if code is None:
        permitted_here(key, head, At(address), proxies)
    else:
        with pytest.raises(CallError) as caught:
            permitted_here(key, head, At(address), proxies)
        assert (caught.value.status, caught.value.code) == (403, code)


def test_a_key_holds_to_its_endpoints() -> None:
    key = Key(key_id="k", name="n", endpoints=("/v1/embeddings",))
    permitted_here(key, Head(b"POST", b"/v1/embeddings", []), At(""), [])
    with pytest.raises(CallError, match="may not call /v1/chat/completions"):
        permitted_here(key, Head(b"POST", b"/v1/chat/completions", []), At(""), [])
