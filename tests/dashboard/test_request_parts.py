"""What a request page is made of: bodies of any size, media, diffs, copies, and the names of things in flight."""

from __future__ import annotations

import ast
import base64
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from gateway.control.principal import Principal
from gateway.core.inflight import InFlight
from gateway.core.span import Payload
from gateway.dashboard import urls
from gateway.dashboard.bodies import MAX_NODES, Node, body_of, hits_in, more_of, parsed, step, value_at
from gateway.dashboard.compare import compare, marked
from gateway.dashboard.curl import python
from gateway.dashboard.media import items_of
from gateway.store.base import SpanDetail
from tests.dashboard.fakes import FakeStore, application, chat_call, traffic

NOW = time.time_ns() // 1000
CALL, PAYLOAD = chat_call(NOW - 3_000_000)
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SCRIPT = "<script>document.title='owned'</script>"
HOSTILE = f"{SCRIPT} \x1b[31m \u202egnp.exe ẞ 漢字 🙂 مرحبا"


def browser(store: FakeStore, **options: Any) -> TestClient:
    return TestClient(application(store, **options), follow_redirects=False, headers={"accept": "text/html"})


def with_body(body: object, response: object = None) -> tuple[TestClient, str]:
    span, payload = chat_call(NOW - 3_000_000)
    payload.request_body = msgspec.json.encode(body)
    if response is not None:
        payload.response_body, payload.response_content_type = msgspec.json.encode(response), "application/json"
    return browser(FakeStore([span], {span.request_id: payload})), span.request_id


# ------------------------------------------------------------------------------------------------ bodies


def leaves(node: Node, data: bytes) -> int:
    """Values below a node, with all that it says is elsewhere."""
    own = 0 if node.kind in ("object", "array") else 1
    below = sum(leaves(child, data) for child in node.children)
    if node.pointer is not None and node.kind in ("object", "array"):
        more = more_of(data, node.pointer, node.shown)
        assert isinstance(more, Node)
        below += leaves(more, data)
    return own + below


@pytest.mark.parametrize(
    "value",
    [
        list(range(MAX_NODES * 2 + 7)),
        {f"k{n}": [n, {"x": n}] for n in range(3000)},
        [[[n] * 50 for n in range(40)] for _ in range(5)],
    ],
)
def test_every_value_of_a_large_body_can_be_reached(value: Any) -> None:
    data = msgspec.json.encode(value)
    body = body_of(data, "application/json", len(data))
    assert body.tree
    assert body.is_cut

    def count(each: Any) -> int:
        if isinstance(each, (dict, list)):
            return sum(count(child) for child in (each.values() if isinstance(each, dict) else each))
        return 1

    assert leaves(body.tree, data) == count(value)


def test_a_long_string_is_whole_where_it_is_asked_for() -> None:
    text = "a" * 5_000_000 + "end"
    data = msgspec.json.encode({"a/b": [{"~": text}]})
    assert more_of(data, "/a~1b/0/~0", 0) == text
    assert more_of(data, "/a~1b/7", 0) is None
    found, total = hits_in(data, "application/json", "AAEND")
    assert (total, found[0].pointer, found[0].match) == (1, "/a~1b/0/~0", "aaend")


@given(
    st.recursive(
        st.none() | st.integers(-9, 9) | st.text(max_size=3),
        lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=3), c, max_size=3),
    )
)
def test_a_pointer_leads_to_its_value(value: Any) -> None:
    def walk(each: Any, pointer: str) -> None:
        assert value_at(value, pointer) == each
        for name, child in (
            each.items() if isinstance(each, dict) else enumerate(each) if isinstance(each, list) else ()
        ):
            walk(child, step(pointer, name))

    value = parsed(msgspec.json.encode(value))
    walk(value, "")


def test_find_and_the_rest_over_the_wire() -> None:
    page, request_id = with_body({"messages": [], "items": list(range(9000)), "needle": HOSTILE})
    found = page.get(urls.find(request_id, "request"), params={"find": "漢字"})
    assert 'data-found-total="1"' in found.text
    assert SCRIPT not in found.text
    more = page.get(urls.node(request_id, "request"), params={"at": "/items", "from": "8998"})
    assert more.text.count("<li>") == 2
    assert page.get(urls.node(request_id, "request"), params={"at": "/nothing"}).status_code == 404
    whole = page.get(urls.node(request_id, "request"), params={"at": "/needle"})
    assert "&lt;script&gt;" in whole.text
    assert "\x1b" not in whole.text
    assert "\u202e" not in whole.text


# ------------------------------------------------------------------------------------------------ media


