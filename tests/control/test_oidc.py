"""Single sign-on against a provider of our own, with real signatures over real sockets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette

from gateway import worker
from gateway.control.oidc import fitting, identified
from gateway.settings import Settings
from gateway.settings.identity import RoleRule, SignIn, SingleSignOn
from tests.api.fakes import FakeStore, make_state

CLIENT = "callgate"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
RULES = [
    RoleRule(claim="groups", value="llm-admins", role="admin"),
    RoleRule(domain="example.com", claim="groups", value="acme", role="member", tenant="acme"),
    RoleRule(domain="example.com"),
]


class FakeProvider:
    """Discovery, keys, tokens. `person` is who signs in, `spoil` what is wrong with the answer."""

    def __init__(self) -> None:
        self.person: dict[str, Any] = {"sub": "1", "email": "ann@example.com", "email_verified": True, "name": "Ann"}
        self.spoil: dict[str, Any] = {}
        self.key = KEY
        self.challenge = self.nonce = ""
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path: str, form: dict[str, list[str]]) -> tuple[int, Any]:
        if path == "/.well-known/openid-configuration":
            ends = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "keys"}
            return 200, {"issuer": self.issuer, **{name: f"{self.issuer}/{end}" for name, end in ends.items()}}
        if path == "/keys":
            key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
            return 200, {"keys": [{**key, "kid": "one", "alg": "RS256"}]}
        verifier = form["code_verifier"][0].encode()
        proof = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=").decode()
        if form["code"] != ["good"] or proof != self.challenge or form["client_secret"] != ["hush"]:
            return 400, {"error": "invalid_grant", "error_description": "no such code"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": self.nonce, **self.person}
        return 200, {"id_token": jwt.encode(claims | self.spoil, self.key, "RS256", headers={"kid": "one"})}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("content-length", 0))
                status, body = provider.answer(self.path, parse_qs(self.rfile.read(length).decode()))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            do_POST = do_GET  # noqa: N815 - as the base class calls it

            def log_message(self, *args: Any) -> None: ...

        return Handler


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    made = FakeProvider()
    yield made
    made.close()


@pytest.fixture
def app(provider: FakeProvider, tmp_path: Path) -> Starlette:
    oidc = SingleSignOn(issuer=provider.issuer, client_id=CLIENT, client_secret="hush", label="Example ID", rules=RULES)
    settings = Settings(sign_in=SignIn(oidc=oidc, public_url="http://callgate.test"))
    return worker.make_app(make_state(FakeStore(), tmp_path, settings=settings))


def sign_in(app: Starlette, provider: FakeProvider, code: str = "good", state: str | None = None) -> httpx.Response:
    """Out and back; the answer to `/api/me` where it worked, else what the person is told."""

    async def walk() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://callgate.test") as browser:
            begun = await browser.get("/login/start?next=/requests")
            if begun.status_code != 303:
                return begun
            asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.headers["location"]).query).items()}
            assert asked["redirect_uri"] == "http://callgate.test/login/back"
            assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
            provider.challenge, provider.nonce = asked["code_challenge"], asked["nonce"]
            back = await browser.get("/login/back", params={"code": code, "state": state or asked["state"]})
            if back.status_code != 303:
                return back
            assert back.headers["location"] == "/requests"
            return await browser.get("/api/me")

    return asyncio.run(walk())


@pytest.mark.parametrize(
    ("proxies", "scheme", "secure"),
    [(("127.0.0.1",), "https", True), (("127.0.0.1",), "http", False), ((), "http", False)],
)
def test_behind_our_own_proxy_the_way_back_is_as_the_browser_has_it(
    proxies: tuple[str, ...], scheme: str, secure: bool, app: Starlette
) -> None:
    sessions = app.state.callgate.sessions
    sessions.proxies, sessions.settings = proxies, msgspec.structs.replace(sessions.settings, public_url=None)

    async def begin() -> httpx.Response:
        said = "https" if scheme == "https" or not proxies else "http"
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://callgate.test"
        ) as browser:
            return await browser.get("/login/start", headers={"x-forwarded-proto": said})

    begun = asyncio.run(begin())
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert asked["redirect_uri"] == [f"{scheme}://callgate.test/login/back"]
    assert ("Secure" in begun.headers["set-cookie"]) is secure


@pytest.mark.parametrize(
    ("groups", "role", "tenant"),
    [([], "viewer", None), (["acme", "x"], "member", "acme"), (["llm-admins", "acme"], "admin", None)],
)
def test_rules_say_who_comes_in_as_what(
    groups: list[str], role: str, tenant: str | None, app: Starlette, provider: FakeProvider
) -> None:
    provider.person["groups"] = groups
    me = sign_in(app, provider).json()
    assert (me["name"], me["role"], me["tenant"]) == ("ann@example.com", role, tenant)


def test_the_rules_of_today_count(app: Starlette, provider: FakeProvider) -> None:
    provider.person["groups"] = ["llm-admins"]
    assert sign_in(app, provider).json()["role"] == "admin"
    provider.person["groups"] = ["acme"]
    app.state.callgate.identity.people._not_the_last_admin = lambda user: None  # somebody else is one too
    assert sign_in(app, provider).json()["role"] == "member"
    provider.person |= {"groups": [], "email": "ann@elsewhere.test"}
    refused = sign_in(app, provider)
    assert refused.status_code == 403
    assert "No rule lets you in any more" in refused.text


def test_who_an_admin_added_is_what_the_admin_said(app: Starlette, provider: FakeProvider) -> None:
    people = app.state.callgate.identity.people
    asyncio.run(people.create("ann@example.com", role="member", tenant="globex", actor="operator"))
    for _ in range(2):
        me = sign_in(app, provider).json()
        assert (me["role"], me["tenant"]) == ("member", "globex")
    provider.person["sub"] = "2"
    assert "somebody else at this provider" in sign_in(app, provider).text


@pytest.mark.parametrize(
    ("person", "words"),
    [
        ({"email": "eve@elsewhere.test"}, "may not come in"),
        ({"email_verified": False}, "may not come in"),
        ({"email": None}, "may not come in"),
    ],
)
def test_strangers_stay_outside(person: dict[str, Any], words: str, app: Starlette, provider: FakeProvider) -> None:
    provider.person |= person
    refused = sign_in(app, provider)
    assert (refused.status_code, words in refused.text) == (403, True)


@pytest.mark.parametrize(
    "spoil",
    [
        {"aud": "somebody-else"},
        {"aud": [CLIENT, "x"]},
        {"iss": "http://evil.test"},
        {"nonce": "another"},
        {"exp": 1},
        {"iat": None},
    ],
)
def test_tokens_that_are_not_good(spoil: dict[str, Any], app: Starlette, provider: FakeProvider) -> None:
    provider.spoil = spoil
    refused = sign_in(app, provider)
    assert refused.status_code == 403
    assert "ID token" in refused.text


def test_a_token_signed_by_another(app: Starlette, provider: FakeProvider) -> None:
    provider.key = OTHER_KEY
    assert "ID token" in sign_in(app, provider).text


def test_a_code_or_state_that_is_another(app: Starlette, provider: FakeProvider) -> None:
    assert "no such code" in sign_in(app, provider, code="bad").text
    assert sign_in(app, provider, state="another").status_code == 400
    app.state.callgate.identity.sessions.settings = SignIn()
    assert sign_in(app, provider).status_code == 404


def test_a_provider_that_is_gone_says_so(app: Starlette, provider: FakeProvider) -> None:
    provider.close()
    refused = sign_in(app, provider)
    assert (refused.status_code, "does not answer" in refused.text) == (502, True)


def test_a_rule_holds_when_all_of_it_does() -> None:
    who = identified({"iss": "i", "sub": "s", "email": "A@Example.com", "email_verified": True, "groups": "acme"})
    assert who.email == "a@example.com"
    assert fitting(RULES, who) is RULES[1]
    assert fitting([RoleRule()], who) is None
    assert fitting([RoleRule(domain="ample.com")], who) is None
    unverified = identified({**cast("dict[str, Any]", who.claims), "email_verified": False})
    assert fitting(RULES, unverified) is None
