"""Receivers behind TLS: the connection goes to the address that was checked, the certificate must be the name's."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.control.notify import sink_of
from gateway.control.notify.sink import Undelivered
from gateway.core.alerts.notice import Notice
from gateway.settings.alerts import Notification

NOTICE = Notice(
    id="i1-firing", at_us=1_790_000_000_000_000, kind="firing", severity="error", rule="errors", title="Firing: errors",
    text="Too many.", incident="i1",
)  # fmt: skip


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """One that vouches for itself, and what a server serves with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "certificate.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return pem, context


async def here(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


class Mailroom:
    """An SMTP server: `tls` from the start, or when it is asked for."""

    def __init__(self, context: ssl.SSLContext, how: str) -> None:
        self.context, self.how = context, how
        self.mails: list[bytes] = []
        self.plain: list[bytes] = []
        """What was said before TLS."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secure = self.how == "tls"
        writer.write(b"220 mail.test\r\n")
        while line := await reader.readline():
            if not secure:
                self.plain.append(line[:8].strip())
            match line[:4].upper():
                case b"EHLO":
                    offers = b"AUTH PLAIN" if secure else b"STARTTLS"
                    writer.write(b"250-mail.test\r\n250 " + offers + b"\r\n")
                case b"STAR":
                    writer.write(b"220 go on\r\n")
                    await writer.start_tls(self.context)
                    secure = True
                case b"AUTH":
                    writer.write(b"235 welcome\r\n")
                case b"DATA":
                    writer.write(b"354 go on\r\n")
                    self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                    writer.write(b"250 taken\r\n")
                case b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                case _:
                    writer.write(b"250 yes\r\n")
        writer.close()


async def hook(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    await writer.drain()
    writer.close()


async def told(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    context: ssl.SSLContext | None,
    settings: Callable[[int], Notification],
) -> None:
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        port: int = server.sockets[0].getsockname()[1]
        await sink_of(settings(port), here).send(NOTICE, "")


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate for `hook.test` that this machine trusts."""
    pem, context = certificate(tmp_path, "hook.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    return context


def slack(host: str) -> Callable[[int], Notification]:
    return lambda port: Notification(kind="slack", endpoint=f"https://{host}:{port}/x", allow_private=True)


def mail(host: str, tls: str) -> Callable[[int], Notification]:
    return lambda port: Notification(
        kind="email", host=host, port=port, tls=tls, username="gate", password="hunter2", sender="a@example.com",  # type: ignore[arg-type]  # a way
        to=["b@example.com"], allow_private=True, timeout_s=5,
    )  # fmt: skip


def test_a_hook_by_the_name_of_its_certificate(trusted: ssl.SSLContext) -> None:
    asyncio.run(told(hook, trusted, slack("hook.test")))


def test_a_hook_by_another_name(trusted: ssl.SSLContext) -> None:
    with pytest.raises(Undelivered, match=r"certificate of other\.test does not hold"):
        asyncio.run(told(hook, trusted, slack("other.test")))


def test_a_hook_that_nobody_vouches_for(tmp_path: Path) -> None:
    _, context = certificate(tmp_path, "hook.test")
    with pytest.raises(Undelivered, match=r"certificate of hook\.test does not hold"):
        asyncio.run(told(hook, context, slack("hook.test")))


@pytest.mark.parametrize("how", ["starttls", "tls"])
def test_mail_through_tls(how: str, trusted: ssl.SSLContext) -> None:
    room = Mailroom(trusted, how)
    asyncio.run(told(room.serve, trusted if how == "tls" else None, mail("hook.test", how)))
    assert len(room.mails) == 1
    assert b"Too many." in room.mails[0]
    assert not any(line.startswith((b"AUTH", b"MAIL")) for line in room.plain)


@pytest.mark.parametrize("how", ["starttls", "tls"])
def test_no_mail_and_no_password_to_another_s_certificate(how: str, trusted: ssl.SSLContext) -> None:
    room = Mailroom(trusted, how)
    with pytest.raises(Undelivered, match="SSLCertVerificationError"):
        asyncio.run(told(room.serve, trusted if how == "tls" else None, mail("other.test", how)))
    assert room.mails == []
