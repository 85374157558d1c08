"""Every page, asked for as a browser without script would: what it says in every state, and what it never holds."""

from __future__ import annotations

import json
import re
import time
from dataclasses import fields
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from jinja2 import meta, nodes
from starlette.testclient import TestClient

from gateway.api.access import uncovered
from gateway.control.principal import Principal
from gateway.core.health import JournalHealth, RecorderHealth
from gateway.core.span import Payload, Span
from gateway.dashboard import RULES, assets, routes, urls
from gateway.dashboard.alert_rule import AlertRulePage
from gateway.dashboard.alerts import AlertsPage
from gateway.dashboard.api_docs import ApiDocs
from gateway.dashboard.components import Components
from gateway.dashboard.costs import Costs
from gateway.dashboard.detail import RequestPage
from gateway.dashboard.errors import ErrorPage
from gateway.dashboard.filter_menu import FilterValues
from gateway.dashboard.flight import FlightRows
from gateway.dashboard.jump import Jumps
from gateway.dashboard.login import Login, Setup
from gateway.dashboard.models import Models
from gateway.dashboard.operations import ConfigurationPage, OperationsPage
from gateway.dashboard.overview import Overview
from gateway.dashboard.playground import PlaygroundPage
from gateway.dashboard.raw import Found, NodePart
from gateway.dashboard.render import POLICY, environment
from gateway.dashboard.repeat import DiffPage, ReplayPage
from gateway.dashboard.replaying import ReplayResult
from gateway.dashboard.requests import Peek, Requests, Rows
from gateway.dashboard.settings.account import AccountPage
from gateway.dashboard.settings.audit import AuditPage
from gateway.dashboard.settings.environments import EnvironmentsPage
from gateway.dashboard.settings.keys import KeyPage, KeysPage
from gateway.dashboard.settings.privacy import PrivacyPage
from gateway.dashboard.settings.tenants import TenantPage, TenantsPage
from gateway.dashboard.settings.users import UserPage, UsersPage
from gateway.dashboard.statement import StatementPage
from gateway.dashboard.tags import Tags as TagsPage
from gateway.dashboard.tenant import TenantPage as TenantUsagePage
from gateway.dashboard.tenants import TenantsPage as TenantsUsagePage
from gateway.dashboard.trace import TracePage, TraceRows
from tests.dashboard.fakes import FakeStore, application, chat_call, traffic

