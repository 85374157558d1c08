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
SOON_S = 2.5
"""Workers look once a second; the rest is for a busy machine."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("identity")
    gateway = Gateway(folder / "data", configuration(server={"workers": 2})).start()
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


def chat(gateway: Gateway, key: str) -> httpx.Response:
    body = {"model": "demo/echo", "messages": [{"role": "user", "content": "hi"}]}
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
