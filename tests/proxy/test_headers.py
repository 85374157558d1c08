from __future__ import annotations

import pytest

from gateway.proxy.headers import accept_encoding, forwarded, named_in_connection, relayed, without_credentials


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (None, b""),
        (b"gzip", b"accept-encoding: gzip\r\n"),
        (b"gzip, deflate, br, zstd", b"accept-encoding: gzip, deflate, zstd\r\n"),
        (b"br;q=1.0, GZIP;q=0.5, *;q=0.1", b"accept-encoding: GZIP;q=0.5\r\n"),
        (b"br", b"accept-encoding: identity\r\n"),
        (b"identity", b"accept-encoding: identity\r\n"),
        (b"*", b"accept-encoding: identity\r\n"),
        (b"", b"accept-encoding: identity\r\n"),
    ],
)
def test_only_codings_that_can_be_metered_are_asked_for(asked: bytes | None, line: bytes) -> None:
    assert accept_encoding(asked) == line


@pytest.mark.parametrize(
    "name",
    [
        b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"cookie", b"connection", b"keep-alive", b"te",
        b"proxy-authorization", b"proxy-connection", b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings",
        b"host", b"content-length", b"content-encoding", b"accept-encoding", b"expect", b"x-request-id", b"via",
        b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"x-callgate-tags", b"x-callgate-new",
    ],
)  # fmt: skip
def test_what_no_provider_gets_to_see(name: bytes) -> None:
    assert forwarded([(b"accept", b"a"), (name, b"value"), (b"x-b", b"b")]) == b"accept: a\r\nx-b: b\r\n"


@pytest.mark.parametrize(
    "name",
    [
        b"set-cookie", b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"alt-svc",
        b"strict-transport-security", b"trailer", b"upgrade", b"proxy-authenticate",
    ],
)  # fmt: skip
def test_what_no_client_gets_to_see(name: bytes) -> None:
    headers = [(b"content-type", b"a"), (name, b"value"), (b"retry-after", b"1")]
    assert relayed(headers, dict(headers)) == b"content-type: a\r\nretry-after: 1\r\n"


def test_what_connection_names_goes_no_further() -> None:
    headers = [(b"connection", b"close, X-Secret ,x-other"), (b"x-secret", b"1"), (b"x-other", b"2"), (b"x-c", b"3")]
    assert forwarded(headers) == b"x-c: 3\r\n"
    assert relayed(headers, dict(headers)) == b"x-c: 3\r\n"
    assert named_in_connection(headers) == {b"close", b"x-secret", b"x-other"}
    assert named_in_connection([(b"connection", b"keep-alive")]) == frozenset()


def test_headers_keep_their_order_their_repeats_and_their_bytes() -> None:
    headers = [(b"x-a", b"1"), (b"x-b", "é".encode("latin-1")), (b"x-a", b"2"), (b"content-encoding", b"gzip")]
    assert relayed(headers, dict(headers)) == b"x-a: 1\r\nx-b: \xe9\r\nx-a: 2\r\ncontent-encoding: gzip\r\n"


def test_the_providers_own_request_id_gets_another_name() -> None:
    headers = [(b"x-request-id", b"req_1"), (b"x-a", b"1")]
    assert relayed(headers, dict(headers)) == b"x-upstream-request-id: req_1\r\nx-a: 1\r\n"


def test_credentials_are_not_logged() -> None:
    headers = [(b"authorization", b"Bearer x"), (b"cookie", b"a=b"), (b"x-api-key", b"k"), (b"accept", b"a")]
    assert without_credentials(headers) == [(b"accept", b"a")]