NOW = time.time_ns() // 1000
DAY = 86400 * 1_000_000
CALL, PAYLOAD = chat_call(NOW - 3_000_000)
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALL.trace_id = TRACE
MUCH = FakeStore([*traffic(600, now_us=NOW, length_us=DAY), CALL], {CALL.request_id: PAYLOAD})
MUCH.rows[7].trace_id = MUCH.rows[8].trace_id = TRACE
MUCH.rows[8].parent_span_id = MUCH.rows[7].request_id
LITTLE = FakeStore([CALL], {CALL.request_id: PAYLOAD})
PAGES = {
    "overview": "/",
    "overview-15m": "/?period=15m",
    "overview-30d": "/?period=30d",
    "requests": "/requests",
    "requests-wide": "/requests?cols=tenant,request,key,user,tags,input,cached,output,ttft,cost,latency",
    "requests-costliest": "/requests?order=costliest&period=7d",
    "requests-filtered": "/requests?status=error&tag.feature=kyc-review",
    "requests-not": "/requests?model=!gpt-5&tag.feature=!kyc-review&status=!ok&period=7d",
    "requests-nothing": "/requests?model=nobody&q=nothing",
    "requests-wrong-filter": "/requests?status=sideways",
    "requests-peek": f"/requests?peek={CALL.request_id}",
    "costs": "/costs",
    "costs-tenants": "/costs?period=7d&by=tenant&a=fjord-bank&b=acme&target=openai/gpt-5-mini",
    "costs-days": "/costs?period=30d&by=day&tenant=acme",
    "costs-tag": "/costs?by=tag:feature&model=!gpt-5",
    "statement": "/costs/statement/acme",
    "models": "/models",
    "models-providers": "/models?period=7d&by=provider&sort=p95",
    "models-picked": "/models?period=30d&by=provider_model&pick=openai/gpt-5&tenant=acme",
    "tags": "/tags",
    "tags-of-some": "/tags?of=feature&environment=production",
    "tenants": "/tenants?period=7d",
    "tenant": "/tenants/acme",
    "operations": "/operations?period=7d",
    "alerts": "/alerts",
    "conversation": f"/requests/{CALL.request_id}",
    "request-body": f"/requests/{CALL.request_id}?tab=request",
    "response-body": f"/requests/{CALL.request_id}?tab=response",
    "headers": f"/requests/{CALL.request_id}?tab=headers",
    "peek-timing": f"/requests/{CALL.request_id}/peek?tab=timing",
    "peek-cost": f"/requests/{CALL.request_id}/peek?tab=cost",
    "diff": f"/requests/{CALL.request_id}/diff?with={CALL.request_id}",
    "diff-choose": f"/requests/{CALL.request_id}/diff",
    "replay": f"/requests/{CALL.request_id}/replay",
    "trace": f"/traces/{TRACE}",
    "jump": "/requests/jump?q=gpt",
    "in-flight": "/requests/in-flight",
    "find": f"/requests/{CALL.request_id}/find/request?find=registry",
    "node": f"/requests/{CALL.request_id}/node/request?at=/messages",
    "values": "/requests/filter-values?field=model",
    "playground": "/playground",
    "login": "/login",
    "api-docs": "/api/docs",
    "components": "/dashboard/components",
}


def client(store: Any = MUCH, **options: Any) -> TestClient:
    return TestClient(application(store, **options), follow_redirects=False, headers={"accept": "text/html"})


class Tags(HTMLParser):
    """Every (tag, attributes) and the ids and classes in a page; complains about tags that are not closed."""

    VOID = ("meta", "link", "input", "br", "hr", "img", "path", "use", "line")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()} closes something else"


