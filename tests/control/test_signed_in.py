"""Where people are signed in, and how one session of several is ended."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
import pytest

from gateway.control.directory import User
from gateway.control.identity import Identity
from gateway.control.keys import now_us
from gateway.control.signed_in import SignedIn, browser_of
from gateway.errors import Missing
from gateway.settings import Settings
from gateway.store.base import Store
from tests.control.test_sessions import cookie_of, request
from tests.store.memory_documents import MemoryControl

T = TypeVar("T")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity(Settings(), b"s" * 32, cast("Store", MemoryControl()), tmp_path)


@pytest.fixture
def ann(identity: Identity) -> User:
    return run(identity.people.create("ann@example.com", role="admin", actor="cli"))


def sign_in(identity: Identity, user: User, agent: str = FIREFOX) -> dict[str, str]:
    """The cookie."""
    return cookie_of(run(identity.sessions.sign_in_user(request({"user-agent": agent}), user, "/")))


def listed(identity: Identity, user: User) -> list[SignedIn]:
    return run(identity.sessions.book.of(identity.people.get(user.user_id)))


def is_in(identity: Identity, cookie: dict[str, str]) -> bool:
    return identity.sessions.principal(request(cookie)) is not None


def test_one_of_two_is_ended(identity: Identity, ann: User) -> None:
    first, second = sign_in(identity, ann), sign_in(identity, ann, "curl/8.5.0")
    newest, oldest = listed(identity, ann)
    assert (oldest.browser, newest.browser) == ("Firefox on Linux", "curl/8.5.0")
    assert {newest.address, oldest.address} == {"10.0.0.9"}
    run(identity.sessions.book.end(ann, oldest.session_id, actor="user:x"))
    assert (is_in(identity, first), is_in(identity, second)) == (False, True)
    assert listed(identity, ann) == [newest]
    with pytest.raises(Missing):
        run(identity.sessions.book.end(ann, oldest.session_id, actor="user:x"))


def test_an_ended_session_is_over_in_another_worker(identity: Identity, ann: User, tmp_path: Path) -> None:
    cookie = sign_in(identity, ann)
    other = Identity(Settings(), b"s" * 32, cast("Store", identity.directory.store), tmp_path)
    run(other.refresh())
    assert is_in(other, cookie)
    run(identity.sessions.book.end(ann, listed(identity, ann)[0].session_id, actor="cli"))
    run(other.refresh())
    assert not is_in(other, cookie)


def test_somebody_elses_session_is_not_found(identity: Identity, ann: User) -> None:
    bob = run(identity.people.create("bob@example.com", actor="cli"))
    cookie = sign_in(identity, bob)
    [session] = listed(identity, bob)
    with pytest.raises(Missing):
        run(identity.sessions.book.end(ann, session.session_id, actor="user:ann"))
    assert is_in(identity, cookie)


def test_signing_out_takes_it_from_the_list(identity: Identity, ann: User) -> None:
    cookie = sign_in(identity, ann)
    run(identity.sessions.sign_out(request(cookie)))
    assert listed(identity, ann) == []


def test_signed_out_everywhere_is_nowhere(identity: Identity, ann: User) -> None:
    sign_in(identity, ann)
    run(identity.people.end_sessions(ann.user_id, actor="cli"))
    assert listed(identity, ann) == []


def test_what_ran_out_is_forgotten(identity: Identity, ann: User) -> None:
    at = now_us()
    for user_id in (ann.user_id, *(f"somebody-{number}" for number in range(250))):
        document = msgspec.json.encode(SignedIn("old", at - 10, at - 5, "10.0.0.9", ""))
        run(identity.directory.store.put_document("session", f"{user_id}/old", document))
    assert listed(identity, ann) == []
    sign_in(identity, ann)
    assert len(run(identity.directory.store.documents("session"))) == 1


def test_who_is_disabled_is_signed_in_nowhere(identity: Identity, ann: User) -> None:
    run(identity.people.create("bob@example.com", role="admin", actor="cli"))
    cookie = sign_in(identity, ann)
    run(identity.people.change(ann.user_id, disabled=True, actor="cli"))
    assert (listed(identity, ann), is_in(identity, cookie)) == ([], False)


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15", "Safari on macOS"),
        ("python-httpx/0.28", "python-httpx/0.28"),
        ("Firefox/1", "Firefox"),
        ("", ""),
        ("x" * 500, "x" * 40),
    ],
)
def test_browsers_in_words(agent: str, words: str) -> None:
    assert browser_of(agent) == words
