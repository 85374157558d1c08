from __future__ import annotations

import pytest

from gateway.proxy.head import MOST_REMEMBERED, Head, KnownHeads, provider_in
from gateway.proxy.headers import Headers

CHAT = b"/v1/chat/completions"
JSON = (b"Content-Type", b"application/json")


def head(url: bytes = CHAT, *headers: tuple[bytes, bytes], method: bytes = b"POST") -> Head:
    return Head(method, url, [JSON, *headers])


def wire(length: int, *lines: bytes, path: bytes = CHAT) -> bytes:
    given = [b"POST %b HTTP/1.1" % path, b"host: gateway", *lines, b"Content-Length: %d" % length, b"accept: */*"]
    return b"\r\n".join([*given, b"", b""])


@pytest.mark.parametrize(
    ("url", "headers", "token"),
    [
        (CHAT, [(b"Authorization", b"Bearer cg-1")], b"cg-1"),
        (CHAT, [(b"authorization", b"bearer   cg-1 ")], b"cg-1"),
        (CHAT, [(b"x-api-key", b"cg-2")], b"cg-2"),
        (CHAT, [(b"X-Goog-Api-Key", b"cg-3")], b"cg-3"),
        (CHAT, [(b"api-key", b"cg-4")], b"cg-4"),
        (CHAT + b"?key=cg%2D5&alt=sse", [], b"cg-5"),
        (CHAT, [(b"authorization", b"Basic abc")], None),
        (
            CHAT,
            [(b"authorization", b"AWS4-HMAC-SHA256 Credential=cg-3/20260101/us-east-1/bedrock/aws4_request, x=y")],
            b"cg-3",
        ),
        (CHAT, [(b"authorization", b"AWS4-HMAC-SHA256 SignedHeaders=host")], None),
        (CHAT, [(b"authorization", b"Bearer ")], None),
        (CHAT, [(b"authorization", b"Bearer "), (b"x-api-key", b"cg-2")], b"cg-2"),
        (CHAT, [], None),
    ],
)
def test_the_key_is_where_a_clients_sdk_puts_it(url: bytes, headers: Headers, token: bytes | None) -> None:
    assert head(url, *headers).token == token


def test_a_key_is_neither_forwarded_nor_logged() -> None:
    secret = b"cg-secret"
    found = head(CHAT + b"?a=1&key=cg-secret&b=2", (b"authorization", b"Bearer " + secret), (b"x-api-key", secret))
    assert found.query == b"a=1&b=2"
    assert secret not in found.forwarded + repr(found).encode() + repr(found.logged).encode()
    assert "cg-secret" not in found.endpoint


@pytest.mark.parametrize(
    ("path", "provider", "rest"),
    [
        (b"/v1/chat/completions", None, b"/v1/chat/completions"),
        (b"/p/groq/v1/chat/completions", "groq", b"/v1/chat/completions"),
        (b"/p/groq", "groq", b"/"),
        (b"/p/", "", b"/"),
        (b"/p//x", "", b"/x"),
    ],
)
def test_a_path_can_name_its_provider(path: bytes, provider: str | None, rest: bytes) -> None:
    assert provider_in(path) == (provider, rest)


@pytest.mark.parametrize(
    ("method", "url", "content_type", "held"),
    [
        (b"POST", CHAT, b"application/json", True),
        (b"POST", CHAT, b"text/plain", True),
        (b"POST", b"/v1/images/generations", b"application/json; charset=utf-8", True),
        (b"POST", b"/v1/files", b"multipart/form-data; boundary=x", False),
        (b"POST", b"/p/groq/v1/chat/completions", b"application/json", True),
        (b"POST", b"/p/groq/v1/anything", b"application/json", False),
        (b"GET", b"/v1/files", b"application/json", False),
    ],
)
def test_a_body_is_held_where_it_says_which_model_is_meant(
    method: bytes, url: bytes, content_type: bytes, held: bool
) -> None:
    assert Head(method, url, [(b"content-type", content_type)]).is_held is held


def test_what_else_a_head_says() -> None:
    found = head(
        CHAT,
        (b"Traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        (b"X-Request-Id", b"r" * 300),
        (b"x-callgate-trace-name", "näme".encode()),
        (b"x-callgate-tags", b"a=b"),
        (b"Expect", b"100-Continue"),
        (b"Transfer-Encoding", b"chunked"),
        (b"content-encoding", b"gzip"),
    )
    assert (found.trace_id, found.parent_span_id) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert (found.client_request_id, found.trace_name, found.tags) == ("r" * 200, "näme", b"a=b")
    assert (found.expects_continue, found.chunked, found.content_encoding) == (True, True, b"gzip")
    assert (found.content_type, found.endpoint) == ("application/json", "POST /v1/chat/completions")
    assert head(CHAT, (b"traceparent", b"nonsense")).trace_id is None
    assert head(b"/p/groq/v1/chat/completions").dialect.name == "openai.chat"


def test_a_head_is_known_again_whatever_its_body() -> None:
    heads, one = KnownHeads(), head()
    key, known, length, body_at = heads.find(wire(2) + b"{}") or pytest.fail("no head found")
    assert (known, length, body_at) == (None, 2, len(wire(2)))
    heads.remember(key, one)
    for size in (0, 2, 123_456_789):
        assert heads.find(wire(size)) == (key, one, size, len(wire(size)))


@pytest.mark.parametrize(
    "other",
    [
        wire(2, b"x: y"),
        wire(2, path=b"/v1/embeddings"),
        wire(2).replace(b"accept: */*", b"accept: */* "),
        wire(2).replace(b"Content-Length", b"content-length"),
        wire(2).replace(b"host: gateway", b"Host: gateway"),
        wire(2).replace(b"HTTP/1.1", b"HTTP/1.0"),
        wire(2, b"authorization: Bearer cg-other"),
        wire(2, b"transfer-encoding: chunked"),
        wire(2, b"content-length: 3"),
        b"\r\n" + wire(2),
    ],
)
def test_a_head_that_differs_in_any_other_way_is_another(other: bytes) -> None:
    heads = KnownHeads()
    heads.remember((heads.find(wire(2)) or pytest.fail("no head found"))[0], head())
    found = heads.find(other)
    assert found is None or found[1] is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        wire(2)[:-1],
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        wire(2).replace(b"Content-Length: 2", b"Content-Length:2"),
        wire(2).replace(b"Content-Length: 2", b"Content-Length: +2"),
        wire(2).replace(b"Content-Length: 2", b"Content-Length: 2, 2"),
        wire(2).replace(b"Content-Length: 2", b"Content-Length: " + b"1" * 16),
        wire(2).replace(b"Content-Length: 2", b"x: a\n Content-Length: 2"),
    ],
)
def test_what_is_no_whole_head_with_a_plain_length_is_left_to_the_parser(data: bytes) -> None:
    assert KnownHeads().find(data) is None


def test_a_length_within_the_body_is_not_the_heads() -> None:
    assert KnownHeads().find(b"POST / HTTP/1.1\r\nhost: a\r\n\r\n\r\ncontent-length: 5\r\n\r\n") is None


def test_memory_is_bounded() -> None:
    heads, one = KnownHeads(), head()
    for number in range(MOST_REMEMBERED + 1):
        heads.remember(b"%d" % number, one)
    assert len(heads._known) == 1
