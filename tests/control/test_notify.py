"""Receivers of notices: each against a server that notes what it is sent, over real sockets; and where none may be."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from gateway.control.notify import KINDS, sink_of
from gateway.control.notify.sink import Undelivered, one_line
from gateway.control.notify.slack import content as slack_content
from gateway.control.notify.target import is_public
from gateway.core.alerts.notice import Notice
from gateway.settings.alerts import Notification

NOTICE = Notice(
    id="i1-firing",
    at_us=1_790_000_000_123_456,
    kind="firing",
    severity="error",
    rule="errors",
    of="lab",
    title="Firing: errors (lab)",
    text="Error rate of provider lab is 12.5 %, above 5 %.",
    incident="i1",
    metric="error_rate",
    value=12.5,
    limit=5,
    since_us=1_790_000_000_000_000,
    notify=("ops",),
)
OVER = msgspec.structs.replace(NOTICE, id="i1-resolved", kind="resolved", title="Resolved: errors (lab)")
LINK = "https://gate.example.com/alerts"
SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()


class Inbox:
    """What came: (head, body) of each request or mail. `answer` is sent back; None: nothing at all."""

    def __init__(self) -> None:
        self.came: list[tuple[str, bytes]] = []
        self.answer: bytes | None = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        self.connections = 0
        self.port = 0

    def headers(self) -> dict[str, str]:
        lines = self.came[-1][0].split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def json(self) -> Any:
        return msgspec.json.decode(self.came[-1][1])


@asynccontextmanager
async def http_server() -> AsyncIterator[Inbox]:
    inbox = Inbox()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inbox.connections += 1
        head = (await reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n")
        length = int(head.lower().partition("content-length:")[2].partition("\r\n")[0])
        inbox.came.append((head, await reader.readexactly(length)))
        if inbox.answer is not None:
            writer.write(inbox.answer)
        else:
            await reader.read()  # until the client has had enough
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        inbox.port = server.sockets[0].getsockname()[1]
        yield inbox


@asynccontextmanager
async def mail_server() -> AsyncIterator[Inbox]:
    inbox = Inbox()
    inbox.answer = b"250 taken\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inbox.connections += 1
        writer.write(b"220 mail.test\r\n")
        while line := await reader.readline():
            command = line[:4].upper()
            if command == b"DATA":
                writer.write(b"354 go on\r\n")
                body = await reader.readuntil(b"\r\n.\r\n")
                inbox.came.append(("", body.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")))
                writer.write(inbox.answer or b"")
            elif command == b"RCPT" and inbox.answer is not None and inbox.answer.startswith(b"55"):
                writer.write(inbox.answer)
            elif command == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 yes\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        inbox.port = server.sockets[0].getsockname()[1]
        yield inbox


SERVERS = {"email": mail_server}


def settings(kind: str, port: int, **more: Any) -> Notification:
    fields: dict[str, Any] = {"kind": kind, "allow_private": True, "timeout_s": 5}
    if kind == "email":
        fields |= {"host": "mail.test", "port": port, "tls": "none", "sender": "gate@example.com"}
        fields["to"] = ["ops@example.com", "ann@example.com"]
    else:
        fields["endpoint"] = f"http://hook.test:{port}/in/here?a=1"
    fields |= {"webhook": {"secret": SECRET}, "pagerduty": {"routing_key": "R0UT1NG"}}.get(kind, {})
    return Notification(**{**fields, **more})


async def here(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def trying(kind: str, work: Callable[[Inbox], Awaitable[None]]) -> None:
    async def run() -> None:
        async with SERVERS.get(kind, http_server)() as inbox:
            await work(inbox)

    asyncio.run(run())


each_kind = pytest.mark.parametrize("kind", KINDS)

# ------------------------------------------------------------------------------------------------ of every receiver


@each_kind
def test_a_notice_arrives_and_says_the_same_each_time(kind: str) -> None:
    async def work(inbox: Inbox) -> None:
        sink = sink_of(settings(kind, inbox.port), here)
        await sink.send(NOTICE, LINK)
        await sink.send(NOTICE, LINK)
        assert len(inbox.came) == 2
        assert inbox.came[0][1] == inbox.came[1][1], "the body of a repetition"
        for words in (b"Firing: errors (lab)", b"12.5 %", b"https://gate.example.com/alerts"):
            assert words in inbox.came[0][1]

    trying(kind, work)


@each_kind
def test_an_address_that_is_not_public_is_not_connected_to(kind: str) -> None:
    async def work(inbox: Inbox) -> None:
        for secure in ({"tls": "tls"}, {"tls": "starttls"}) if kind == "email" else ({},):
            guarded = settings(kind, inbox.port, allow_private=False, **secure)
            if guarded.endpoint is not None:
                guarded = msgspec.structs.replace(guarded, endpoint=guarded.endpoint.replace("http:", "https:"))
            with pytest.raises(Undelivered, match="not a public address") as refused:
                await sink_of(guarded, here).send(NOTICE, LINK)
            assert refused.value.is_final
        assert inbox.connections == 0

    trying(kind, work)


@each_kind
def test_a_name_is_looked_up_once_and_that_address_is_connected_to(kind: str) -> None:
    """Who answers otherwise the second time (DNS rebinding) is not asked a second time."""

    async def work(inbox: Inbox) -> None:
        asked: list[str] = []

        async def resolve(host: str, port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"] if len(asked) == 1 else ["127.9.9.9"]

        await sink_of(settings(kind, inbox.port), resolve).send(NOTICE, LINK)
        assert (len(asked), len(inbox.came)) == (1, 1)

    trying(kind, work)


@each_kind
def test_without_tls_only_where_private_is_allowed(kind: str) -> None:
    async def work(inbox: Inbox) -> None:
        with pytest.raises(Undelivered, match="allow_private"):
            await sink_of(settings(kind, inbox.port, allow_private=False), here).send(NOTICE, LINK)
        assert inbox.connections == 0

    trying(kind, work)


@each_kind
def test_nobody_there_and_nobody_known(kind: str) -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    async def work(inbox: Inbox) -> None:
        with pytest.raises(Undelivered, match="not known") as lost:
            await sink_of(settings(kind, inbox.port), unknown).send(NOTICE, LINK)
        assert not lost.value.is_final

    trying(kind, work)


@each_kind
@pytest.mark.parametrize(
    ("http", "smtp", "is_final", "words"),
    [
        (b"503 Busy", b"451 later\r\n", False, "later|503: busy"),
        (b"404 Gone", b"550 no such mailbox\r\n", True, "none of|no such|404: busy"),
    ],
)
def test_a_refusal_is_for_now_or_for_good(kind: str, http: bytes, smtp: bytes, is_final: bool, words: str) -> None:
    async def work(inbox: Inbox) -> None:
        inbox.answer = smtp if kind == "email" else b"HTTP/1.1 " + http + b"\r\ncontent-length: 4\r\n\r\nbusy"
        with pytest.raises(Undelivered, match=words) as refused:
            await sink_of(settings(kind, inbox.port), here).send(NOTICE, LINK)
        assert refused.value.is_final is is_final

    trying(kind, work)


@each_kind
def test_no_secret_in_what_is_shown(kind: str) -> None:
    async def work(inbox: Inbox) -> None:
        inbox.answer = b"599 x\r\n" if kind == "email" else b"HTTP/1.1 401 No\r\n\r\n"
        mine = settings(kind, inbox.port)
        with pytest.raises(Undelivered) as refused:
            await sink_of(mine, here).send(NOTICE, LINK)
        for secret in (SECRET, "R0UT1NG", "/in/here"):
            assert secret not in f"{refused.value} {mine!r}"

    trying(kind, work)
    assert "hunter2" not in repr(settings("email", 25, username="u", password="hunter2"))


# ------------------------------------------------------------------------------------------------ HTTP


over_http = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "email"])


@over_http
def test_the_request(kind: str) -> None:
    async def work(inbox: Inbox) -> None:
        await sink_of(settings(kind, inbox.port), here).send(NOTICE, LINK)
        assert inbox.came[0][0].startswith("POST /in/here?a=1 HTTP/1.1\r\n")
        headers = inbox.headers()
        assert (headers["host"], headers["content-type"]) == (f"hook.test:{inbox.port}", "application/json")

    trying(kind, work)


@over_http
def test_a_redirect_is_not_followed(kind: str) -> None:
    async def work(inbox: Inbox) -> None:
        inbox.answer = f"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{inbox.port}/else\r\n\r\n".encode()
        with pytest.raises(Undelivered, match="answered 302") as refused:
            await sink_of(settings(kind, inbox.port), here).send(NOTICE, LINK)
        assert (refused.value.is_final, inbox.connections) == (True, 1)

    trying(kind, work)


@over_http
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 429 Slow\r\nRetry-After: 90\r\n\r\n", "answered 429"),
        (None, "did not answer within 0.2 s"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "does not answer"),
        (b"HTTP/1.1 200", "does not answer"),
        (b"", "does not answer"),
    ],
)
def test_strange_answers(kind: str, answer: bytes | None, words: str) -> None:
    async def work(inbox: Inbox) -> None:
        inbox.answer = answer
        with pytest.raises(Undelivered, match=words) as refused:
            await sink_of(settings(kind, inbox.port, timeout_s=0.2 if answer is None else 5), here).send(NOTICE, LINK)
        assert not refused.value.is_final
        assert refused.value.retry_after_s == (90 if answer and b"429" in answer else None)

    trying(kind, work)


def test_early_hints_are_no_answer() -> None:
    async def work(inbox: Inbox) -> None:
        inbox.answer = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
        await sink_of(settings("slack", inbox.port), here).send(NOTICE, LINK)

    trying("slack", work)


def test_a_webhook_is_signed_as_standard_webhooks_has_it() -> None:
    async def work(inbox: Inbox) -> None:
        await sink_of(settings("webhook", inbox.port), here).send(NOTICE, LINK)
        headers, body = inbox.headers(), inbox.came[0][1]
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(b"k" * 24, signed, hashlib.sha256).digest()).decode()
        assert (headers["webhook-id"], headers["webhook-signature"]) == ("i1-firing", f"v1,{expected}")
        assert inbox.json()["type"] == "alert.firing"
        assert inbox.json()["timestamp"] == "2026-09-21T14:13:20.123Z"
        data = inbox.json()["data"]
        assert (data["incident"], data["value"], data["limit"]) == ("i1", 12.5, 5)

    trying("webhook", work)


def test_pagerduty_opens_and_resolves_one_incident() -> None:
    async def work(inbox: Inbox) -> None:
        sink = sink_of(settings("pagerduty", inbox.port), here)
        await sink.send(NOTICE, LINK)
        event = inbox.json()
        assert (event["event_action"], event["dedup_key"], event["routing_key"]) == ("trigger", "i1", "R0UT1NG")
        assert event["payload"]["severity"] == "error"
        await sink.send(OVER, LINK)
        assert inbox.json() == {"routing_key": "R0UT1NG", "event_action": "resolve", "dedup_key": "i1"}

    trying("pagerduty", work)


def test_a_tenants_name_calls_nobody_in_slack() -> None:
    text = str(slack_content(msgspec.structs.replace(NOTICE, title="Firing (<!channel>\n*&)", text="<@U1>"), ""))
    assert "&lt;!channel&gt; *&amp;" in text
    assert "<" not in text


# ------------------------------------------------------------------------------------------------ mail


def test_a_mail() -> None:
    async def work(inbox: Inbox) -> None:
        strange = msgspec.structs.replace(NOTICE, title="Firing: é\r\nBcc: all@example.com")
        await sink_of(settings("email", inbox.port), here).send(strange, LINK)
        mail = email.message_from_bytes(inbox.came[0][1], policy=email.policy.default)
        assert mail["Subject"] == "[Callgate] Firing: é Bcc: all@example.com"
        assert (mail["Bcc"], mail["To"]) == (None, "ops@example.com, ann@example.com")
        assert (mail["Message-ID"], mail["References"]) == ("<i1-firing@example.com>", "<i1@example.com>")

    trying("email", work)


def test_a_mail_server_without_tls_gets_no_mail() -> None:
    async def work(inbox: Inbox) -> None:
        with pytest.raises(Undelivered):
            await sink_of(settings("email", inbox.port, tls="starttls"), here).send(NOTICE, LINK)
        assert inbox.came == []

    trying("email", work)


# ------------------------------------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),  # the metadata service of clouds
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00:ec2::254", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_one_line() -> None:
    assert one_line("a\r\n b\x00c\u202e\td", 99) == "a b c d"
    assert one_line("x" * 10, 5) == "xxxx…"