@pytest.mark.parametrize(
    ("body", "kind", "content_type"),
    [
        ({"image_url": {"url": "data:image/png;base64," + base64.b64encode(PNG).decode()}}, "image", "image/png"),
        (
            {"source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}},
            "image",
            "image/png",
        ),
        ({"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PNG).decode()}}, "image", "image/png"),
        ({"data": [{"b64_json": base64.b64encode(PNG).decode()}]}, "image", "image/png"),
        ({"input_audio": {"format": "mp3", "data": base64.b64encode(b"x" * 60).decode()}}, "audio", "audio/mpeg"),
        ({"file": "data:text/html;base64," + base64.b64encode(SCRIPT.encode()).decode()}, "file", "text/html"),
        (
            {"file": "data:image/svg+xml;base64," + base64.b64encode(b"<svg onload=alert(1)>").decode()},
            "file",
            "image/svg+xml",
        ),
    ],
)
def test_media_are_found_and_served_for_what_they_are(body: object, kind: str, content_type: str) -> None:
    page, request_id = with_body({"messages": [{"role": "user", "content": [body]}]})
    (item,) = items_of(Payload(request_body=msgspec.json.encode(body)))
    assert (item.kind, item.content_type) == (kind, content_type)
    answer = page.get(urls.media(request_id, item.digest))
    assert answer.status_code == 200
    assert answer.content == base64.b64decode(item.data)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    if kind == "file":  # nothing that a browser might run is shown as what it claims to be
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment")
    else:
        assert answer.headers["content-type"] == content_type
    html = page.get(urls.request(request_id)).text
    assert f"{urls.media(request_id, item.digest)}" in html
    assert page.get(urls.media(request_id, "0" * 24)).status_code == 404


def test_media_are_seen_only_by_who_may_see_the_request() -> None:
    span, payload = chat_call(NOW)
    payload.request_body = msgspec.json.encode({"x": "data:image/png;base64," + base64.b64encode(PNG).decode()})
    store = FakeStore([span], {span.request_id: payload})
    (item,) = items_of(payload)
    stranger = browser(store, principal=Principal("k", "other", "viewer", tenant="somebody-else"))
    for path in (
        urls.media(span.request_id, item.digest),
        urls.diff(span.request_id),
        urls.node(span.request_id, "request"),
        urls.find(span.request_id, "request"),
    ):
        assert stranger.get(path).status_code == 404


# ------------------------------------------------------------------------------------------------ side by side


@given(st.text(max_size=60), st.text(max_size=60))
def test_marked_pieces_are_the_texts(before: str, after: str) -> None:
    left, right = marked(before, after)
    assert "".join(text for _, text in left) == before
    assert "".join(text for _, text in right) == after
    assert "".join(text for differs, text in left if not differs) == "".join(t for d, t in right if not d)


def detail(*messages: tuple[str, str], **settings: Any) -> SpanDetail:
    span, payload = chat_call(NOW)
    body = {"model": "gpt-5", "messages": [{"role": role, "content": text} for role, text in messages], **settings}
    payload.request_body = msgspec.json.encode(body)
    return SpanDetail(span, payload)


def test_a_diff_is_by_message() -> None:
    found = compare(
        detail(("user", "one"), ("assistant", "two"), ("user", "the old end"), temperature=0.1),
        detail(("user", "one"), ("assistant", "two"), ("user", "the new end"), ("user", "more"), temperature=0.9),
    )
    assert [(pair.kind, pair.who) for pair in found.pairs] == [
        ("same", "User"),
        ("same", "Assistant"),
        ("changed", "User"),
        ("right", "User"),
        ("same", "Assistant"),
    ]
    assert found.pairs[2].left == [(False, "the "), (True, "old"), (False, " end")]
    assert found.pairs[2].right == [(False, "the "), (True, "new"), (False, " end")]
    assert [(row.name, row.left, row.right) for row in found.settings] == [("temperature", "0.1", "0.9")]
    assert found.changes == 2


def test_two_of_five_megabytes_are_compared_in_a_moment() -> None:
    started = time.perf_counter()
    compare(detail(("user", "word " * 1_000_000)), detail(("user", "other " * 900_000)))
    assert time.perf_counter() - started < 2


def test_a_diff_shows_what_strangers_wrote_as_text() -> None:
    left, right = chat_call(NOW - 9_000_000), chat_call(NOW, seed=5)
    left[1].request_body = msgspec.json.encode({"messages": [{"role": "user", "content": HOSTILE}]})
    store = FakeStore([left[0], right[0]], {left[0].request_id: left[1], right[0].request_id: right[1]})
    html = browser(store).get(urls.diff(left[0].request_id, right[0].request_id)).text
    assert SCRIPT not in html
    assert "漢字" in html
    assert "\x1b" not in html


# ------------------------------------------------------------------------------------------------ copies


@pytest.mark.parametrize("endpoint", ["POST /v1/chat/completions", "POST /v1/embeddings", "POST /v1/messages"])
def test_what_is_copied_as_python_is_python(endpoint: str) -> None:
    span, payload = chat_call(NOW)
    span.endpoint = endpoint
    payload.request_body = msgspec.json.encode(
        {"model": "m", "messages": [{"role": "user", "content": HOSTILE + "'\"\\"}]}
    )
    script = python(span, payload, "http://127.0.0.1:4000")
    tree = ast.parse(script)
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert any(HOSTILE in text for text in texts)
    assert "CALLGATE_KEY" in script


# ------------------------------------------------------------------------------------------------ views, in flight


def test_views_are_saved_shown_and_deleted() -> None:
    store = FakeStore(traffic(40, now_us=NOW, length_us=3_600_000_000))
    page = browser(store)
    form = {"name": " Slow  ones ", "url": "/requests?min_latency_ms=2000&order=slowest&cursor=x", "shared": "on"}
    saved = page.post(urls.VIEWS, data=form)
    assert saved.headers["location"] == "/requests?min_latency_ms=2000&order=slowest"
    html = page.get("/requests?order=slowest&min_latency_ms=2000").text
    assert 'aria-current="true"' in html.partition("Saved views")[2].partition("<hr>")[0]
    other = browser(store, principal=Principal("k2", "viewer", "viewer"))
    assert "Slow ones" in other.get("/requests").text
    assert "Slow ones" in other.get(urls.JUMP, params={"q": "slow"}).text
    bound = browser(store, principal=Principal("k3", "acme", "viewer", tenant="acme"))
    assert "Slow ones" not in bound.get("/requests").text
    (document,) = [each for each in store.documents_by_id.values() if each.kind == "view"]
    assert other.post(urls.view(document.id)).status_code == 403
    assert page.post(urls.VIEWS, data=form | {"url": "/requests?status=error"}).status_code == 303
    assert len([each for each in store.documents_by_id.values() if each.kind == "view"]) == 1, (
        "the same name is replaced"
    )
    assert page.post(urls.view(document.id)).status_code == 303
    assert "Slow ones" not in page.get("/requests").text
    assert [entry.action for entry in store.entries if entry.kind == "view"] == ["created", "changed", "deleted"]


def test_a_view_needs_a_name() -> None:
    assert browser(FakeStore()).post(urls.VIEWS, data={"name": "  ", "url": "/requests"}).status_code == 400


class Flying:
    """Two calls in flight, one of each tenant."""

    def __init__(self) -> None:
        self.stopped: list[tuple[str, str]] = []

    def calls(self) -> list[InFlight]:
        return [
            InFlight(
                request_id=f"id-{tenant}",
                started_at=NOW - 5_000_000,
                kind="llm",
                endpoint="POST /v1/chat/completions",
                stream=True,
                provider="openai",
                model_requested=SCRIPT,
                model=SCRIPT,
                key_id=None,
                tenant=tenant,
                environment=None,
                tags={"feature": "chat"},
                is_answering=False,
            )
            for tenant in ("acme", "quill")
        ]

    def call(self, request_id: str) -> InFlight | None:
        return next((call for call in self.calls() if call.request_id == request_id), None)

    def stop(self, request_id: str, by: str) -> bool:
        self.stopped.append((request_id, by))
        return True


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"id-acme", "id-quill"}),
        ("tenant=acme", {"id-acme"}),
        ("tenant=!acme", {"id-quill"}),
        ("tag.feature=chat&stream=true", {"id-acme", "id-quill"}),
        ("tag.feature=other", set()),
        ("status=error", set()),
        ("model=gpt-5", set()),
    ],
)
def test_calls_in_flight_obey_the_filters(query: str, shown: set[str]) -> None:
    page = browser(FakeStore(traffic(5, now_us=NOW, length_us=3_600_000_000)), in_flight=Flying())
    html = page.get(f"{urls.IN_FLIGHT}?{query}").text
    assert {each for each in ("id-acme", "id-quill") if f'data-flight="{each}"' in html} == shown
    assert SCRIPT not in html


def test_only_an_admin_can_stop_and_only_what_is_seen() -> None:
    flying, store = Flying(), FakeStore(traffic(5, now_us=NOW, length_us=3_600_000_000))
    viewer = browser(store, in_flight=flying, principal=Principal("k", "acme", "viewer", tenant="acme"))
    html = viewer.get(urls.IN_FLIGHT).text
    assert "id-acme" in html
    assert "id-quill" not in html
    assert "<form" not in html
    bound = browser(store, in_flight=flying, principal=Principal("k", "acme", "admin", tenant="acme"))
    assert bound.post(urls.stop("id-quill")).status_code == 404
    assert bound.post(urls.stop("id-acme")).status_code == 303
    assert bound.post(urls.stop("id-acme"), headers={"hx-request": "true"}).status_code == 204
    assert [request_id for request_id, _ in flying.stopped] == ["id-acme", "id-acme"]
