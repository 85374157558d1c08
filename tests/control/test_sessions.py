from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest
from itsdangerous import TimestampSigner
from starlette.requests import Request
from starlette.responses import Response

from gateway.control import one_time
from gateway.control.directory import Directory, User
from gateway.control.keys import Keyring
from gateway.control.people import People
from gateway.control.principal import Principal, SignInRefused, local_path
from gateway.control.sessions import Sessions
from gateway.control.throttle import Throttle
from gateway.settings.identity import SignIn
from tests.api.fakes import KEYS, SECRET, TOKENS, FakeStore


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def keyring(store: FakeStore) -> Keyring:
    return Keyring(SECRET, store, KEYS)


@pytest.fixture
def people(store: FakeStore, keyring: Keyring) -> People:
    return People(Directory(store), keyring)


@pytest.fixture
def sessions(keyring: Keyring, people: People, tmp_path: Path) -> Sessions:
    return Sessions(keyring, people, SECRET, tmp_path)


def request(
    headers: Mapping[str, str] | None = None, *, body: bytes = b"", query: str = "", scheme: str = "http"
) -> Request:
    sent = [
        (name.encode(), value.encode("latin-1")) for name, value in {"host": "gate:4000", **(headers or {})}.items()
    ]

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body}

    return Request(
        {
            "type": "http",
            "method": "POST",
            "scheme": scheme,
            "path": "/login",
            "query_string": query.encode(),
            "headers": sent,
            "client": ("10.0.0.9", 1234),
            "server": ("gate", 4000),
        },
        receive,  # type: ignore[arg-type]  # the one message there is
    )


def post(sessions: Sessions, fields: Mapping[str, str], *, scheme: str = "http") -> Response:
    sent = request({"sec-fetch-site": "same-origin"}, body=urlencode(fields).encode(), scheme=scheme)
    return asyncio.run(sessions.sign_in(sent))


