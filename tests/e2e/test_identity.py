"""Keys, people and sessions of a running gateway with two workers: whoever is asked has heard of every change."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.harness import ADMIN_KEY, Gateway, configuration, wait_for

OURS = {"sec-fetch-site": "same-origin"}
PASSWORD = "correct horse battery"
ENVIRONMENT_KEY = "cg-test-staging-0123456789abcdef"
SOON_S = 2.5
"""Workers look once a second; the rest is for a busy machine."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("identity")
    environments = [{"name": "staging", "tenant": "acme", "key": ENVIRONMENT_KEY}]
    settings = configuration(server={"workers": 2}, environments=environments)
    gateway = Gateway(folder / "data", settings).start()
    yield gateway
    gateway.stop()


def ask(gateway: Gateway, method: str, path: str, *, key: str | None = ADMIN_KEY, **how: Any) -> httpx.Response:
    """On a connection of its own, which either worker may take."""
    headers = {**({"x-api-key": key} if key else OURS), **how.pop("headers", {})}
    return httpx.request(method, f"http://127.0.0.1:{gateway.port}{path}", headers=headers, timeout=20, **how)


def everywhere(gateway: Gateway, says: Callable[[], bool]) -> float:
    """How long until twelve answers in a row are so: with two workers, until both have heard."""
    began = time.monotonic()
    wait_for(lambda: all(says() for _ in range(12)), "both workers have heard", SOON_S)
    return time.monotonic() - began


def chat(gateway: Gateway, key: str, **tags: str) -> httpx.Response:
    body = {"model": "demo/echo", "messages": [{"role": "user", "content": "hi"}], "metadata": tags}
    return ask(gateway, "POST", "/v1/chat/completions", key=key, json=body)


def test_a_key_works_and_ends_in_every_worker(gateway: Gateway) -> None:
    made = ask(gateway, "POST", "/api/keys", json={"name": "fleeting", "tenant": "acme"})
    assert made.status_code == 201
    secret, key_id = made.json()["secret"], made.json()["key"]["key_id"]
    everywhere(gateway, lambda: chat(gateway, secret).status_code == 200)
    newer = ask(gateway, "POST", f"/api/keys/{key_id}/rotate", json={"overlap_hours": 1}).json()["secret"]
    everywhere(gateway, lambda: chat(gateway, newer).status_code == 200 == chat(gateway, secret).status_code)
    assert ask(gateway, "DELETE", f"/api/keys/{key_id}").json()["state"] == "revoked"
    everywhere(gateway, lambda: chat(gateway, newer).status_code == 401 == chat(gateway, secret).status_code)
    assert "was revoked" in chat(gateway, newer).text
    said = ask(gateway, "GET", f"/api/audit?kind=key&id={key_id}").json()["items"]
    assert [entry["action"] for entry in said][-1] == "created"
    assert {entry["actor"] for entry in said} == {"key:admin"}


@pytest.mark.parametrize(
    ("bounds", "status"),
    [
        ({"networks": ["127.0.0.0/8"]}, 200),
        ({"networks": ["192.0.2.0/24"]}, 403),
        ({"endpoints": ["/v1/chat/*"]}, 200),
        ({"endpoints": ["/v1/embeddings"]}, 403),
    ],
)
def test_bounds_hold_before_the_call(bounds: dict[str, list[str]], status: int, gateway: Gateway) -> None:
    made = ask(gateway, "POST", "/api/keys", json={"name": f"bound {bounds}", **bounds}).json()
    everywhere(gateway, lambda: chat(gateway, made["secret"]).status_code == status)


def test_changed_bounds_hold_in_every_worker(gateway: Gateway) -> None:
    made = ask(gateway, "POST", "/api/keys", json={"name": "changing"}).json()
    secret, path = made["secret"], f"/api/keys/{made['key']['key_id']}"
    everywhere(gateway, lambda: chat(gateway, secret).status_code == 200)
    for bounds in ({"models": ["gpt-*"]}, {"endpoints": ["/v1/embeddings"]}, {"networks": ["192.0.2.0/24"]}):
        assert ask(gateway, "PATCH", path, json=bounds).status_code == 200
        everywhere(gateway, lambda: chat(gateway, secret).status_code == 403)
        free = {name: [] if name == "networks" else ["*"] for name in bounds}
        assert ask(gateway, "PATCH", path, json=free).status_code == 200
        everywhere(gateway, lambda: chat(gateway, secret).status_code == 200)
    entries = ask(gateway, "GET", f"/api/audit?kind=key&id={made['key']['key_id']}").json()["items"]
    assert [entry["action"] for entry in entries] == ["changed"] * 6 + ["created"]
    assert (entries[-2]["before"]["models"], entries[-2]["after"]["models"]) == (["*"], ["gpt-*"])


