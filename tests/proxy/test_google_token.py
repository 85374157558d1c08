"""Access tokens for Vertex AI: asked for as RFC 7523 and RFC 6749 have it, renewed ahead of their end, never shown."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.core.proxies import Proxies
from gateway.proxy import google, renewal
from gateway.proxy.google import SCOPE, fetched, read
from gateway.proxy.renewal import RenewedToken, Token
from gateway.proxy.signing import CredentialsError, signer_for
from gateway.settings import Provider

PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = PRIVATE.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
DIRECT = Proxies()


class Grants(ThreadingHTTPServer):
    """Answers what it is told to, and keeps the forms it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Grant)
        self.forms: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: tuple[int, Any] = (200, {"access_token": "ya29.token", "expires_in": 3599})
        self.location: str | None = None
        self.url = f"http://127.0.0.1:{self.server_port}/token"


class _Grant(BaseHTTPRequestHandler):
    server: Grants

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        self.server.forms.append({name: values[0] for name, values in form.items()})
        self._answer()

    def do_GET(self) -> None:
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        self._answer()

    def _answer(self) -> None:
        status, body = self.server.answer
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        if self.server.location:
            self.send_header("location", self.server.location)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing to the terminal."""


@pytest.fixture
def grants() -> Iterator[Grants]:
    server = Grants()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def account(grants: Grants, **others: Any) -> str:
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "p",
            "client_email": "robot@p.iam.gserviceaccount.com",
            "private_key": PEM,
            "private_key_id": "kid-1",
            "token_uri": grants.url,
            **others,
        }
    )


def user(grants: Grants) -> str:
    trade = {"client_id": "id", "client_secret": "s3cret", "refresh_token": "1//r", "token_uri": grants.url}
    return json.dumps({"type": "authorized_user", **trade})


# ---------------------------------------------------------------------------------------------- what is asked for


def test_a_service_account_signs_for_a_token(grants: Grants, tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    path.write_text(account(grants))
    assert fetched(str(path), DIRECT) == Token("ya29.token", 3599)
    (form,) = grants.forms
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(form["assertion"], PRIVATE.public_key(), algorithms=["RS256"], audience=grants.url)
    assert (claims["iss"], claims["scope"], claims["exp"] - claims["iat"]) == (
        "robot@p.iam.gserviceaccount.com",
        SCOPE,
        3600,
    )
    assert jwt.get_unverified_header(form["assertion"])["kid"] == "kid-1"


def test_a_user_s_token_is_traded(grants: Grants) -> None:
    assert fetched(user(grants), DIRECT).value == "ya29.token"
    assert grants.forms == [
        {"grant_type": "refresh_token", "client_id": "id", "client_secret": "s3cret", "refresh_token": "1//r"}
    ]


def test_a_machine_of_googles_is_asked_for_its_own(grants: Grants, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google, "METADATA_URI", grants.url)
    assert fetched("metadata", DIRECT).value == "ya29.token"
    assert grants.headers[0]["metadata-flavor"] == "Google"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("/nowhere/at/all.json", "cannot be read: No such file or directory"),
        ("{", "no JSON object as Google hands it out"),
        ('{"type": 1}', "no JSON object as Google hands it out"),
        ("{}", "the type is ''"),
        ('{"type": "external_account"}', "the type is 'external_account'"),
        ('{"type": "service_account", "client_email": "a"}', "and complete"),
        (
            '{"type": "service_account", "client_email": "a", "private_key": "b", "token_uri": "http://evil.test/"}',
            "the token_uri of Google's credentials is no https address",
        ),
    ],
)
def test_credentials_that_are_none_say_why(written: str, says: str) -> None:
    with pytest.raises(CredentialsError, match=says.replace("(", r"\(")):
        read(written)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            (400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}),
            "invalid_grant: Invalid JWT",
        ),
        ((500, b"<html>s3cret"), "it answers with status 500"),
        ((200, b"no json"), "its answer has none"),
        ((200, {"access_token": "a\r\nb"}), "what it gives is none"),
        ((200, {}), "its answer has none"),
    ],
)
def test_a_refusal_says_why(grants: Grants, answer: tuple[int, Any], says: str) -> None:
    grants.answer = answer
    with pytest.raises(CredentialsError, match=says) as caught:
        fetched(user(grants), DIRECT)
    assert "s3cret" not in str(caught.value)


def test_an_assertion_follows_no_redirect(grants: Grants) -> None:
    grants.answer, grants.location = (307, {}), grants.url + "/elsewhere"
    with pytest.raises(CredentialsError, match="status 307"):
        fetched(account(grants), DIRECT)
    assert len(grants.forms) == 1


def test_a_key_that_is_none_and_a_host_that_is_not_there(grants: Grants) -> None:
    with pytest.raises(CredentialsError, match="no RSA key in PEM"):
        fetched(account(grants, private_key="-----BEGIN"), DIRECT)
    with pytest.raises(CredentialsError, match="cannot be reached"):
        fetched(account(grants, token_uri="http://127.0.0.1:1/"), DIRECT)


def test_nothing_shows_a_secret(grants: Grants) -> None:
    provider = Provider(google_credentials=account(grants))
    signer = signer_for(provider, DIRECT)
    for shown in (repr(provider), repr(read(account(grants))), repr(signer), repr(read(user(grants)))):
        assert "PRIVATE KEY" not in shown
        assert "s3cret" not in shown


# ---------------------------------------------------------------------------------------------- how it is kept


class Call:
    def __init__(self) -> None:
        self.outcome: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def signed(self) -> None:
        self.outcome.set_result(None)

    def connect_failed(self, error: Exception) -> None:
        self.outcome.set_result(error)


class Fetching:
    """Hands out what is in its list, one at a time, and counts."""

    def __init__(self, *answers: Token | CredentialsError) -> None:
        self.answers = list(answers)
        self.count = 0

    def __call__(self) -> Token:
        self.count += 1
        answer = self.answers.pop(0)
        if isinstance(answer, CredentialsError):
            raise answer
        return answer


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def line(token: RenewedToken) -> bytes:
    return token(b"POST", b"/", b"")


def test_calls_wait_for_the_first_token_together_and_then_no_more() -> None:
    async def run() -> None:
        fetching = Fetching(Token("t1", 3600))
        token = RenewedToken("vertex", fetching)
        assert not token.ready
        calls = [Call() for _ in range(3)]
        gone = Call()
        for call in (*calls, gone):
            token.wait(call)
        token.forget(gone)
        assert await asyncio.gather(*(call.outcome for call in calls)) == [None] * 3
        assert (token.ready, fetching.count, gone.outcome.done()) == (True, 1, False)
        assert line(token) == b"authorization: Bearer t1\r\n"
        token.close()

    asyncio.run(run())


def test_who_waits_hears_of_a_failure_and_the_next_one_tries_again() -> None:
    async def run() -> None:
        refused = CredentialsError("it is refused")
        token = RenewedToken("vertex", Fetching(refused, Token("t1", 3600)))
        first, second = Call(), Call()
        token.wait(first)
        assert await first.outcome is refused
        assert not token.ready
        token.wait(second)
        assert await second.outcome is None
        assert token.ready
        token.close()

    asyncio.run(run())


def test_a_token_that_is_used_is_renewed_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "SPARE_S", 0.0)

    async def run() -> None:
        fetching = Fetching(Token("t1", 0.2), Token("t2", 3600))
        token = RenewedToken("vertex", fetching)
        call = Call()
        token.wait(call)
        await call.outcome
        assert line(token) == b"authorization: Bearer t1\r\n"
        await until(lambda: fetching.count == 2 and line(token) == b"authorization: Bearer t2\r\n")
        assert token.ready
        token.close()

    asyncio.run(run())


def test_one_that_nobody_uses_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "SPARE_S", 0.0)

    async def run() -> None:
        fetching = Fetching(Token("t1", 0.02))
        token = RenewedToken("vertex", fetching)
        call = Call()
        token.wait(call)
        await call.outcome
        await until(lambda: not token.ready)
        assert fetching.count == 1
        token.close()

    asyncio.run(run())


def test_a_renewal_that_fails_is_tried_again_while_the_token_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "SPARE_S", 0.0)
    monkeypatch.setattr(renewal, "AGAIN_S", 0.01)
    monkeypatch.setattr(renewal, "RENEW_BEFORE_S", 3599.99)

    async def run() -> None:
        fetching = Fetching(Token("t1", 0.1), CredentialsError("not now"), Token("t2", 3600))
        token = RenewedToken("vertex", fetching)
        call = Call()
        token.wait(call)
        await call.outcome
        line(token)
        await until(lambda: fetching.count == 3 and line(token) == b"authorization: Bearer t2\r\n")
        token.close()

    asyncio.run(run())