def cookie_of(response: Response) -> dict[str, str]:
    return {"cookie": response.headers["set-cookie"].partition(";")[0]}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("admin", Principal("config:admin", "admin", "admin", via="session")),
        ("acme", Principal("config:acme", "acme", "viewer", "acme", via="session")),
        ("staging", Principal("config:staging", "staging", "viewer", None, "staging", via="session")),
    ],
)
def test_signing_in(name: str, expected: Principal, sessions: Sessions) -> None:
    answer = post(sessions, {"key": f" {TOKENS[name]} ", "next": "/requests?q=a"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/requests?q=a")
    assert sessions.principal(request(cookie_of(answer))) == expected


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_http(
    scheme: str, secure: bool, sessions: Sessions
) -> None:
    cookie = post(sessions, {"key": TOKENS["admin"]}, scheme=scheme).headers["set-cookie"]
    assert cookie.startswith("callgate_session_4000=")
    assert "; HttpOnly" in cookie
    assert "; SameSite=lax" in cookie
    assert ("; Secure" in cookie) is secure
    assert TOKENS["admin"] not in cookie


@pytest.mark.parametrize(
    ("key", "status", "words"),
    [
        ("", 401, "not known here"),
        ("nonsense", 401, "not known here"),
        (TOKENS["app"], 403, "viewer or admin"),
    ],
)
def test_who_may_not_sign_in(key: str, status: int, words: str, sessions: Sessions) -> None:
    with pytest.raises(SignInRefused, match=words) as caught:
        post(sessions, {"key": key})
    assert caught.value.status == status


def test_forms_of_other_sites_and_huge_ones_are_refused(sessions: Sessions) -> None:
    body = urlencode({"key": TOKENS["admin"]}).encode()
    with pytest.raises(SignInRefused, match="another site"):
        asyncio.run(sessions.sign_in(request({"sec-fetch-site": "cross-site"}, body=body)))
    with pytest.raises(SignInRefused, match="larger"):
        asyncio.run(sessions.sign_in(request({"sec-fetch-site": "same-origin"}, body=b"key=" + b"x" * 20_000)))
    with pytest.raises(SignInRefused, match="cannot be read"):
        asyncio.run(sessions.sign_in(request({"sec-fetch-site": "same-origin"}, body=b"\xff\xfe")))


def test_revoking_the_key_ends_its_sessions(sessions: Sessions, keyring: Keyring) -> None:
    cookie = cookie_of(post(sessions, {"key": TOKENS["viewer"]}))
    keyring.declare([key for key in KEYS if key.name != "viewer"])
    assert sessions.principal(request(cookie)) is None


def test_a_key_that_became_an_app_key_no_longer_reads(sessions: Sessions, keyring: Keyring) -> None:
    cookie = cookie_of(post(sessions, {"key": TOKENS["viewer"]}))
    [app] = [key for key in KEYS if key.name == "app"]
    keyring.declare([type(app)(name="viewer", key=TOKENS["viewer"], role="app")])
    assert sessions.principal(request(cookie)) is None


@pytest.mark.parametrize("value", ["", "x", "a.b.c", "ImtleTpjb25maWc6YWRtaW4i.aaaaaa.bbbb"])
def test_forged_cookies(value: str, sessions: Sessions) -> None:
    assert sessions.principal(request({"cookie": f"callgate_session_4000={value}"})) is None


def test_cookies_of_another_installation(sessions: Sessions, keyring: Keyring, people: People, tmp_path: Path) -> None:
    other = Sessions(keyring, people, b"o" * 32, tmp_path)
    assert sessions.principal(request(cookie_of(post(other, {"key": TOKENS["admin"]})))) is None


def test_sessions_end(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = cookie_of(post(sessions, {"key": TOKENS["admin"]}))
    assert sessions.principal(request(cookie)) is not None
    later = int(time.time()) + sessions.max_age_s + 2
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: later)
    assert sessions.principal(request(cookie)) is None


def test_a_key_in_the_headers_goes_before_the_session(sessions: Sessions) -> None:
    cookie = cookie_of(post(sessions, {"key": TOKENS["admin"]}))
    found = sessions.principal(request({**cookie, "authorization": f"Bearer {TOKENS['app']}"}))
    assert found is not None
    assert (found.name, found.via) == ("app", "key")
    assert sessions.principal(request({**cookie, "x-api-key": "wrong"})) is None


def test_signing_out(sessions: Sessions) -> None:
    answer = asyncio.run(sessions.sign_out(request()))
    assert answer.headers["location"] == "/login"
    assert 'callgate_session_4000="";' in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]


# ------------------------------------------------------------------------------------------------ the link


def test_the_printed_link_signs_in_once(sessions: Sessions, keyring: Keyring, people: People, tmp_path: Path) -> None:
    token = sessions.one_time_token()
    other_worker = Sessions(keyring, people, SECRET, tmp_path)
    answer = asyncio.run(other_worker.redeem(request(query="next=/requests"), token))
    assert answer.headers["location"] == "/requests"
    found = sessions.principal(request(cookie_of(answer)))
    assert found is not None
    assert (found.role, found.key_id) == ("admin", None)
    for worker in (sessions, other_worker):
        with pytest.raises(SignInRefused, match="used already"):
            asyncio.run(worker.redeem(request(), token))


def test_of_many_at_once_one_wins(sessions: Sessions, keyring: Keyring, people: People, tmp_path: Path) -> None:
    token = sessions.one_time_token()
    workers = [Sessions(keyring, people, SECRET, tmp_path) for _ in range(8)]

    def redeemed(worker: Sessions) -> bool:
        try:
            asyncio.run(worker.redeem(request(), token))
        except SignInRefused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(redeemed, workers)) == 1