# ------------------------------------------------------------------------------------------------ every page


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
@pytest.mark.parametrize("store", [MUCH, LITTLE, FakeStore()], ids=["much", "little", "nothing"])
def test_a_page_is_whole_html_under_a_strict_policy(path: str, store: FakeStore) -> None:
    answer = client(store).get(path)
    if store.rows == [] and ("/requests/01" in path or "/traces/" in path):
        assert answer.status_code == 404
    else:
        assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == POLICY
    for tag, attributes in Tags(answer.text).found:
        assert tag != "style"
        assert tag != "script" or attributes.get("src", "").startswith("/static/")  # type: ignore[union-attr]
        assert not [name for name in attributes if name.startswith("on")], "an inline handler"
        for part in filter(None, (attributes.get("style") or "").split(";")):
            assert part.strip().startswith("--"), f"{part!r} is layout in a style attribute"
        for name in ("href", "src", "action", "hx-get"):
            value = attributes.get(name) or "/"
            assert value.startswith(("/", "#", "data:image/")), f"{value!r} leads elsewhere"


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_ids_are_unique_and_every_control_has_a_name(path: str) -> None:
    tags = Tags(client().get(path).text).found
    ids = [attributes["id"] for _, attributes in tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for tag, attributes in tags:
        if tag == "img":
            assert attributes.get("alt")
        if attributes.get("role") == "img":
            assert attributes.get("aria-label")


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_every_class_is_in_the_stylesheet(path: str) -> None:
    css = (assets.folder("static") / "app.css").read_text()
    known = set(re.findall(r"\.([a-zA-Z][\w-]*)", css))
    tags = Tags(client().get(path).text).found
    used = {name for _, attributes in tags for name in (attributes.get("class") or "").split()}
    assert used - known == set()


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_what_a_cell_cuts_off_can_be_read(path: str) -> None:
    """A row of the list opens; every other cell that is cut has its text in a title."""
    cells = re.findall(r'<td class="[^"]*\bclip\b[^>]*>.*?</td>', client().get(path).text, re.DOTALL)
    assert [cell[:200] for cell in cells if "title=" not in cell and "data-row-link" not in cell] == []


@pytest.mark.parametrize("path", ["/", "/requests"])
def test_a_store_that_is_down_takes_nothing_else_with_it(path: str) -> None:
    store = FakeStore(MUCH.rows)
    store.broken = "database is locked"
    answer = client(store).get(path)
    assert answer.status_code == 503
    assert "The store does not answer" in answer.text
    assert "database is locked" in answer.text
    assert 'class="nav"' in answer.text


def test_a_fragment_is_the_view_alone() -> None:
    answer = client().get("/", headers={"hx-request": "true", "hx-target": "view"})
    assert answer.text.lstrip().startswith('<div class="view"')
    assert "hx-target" in answer.headers["vary"]


# ------------------------------------------------------------------------------------------------ contexts, routes


def template_names(name: str) -> tuple[set[str], set[str]]:
    """(names a template and what it extends or includes take from the context, templates it is made of)."""
    source, _, _ = environment().loader.get_source(environment(), name)  # type: ignore[union-attr]
    tree = environment().parse(source)
    taken = meta.find_undeclared_variables(tree) - set(environment().globals)
    own = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
    own |= {name for node in tree.find_all(nodes.FromImport) for name in node.names}
    own |= {node.name for node in tree.find_all(nodes.Macro)}
    taken -= own
    parts = {name}
    for node in tree.find_all((nodes.Extends, nodes.Include)):
        inner, more = template_names(node.template.value)  # type: ignore[attr-defined]
        taken |= inner - own
        parts |= more
    return taken - {"self"}, parts


WHOLE = (
    Overview,
    Requests,
    Costs,
    StatementPage,
    Models,
    TagsPage,
    TenantsUsagePage,
    TenantUsagePage,
    OperationsPage,
    AlertsPage,
    AlertRulePage,
    ConfigurationPage,
    RequestPage,
    DiffPage,
    ReplayPage,
    TracePage,
    Login,
    Setup,
    KeysPage,
    KeyPage,
    EnvironmentsPage,
    TenantsPage,
    TenantPage,
    UsersPage,
    UserPage,
    AccountPage,
    PrivacyPage,
    AuditPage,
    PrivacyPage,
    PlaygroundPage,
    ErrorPage,
    ApiDocs,
    Components,
)
PARTS = (Peek, FilterValues, Rows, FlightRows, Jumps, TraceRows, NodePart, Found, ReplayResult)


@pytest.mark.parametrize("page", [*WHOLE, *PARTS])
def test_a_template_uses_what_its_page_has_and_nothing_else(page: Any) -> None:
    used, _ = template_names(page.template)
    assert used == {field.name for field in fields(page)}


def test_every_template_belongs_to_a_page() -> None:
    reached = set().union(*(template_names(page.template)[1] for page in (*WHOLE, *PARTS)))
    there = {name for name in environment().list_templates() if not name.startswith("components/")}
    assert there == reached


def test_every_route_is_in_the_table_of_who_may_use_it() -> None:
    assert uncovered(routes(), RULES) == []


def test_the_nav_has_only_pages_that_exist() -> None:
    browser = client()
    hrefs = re.findall(r'class="nav-item" href="([^"]+)"', browser.get("/").text)
    shown = [href for href in hrefs if not href.startswith("/settings")]  # those have an installation of their own
    assert len(shown) >= 3
    assert [browser.get(href).status_code for href in shown] == [200] * len(shown)


def test_every_figure_of_the_overview_leads_to_a_list_that_answers() -> None:
    browser = client()
    html = browser.get("/?environment=production").text.replace("&amp;", "&")
    links = set(re.findall(r'<a class="(?:stat|rank|rank rank-tall|rank rank-rest|link xs)" href="([^"]+)"', html))
    assert len(links) > 10
    for link in links:
        assert "environment=production" in link, "the figure counts one environment, its list another"
        assert browser.get(link).status_code == 200


# ------------------------------------------------------------------------------------------------ what pages say


def test_the_first_time_says_what_makes_it_not_so() -> None:
    for path in ("/", "/requests"):
        html = client(FakeStore()).get(path).text
        assert "No calls yet" in html
        assert "curl http://testserver/v1/chat/completions" in html
        assert "demo/echo" in html


def test_an_empty_list_says_which_filter_to_drop() -> None:
    html = client().get("/requests?model=gpt-5&tag.feature=nobody").text
    assert "no call where model is gpt-5 and feature is nobody" in html
    assert re.search(r"Drop “feature is nobody” <span class=\"note\">\d+", html)
    assert "Drop “Model is gpt-5”" not in html


def test_search_words_become_filters_of_the_url() -> None:
    answer = client().get("/requests", params={"q": "invoice model:gpt-5 cost:>0.01", "period": "7d"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/requests?period=7d&model=gpt-5&min_cost_usd=0.01&q=invoice"


def test_a_filter_that_cannot_be_read_is_left_out_and_named() -> None:
    html = client().get("/requests?status=sideways&model=gpt-5").text
    assert "A filter was left out" in html
    assert "sideways" in html


def test_pages_of_the_list_go_both_ways() -> None:
    browser = client()
    first = browser.get("/requests?period=2d").text
    older = re.search(r'href="([^"]+)"[^>]*>Older', first)
    assert older
    second = browser.get(older[1].replace("&amp;", "&")).text
    newer = re.search(r'href="([^"]+)"[^>]*>.*?Newer', second)
    assert newer
    ids = [re.findall(r'data-row="([^"]+)"', page) for page in (first, second)]
    assert len(ids[0]) == len(ids[1]) == 50
    assert not set(ids[0]) & set(ids[1])
    assert browser.get("/requests?cursor=made-up").status_code == 404


def test_one_request_in_full() -> None:
    html = client().get(f"/requests/{CALL.request_id}").text
    for words in ("registry.owners", "call_1", "Karin Madsen", "Attempt 1", "waited to retry", "1.24 s without retry"):
        assert words in html
    assert "openai/gpt-5@2026-07-01" in html
    assert "2 secrets taken out" in html
    assert "Copy as curl" in html


def test_bodies_are_plain_text_in_a_sandbox() -> None:
    answer = client().get(urls.body(CALL.request_id, "response"))
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.content == PAYLOAD.response_body
    assert client().get(urls.body(CALL.request_id, "nothing")).status_code == 404


def test_trouble_of_the_parts_is_said() -> None:
    html = (
        client(
            journal=JournalHealth(state="dropping_bodies"),
            recorder=RecorderHealth(
                state="store_down", last_error="disk I/O error", backlog_bytes=12_000_000, dead_letters=2
            ),
        )
        .get("/")
        .text
    )
    for words in (
        "The journal is full",
        "The store does not answer",
        "12.0 MB wait",
        "disk I/O error",
        "2 rows could not",
    ):
        assert words in html


def test_a_tenants_viewer_sees_no_other_tenant() -> None:
    viewer = Principal("k1", "acme-viewer", "viewer", tenant="acme")
    browser = client(principal=viewer)
    other = next(span for span in MUCH.rows if span.tenant == "quill")
    assert browser.get(urls.request(other.request_id)).status_code == 404
    assert browser.get(urls.peek(other.request_id)).status_code == 404
    assert browser.get(urls.body(other.request_id, "record")).status_code == 404
    assert browser.get("/requests?tenant=quill").status_code == 403
    assert set(re.findall(r'data-col="tenant" dir="auto">([^<]*)', browser.get("/requests").text)) == {"acme"}


# ------------------------------------------------------------------------------------------------ errors, static


@pytest.mark.parametrize(
    ("path", "status", "words"), [("/requests/none", 404, "Nothing here"), ("/nope", 404, "Nothing here")]
)
def test_error_pages(path: str, status: int, words: str) -> None:
    answer = client().get(path)
    assert answer.status_code == status
    assert words in answer.text


def test_an_unexpected_error_is_a_page_without_its_words() -> None:
    store = FakeStore(MUCH.rows)
    store.span = None  # type: ignore[method-assign, assignment]
    browser = TestClient(application(store), raise_server_exceptions=False)
    answer = browser.get(f"/requests/{CALL.request_id}", headers={"accept": "text/html"})
    assert answer.status_code == 500
    assert "This page failed" in answer.text
    assert "NoneType" not in answer.text


def test_static_files_are_cached_for_ever_under_their_hash() -> None:
    browser = client()
    answer = browser.get(urls.static("app.css"))
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert browser.get("/static/older/app.css").headers["cache-control"] == "no-cache"
    for path in ("/static/x/%2e%2e/assets.py", "/static/x/none.css", "/static/x/"):
        assert browser.get(path).status_code == 404


def test_vendored_files_are_those_of_the_readme() -> None:
    vendor = assets.folder("static") / "vendor"
    named = dict(re.findall(r"^\| `([^`]+)` .*`([0-9a-f]{64})` \|$", (vendor / "README.md").read_text(), re.MULTILINE))
    there = {
        path.relative_to(vendor).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in vendor.rglob("*")
        if path.suffix in (".js", ".css", ".woff2")
    }
    assert there == named


# ------------------------------------------------------------------------------------------------ hostile content

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202egnp.exe \x1b[31mred\x1b[0m \"' {{7*7}} 🦊 שלום"


def hostile_call() -> tuple[Span, Payload]:
    span, payload = chat_call(NOW - 1_000_000, seed=5)
    for name in ("tenant", "environment", "feature", "model", "model_requested", "error_message", "input_preview"):
        setattr(span, name, HOSTILE)
    for name in ("provider", "user", "session", "trace_id", "finish_reason", "price_id", "upstream_request_id"):
        setattr(span, name, HOSTILE)
    span.tags = {HOSTILE: HOSTILE}
    payload.request_body = (
        b'{"model": "x", "messages": [{"role": "<b>", "name": "<i>", "content": '
        + json.dumps(HOSTILE + "\n\n" + HOSTILE * 40_000).encode()
        + b'}, {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://evil.example/pixel.png"}},'
        + b'{"type": "image_url", "image_url": {"url": "javascript:alert(3)"}},'
        + b'{"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,PHN2Zz4="}},'
        + b'{"type": "text", "text": "![p](https://evil.example/p.png) [l](javascript:alert(4)) <https://ok.example>"}]}]}'
    )
    payload.request_headers = [(HOSTILE, HOSTILE)]
    return span, payload


@pytest.mark.parametrize("tab", ["conversation", "request", "response", "headers"])
def test_hostile_content_is_text(tab: str) -> None:
    span, payload = hostile_call()
    store = FakeStore([span], {span.request_id: payload})
    for path in (
        f"/requests/{span.request_id}?tab={tab}",
        f"/requests?peek={span.request_id}&cols=tags,request,user",
        "/",
    ):
        html = client(store).get(path).text
        assert len(html) < 1_500_000, "a 5 MB message must not be a 5 MB page"
        for tag, attributes in Tags(html).found:
            assert tag not in ("b", "script") or "onerror" not in str(attributes)
            assert not str(attributes.get("src", "")).startswith(("http", "javascript", "data:image/svg"))
            href = str(attributes.get("href", ""))
            assert href.startswith(("/", "#", "None", "https://ok.example")) or href == ""
        assert "<script>alert" not in html
        assert "{{7*7}}" in html
        assert "\x1b" not in html