def test_a_suspended_tenant_calls_nothing(gateway: Gateway) -> None:
    ask(gateway, "POST", "/api/tenants", json={"slug": "globex"})
    bound = ask(gateway, "POST", "/api/keys", json={"name": "globex app", "tenant": "globex"}).json()["secret"]
    free = ask(gateway, "POST", "/api/keys", json={"name": "platform"}).json()["secret"]
    everywhere(gateway, lambda: {chat(gateway, key).status_code for key in (bound, free)} == {200})
    assert ask(gateway, "PATCH", "/api/tenants/globex", json={"suspended": True}).json()["suspended"]
    everywhere(gateway, lambda: chat(gateway, bound).status_code == 403)
    said = chat(gateway, bound).json()["error"]
    assert (said["code"], "'globex' is suspended" in said["message"]) == ("tenant_suspended", True)
    assert chat(gateway, free).status_code == 200
    assert chat(gateway, free, tenantSlug="globex").status_code == 403, "nor does anybody in its name"
    ask(gateway, "PATCH", "/api/tenants/globex", json={"suspended": False})
    everywhere(gateway, lambda: chat(gateway, bound).status_code == 200)


def test_a_declared_environment_has_its_secret_and_is_changed_in_the_file(gateway: Gateway) -> None:
    assert chat(gateway, ENVIRONMENT_KEY).status_code == 200
    [declared] = [each for each in ask(gateway, "GET", "/api/environments").json()["items"] if each["declared"]]
    assert (declared["name"], declared["tenant"], declared["key_id"]) == ("staging", "acme", "config:acme/staging")
    refused = ask(gateway, "POST", "/api/environments/staging/rotate?tenant=acme", json={})
    assert (refused.status_code, "declared in the configuration" in refused.text) == (400, True)


def test_one_of_two_sessions_is_ended_in_every_worker(gateway: Gateway) -> None:
    form = {"email": "sue@example.com", "password": PASSWORD}
    user_id = ask(gateway, "POST", "/api/users", json=form).json()["user_id"]

    def signed_in() -> dict[str, str] | None:
        answer = ask(gateway, "POST", "/login", key=None, data=form)
        return {"cookie": answer.headers["set-cookie"].partition(";")[0]} if answer.status_code == 303 else None

    def is_in(cookie: dict[str, str]) -> bool:
        return ask(gateway, "GET", "/api/me", key=None, headers=cookie).status_code == 200

    first, second = (wait_for(signed_in, "they sign in", SOON_S) for _ in range(2))
    everywhere(gateway, lambda: is_in(first) and is_in(second))
    sessions = f"/api/users/{user_id}/sessions"
    found = ask(gateway, "GET", sessions).json()["items"]
    assert [(each["address"], each["current"]) for each in found] == [("127.0.0.1", False)] * 2
    own = ask(gateway, "GET", "/api/me/sessions", key=None, headers=second).json()["items"]
    assert [each["current"] for each in own] == [True, False], "the newest is the one that asks"
    assert ask(gateway, "DELETE", f"{sessions}/{found[1]['session_id']}").status_code == 200
    everywhere(gateway, lambda: not is_in(first))
    assert is_in(second)
    assert ask(gateway, "DELETE", sessions).status_code == 200
    everywhere(gateway, lambda: not is_in(second))


def test_a_person_made_on_the_command_line_signs_in_and_out(gateway: Gateway) -> None:
    """The session of a cookie that was copied is over in both workers, not only in the browser that signed out."""
    command = [str(Path(sys.executable).parent / "callgate"), "users", "create", "ann@example.com"]
    made = subprocess.run(
        [*command, "--role", "admin", "--password", PASSWORD, "--config", gateway.config, "--data", gateway.data],
        capture_output=True,
        text=True,
        check=True,
        cwd=gateway.data.parent,
    )
    assert "Added ann@example.com (admin)" in made.stdout
    form = {"email": "ann@example.com", "password": PASSWORD}

    def signed_in() -> httpx.Response | None:
        answer = ask(gateway, "POST", "/login", key=None, data=form)
        return answer if answer.status_code == 303 else None

    answer = wait_for(signed_in, "the gateway knows them", SOON_S)
    cookie = {"cookie": answer.headers["set-cookie"].partition(";")[0]}
    assert "httponly" in answer.headers["set-cookie"].lower()

    def me() -> httpx.Response:
        return ask(gateway, "GET", "/api/me", key=None, headers=cookie)

    everywhere(gateway, lambda: me().status_code == 200)
    assert me().json()["name"] == "ann@example.com"
    assert ask(gateway, "POST", "/logout", key=None, headers=cookie).status_code == 303
    everywhere(gateway, lambda: me().status_code == 401)


def test_the_printed_link_sets_up_the_first_account(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "data", configuration()).start()
    try:
        found = re.search(r"http://\S+(/login\?token=\S+)", "".join(gateway.output))
        assert found is not None
        signed_in = ask(gateway, "GET", found[1], key=None)
        assert signed_in.headers["location"] == "/setup"
        cookie = {"cookie": signed_in.headers["set-cookie"].partition(";")[0]}
        form = {"email": "ann@example.com", "name": "Ann", "password": PASSWORD, "again": PASSWORD}
        answer = ask(gateway, "POST", "/setup", key=None, data=form, headers=cookie)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert ask(gateway, "GET", found[1], key=None).status_code == 401, "once"
        people = ask(gateway, "GET", "/api/users").json()["items"]
        assert [(each["email"], each["role"], each["has_password"]) for each in people] == [
            ("ann@example.com", "admin", True)
        ]
    finally:
        gateway.stop()
    assert PASSWORD not in "".join(gateway.output)