def test_links_grow_old(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    token = sessions.one_time_token()
    later = one_time.now_us() + one_time.MAX_AGE_S * 1_000_000 + 1
    monkeypatch.setattr(one_time, "now_us", lambda: later)
    with pytest.raises(SignInRefused):
        asyncio.run(sessions.redeem(request(), token))


@pytest.mark.parametrize("token", ["", "x", "../secret", "\0"])
def test_tokens_that_never_were(token: str, sessions: Sessions, tmp_path: Path) -> None:
    sessions.one_time_token()
    with pytest.raises(SignInRefused):
        asyncio.run(sessions.redeem(request(), token))
    assert len(list((tmp_path / "sign-in").iterdir())) == 1


def test_the_token_is_not_on_disk(sessions: Sessions, tmp_path: Path) -> None:
    token = sessions.one_time_token()
    [file] = (tmp_path / "sign-in").iterdir()
    assert token not in file.name
    assert token not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


# ------------------------------------------------------------------------------------------------ throttling


def test_guessing_is_slowed_down(keyring: Keyring, people: People, tmp_path: Path) -> None:
    sessions = Sessions(keyring, people, SECRET, tmp_path, throttle=Throttle(tries=3, window_s=60))
    for _ in range(3):
        with pytest.raises(SignInRefused, match="not known"):
            post(sessions, {"key": "guess"})
    with pytest.raises(SignInRefused) as caught:
        post(sessions, {"key": TOKENS["admin"]})
    assert caught.value.status == 429
    assert caught.value.retry_after_s is not None
    assert 0 < caught.value.retry_after_s <= 60


def test_the_window_slides_and_addresses_are_apart() -> None:
    throttle = Throttle(tries=2, window_s=10)
    throttle.failed("a", 0)
    throttle.failed("a", 4)
    assert throttle.wait_s("a", 5) == 5
    assert throttle.wait_s("b", 5) == 0
    assert throttle.wait_s("a", 10.5) == 0
    throttle.failed("a", 11)
    assert throttle.wait_s("a", 12) == 2


def test_the_throttle_is_bounded() -> None:
    throttle = Throttle(tries=1, window_s=1e9, names=3)
    for number in range(10):
        throttle.failed(str(number), number)
    assert [bool(throttle.wait_s(str(number), 10)) for number in range(10)] == [False] * 7 + [True] * 3


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/requests?q=a&x=%2F", "/requests?q=a&x=%2F"),
        ("", "/"),
        ("https://evil.test", "/"),
        ("//evil.test", "/"),
        ("/\\evil.test", "/"),
        ("/\t/evil.test", "/"),
        ("/a\r\nset-cookie: x", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_after_signing_in_one_stays_here(target: str, expected: str) -> None:
    assert local_path(target) == expected


# ------------------------------------------------------------------------------------------------ people

PASSWORD = "correct horse battery"


@pytest.fixture
def ann(people: People) -> User:
    return asyncio.run(people.create("ann@example.com", role="member", tenant="acme", password=PASSWORD, actor="test"))


def test_people_sign_in_with_their_password(sessions: Sessions, ann: User, store: FakeStore) -> None:
    answer = post(sessions, {"email": " Ann@example.com", "password": PASSWORD, "next": "/requests"})
    assert answer.headers["location"] == "/requests"
    found = sessions.principal(request(cookie_of(answer)))
    assert found == Principal(None, ann.email, "member", "acme", via="session", user_id=ann.user_id)
    assert [(entry.actor, entry.action) for entry in store.entries][-1] == (f"user:{ann.user_id}", "signed_in")


@pytest.mark.parametrize(
    ("email", "password"), [("ann@example.com", "wrong"), ("ann@example.com", ""), ("eve@example.com", PASSWORD)]
)
def test_wrong_passwords_and_unknown_people_hear_the_same(
    email: str, password: str, sessions: Sessions, ann: User, store: FakeStore
) -> None:
    with pytest.raises(SignInRefused, match="do not go together") as caught:
        post(sessions, {"email": email, "password": password})
    assert caught.value.status == 401
    refused = [entry.actor for entry in store.entries if entry.action == "sign_in_refused"]
    assert refused == ([f"user:{ann.user_id}"] if email == ann.email else [])


def test_an_account_is_slowed_down_from_any_address(sessions: Sessions, ann: User) -> None:
    for number in range(20):
        sessions._accounts.failed(ann.email, time.monotonic() - number)
    with pytest.raises(SignInRefused) as caught:
        post(sessions, {"email": ann.email, "password": PASSWORD})
    assert caught.value.status == 429


def test_passwords_can_be_turned_off(sessions: Sessions, ann: User) -> None:
    sessions.settings = SignIn(passwords=False)
    with pytest.raises(SignInRefused, match=r"sign_in\.passwords"):
        post(sessions, {"email": ann.email, "password": PASSWORD})


def test_signing_out_ends_the_session_on_the_server(
    sessions: Sessions, people: People, keyring: Keyring, ann: User, store: FakeStore, tmp_path: Path
) -> None:
    cookie = cookie_of(post(sessions, {"email": ann.email, "password": PASSWORD}))
    stays = cookie_of(post(sessions, {"email": ann.email, "password": PASSWORD}))
    elsewhere = Sessions(keyring, People(Directory(store), keyring), SECRET, tmp_path)
    asyncio.run(elsewhere._directory.refresh())
    assert elsewhere.principal(request(cookie)) is not None
    asyncio.run(sessions.sign_out(request(cookie)))
    assert sessions.principal(request(cookie)) is None
    asyncio.run(elsewhere._directory.refresh())
    assert elsewhere.principal(request(cookie)) is None
    assert elsewhere.principal(request(stays)) is not None
    assert store.entries[-1].action == "signed_out"


@pytest.mark.parametrize("end", ["password", "everywhere", "disabled", "deleted"])
def test_what_ends_every_session_of_somebody(end: str, sessions: Sessions, people: People, ann: User) -> None:
    cookie = cookie_of(post(sessions, {"email": ann.email, "password": PASSWORD}))
    token, _ = asyncio.run(people.create_token(ann, "notebook", actor="test"))
    changes = {
        "password": lambda: people.set_password(ann.email, "another long password", actor="test"),
        "everywhere": lambda: people.end_sessions(ann.email, actor="test"),
        "disabled": lambda: people.change(ann.email, disabled=True, actor="test"),
        "deleted": lambda: people.delete(ann.email, actor="test"),
    }
    asyncio.run(changes[end]())
    assert sessions.principal(request(cookie)) is None
    by_token = sessions.principal(request({"x-api-key": token}))
    assert (by_token is not None) is (end in ("password", "everywhere"))


def test_a_token_does_what_its_owner_may_do_now(sessions: Sessions, people: People, ann: User) -> None:
    token, key = asyncio.run(people.create_token(ann, "notebook", actor="test"))
    asyncio.run(people.change(ann.email, role="viewer", tenant=None, actor="test"))
    found = sessions.principal(request({"authorization": f"Bearer {token}"}))
    assert found == Principal(key.key_id, ann.email, "viewer", None, None, "key", ann.user_id)
    with pytest.raises(SignInRefused, match="API token"):
        post(sessions, {"key": token})


def test_a_key_works_from_its_networks_only(sessions: Sessions, keyring: Keyring) -> None:
    far, _ = asyncio.run(keyring.create("far", role="viewer", networks=["192.0.2.0/24"]))
    near, _ = asyncio.run(keyring.create("near", role="viewer", networks=["10.0.0.0/24"]))
    assert sessions.principal(request({"x-api-key": far})) is None
    assert sessions.principal(request({"x-api-key": near})) is not None
    with pytest.raises(SignInRefused, match="from this address"):
        post(sessions, {"key": far})


def test_the_first_link_leads_to_the_set_up(sessions: Sessions, people: People) -> None:
    answer = asyncio.run(sessions.redeem(request(), sessions.one_time_token()))
    assert answer.headers["location"] == "/setup"
    asyncio.run(people.create("ann@example.com", actor="test"))
    answer = asyncio.run(sessions.redeem(request(), sessions.one_time_token()))
    assert answer.headers["location"] == "/"
