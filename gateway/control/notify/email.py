"""Mail by SMTP, in a thread: the library waits. Its `Message-ID` is the notice's, so that a repetition is known."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from gateway.control.notify.sink import Undelivered, one_line
from gateway.control.notify.target import RESOLVER, addresses
from gateway.core.alerts.notice import Notice
from gateway.settings.alerts import Notification

STEPS = 6
"""Of a conversation that takes as long as it may at each: connect, hello, TLS, sign in, envelope, mail."""


class Email:
    def __init__(self, settings: Notification, resolve: RESOLVER) -> None:
        self._settings = settings
        self._resolve = resolve

    async def send(self, notice: Notice, link: str) -> None:
        settings = self._settings
        if settings.tls == "none" and (settings.password is not None or not settings.allow_private):
            raise Undelivered("it is without TLS, which only allow_private: true lets through", is_final=True)
        host = settings.host or ""
        try:
            async with asyncio.timeout(settings.timeout_s):
                found = await addresses(host, settings.port, self._resolve, allow_private=settings.allow_private)
            message = content(notice, link, settings)
            async with asyncio.timeout(settings.timeout_s * STEPS):
                await asyncio.to_thread(_deliver, settings, found[0], message)
        except smtplib.SMTPResponseException as exc:
            said = exc.smtp_error.decode("utf-8", "replace") if isinstance(exc.smtp_error, bytes) else exc.smtp_error
            raise Undelivered(
                f"{host} said {exc.smtp_code}: {one_line(said, 200)}", is_final=exc.smtp_code >= 500
            ) from exc
        except smtplib.SMTPRecipientsRefused as exc:
            is_final = all(code >= 500 for code, _ in exc.recipients.values())
            raise Undelivered(f"{host} takes mail for none of the addresses", is_final=is_final) from exc
        except TimeoutError as exc:
            raise Undelivered(f"{host} did not answer in time") from exc
        except (OSError, smtplib.SMTPException) as exc:
            raise Undelivered(f"{host} does not answer as a mail server does ({type(exc).__name__})") from exc


def content(notice: Notice, link: str, settings: Notification) -> EmailMessage:
    message = EmailMessage()
    sender = settings.sender or ""
    message["From"] = sender
    message["To"] = ", ".join(settings.to)
    message["Subject"] = one_line(f"[Callgate] {notice.title}", 200)
    message["Date"] = format_datetime(datetime.fromtimestamp(notice.at_us / 1_000_000, UTC))
    domain = sender.rpartition("@")[2].strip("<> ") or "callgate"
    message["Message-ID"] = f"<{notice.id}@{domain}>"
    if notice.incident != notice.id:
        message["References"] = f"<{notice.incident}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    lines = [notice.text, "", f"Severity: {notice.severity}", f"Rule: {notice.rule}", *([link] if link else [])]
    message.set_content("\n".join(one_line(line, 2000) for line in lines) + "\n")
    return message


def _deliver(settings: Notification, address: str, message: EmailMessage) -> None:
    context = ssl.create_default_context() if settings.tls != "none" else None
    with _Pinned(settings, address, context if settings.tls == "tls" else None) as client:
        if settings.tls == "starttls" and context is not None:
            client.starttls(context=context)
        if settings.username is not None:
            client.login(settings.username, settings.password or "")
        client.send_message(message)


class _Pinned(smtplib.SMTP):
    """Connects to the address that was checked; the certificate must be the name's."""

    def __init__(self, settings: Notification, address: str, context: ssl.SSLContext | None) -> None:
        self._address = address
        self._context = context
        super().__init__(
            settings.host or "", settings.port, local_hostname=socket.gethostname(), timeout=settings.timeout_s
        )

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """The hook that smtplib.SMTP_SSL uses too."""
        plain = socket.create_connection((self._address, port), timeout)
        return plain if self._context is None else self._context.wrap_socket(plain, server_hostname=host)
