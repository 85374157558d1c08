"""One request in full: as a page of its own, and as the peek beside the list."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.replay import cannot
from gateway.api.scope import sees
from gateway.core.span import Attempt, Payload, Span
from gateway.dashboard import urls
from gateway.dashboard.bill import Bill, bill_of
from gateway.dashboard.bodies import Body, body_of
from gateway.dashboard.charts import spark_bars
from gateway.dashboard.conversation import Conversation
from gateway.dashboard.conversation import read as read_conversation
from gateway.dashboard.curl import curl, python
from gateway.dashboard.filters import Pairs
from gateway.dashboard.format import (
    DAY,
    SECOND,
    Figure,
    ago,
    count,
    day,
    duration,
    full,
    money,
    plain,
    plural,
    share,
    size,
)
from gateway.dashboard.media import Medium, give_addresses, shown_media
from gateway.dashboard.render import respond
from gateway.dashboard.timing import Phase, Speed, phases_of, speed_of
from gateway.dashboard.trace import TraceCard, trace_card
from gateway.dashboard.view import Shell, View, make_shell, open_view
from gateway.store.base import SpanDetail
from pricing.usage import Usage

TABS = ("conversation", "request", "response", "headers")
PEEK_TABS = ("conversation", "timing", "cost", "properties")


@dataclass(frozen=True)
class Fact:
    """A figure of the strip at the top."""

    label: str
    figure: Figure
    note: str = ""


@dataclass(frozen=True)
class Property:
    label: str
    value: str
    href: str = ""
    is_code: bool = False


@dataclass(frozen=True)
class Tab:
    name: str
    label: str
    note: str
    href: str
    peek: str


@dataclass(frozen=True)
class Detail:
    span: Span
    href: str
    href_list: str
    tab: str
    tabs: list[Tab]
    peek_tabs: list[Tab]
    facts: list[Fact]
    labels: list[tuple[str, str]]
    """Tags and columns shown at the top."""
    started: str
    ago: str
    phases: list[Phase]
    speed: Speed | None
    attempts: list[Attempt]
    bill: Bill
    properties: list[Property]
    usage_rows: list[tuple[str, Figure]]
    curl: str
    python: str
    record_url: str
    conversation: Conversation | None = None
    request: Body | None = None
    response: Body | None = None
    request_headers: list[tuple[str, str]] = field(default_factory=list)
    response_headers: list[tuple[str, str]] = field(default_factory=list)
    ending: str = ""
    """The sentence under the conversation: whole or cut, redacted, until when it is kept."""
    has_payload: bool = False
    media: list[Medium] = field(default_factory=list)
    """Images and sound of the conversation, each at its own address."""
    may_replay: bool = False


@dataclass(frozen=True)
class RequestPage:
    template: ClassVar[str] = "request.html"
    shell: Shell
    detail: Detail
    newer: str
    older: str
    trace: TraceCard | None


async def request_page(request: Request) -> Response:
    view = open_view(request, path=request.url.path)
    request_id = request.path_params["request_id"]
    tab = request.query_params.get("tab", "conversation")
    detail, neighbours = await asyncio.gather(
        load_detail(view, request_id, tab if tab in TABS else "conversation"),
        view.state.store.neighbours(request_id, view.which(period=False)),
    )
    if detail is None:
        raise HTTPException(404, "This request is not in the log: it never was, or its retention is over.")
    shell = await make_shell(view, "Request", urls.REQUESTS, has_period=False)
    query = _carried(view)
    newer, older = (urls.request(each, query) if each else "" for each in neighbours)
    return respond(RequestPage(shell, detail, newer, older, await trace_card(view, detail.span)))


async def load_detail(view: View, request_id: str, tab: str) -> Detail | None:
    """None where it is not in the log, or not for this person to see."""
    found = await view.state.store.span(request_id)
    if found is None:
        return None
    span = found.span
    if not sees(view.principal, span):
        return None
    return _detail(view, found, tab)


def _carried(view: View) -> Pairs:
    return (*view.filters.pairs, *view.period.query.items())


def _detail(view: View, found: SpanDetail, tab: str) -> Detail:
    span, payload = found.span, found.payload
    query = _carried(view)
    request = (
        body_of(payload.request_body, payload.request_content_type, payload.request_bytes)
        if payload and tab == "request"
        else None
    )
    response = (
        body_of(payload.response_body, payload.response_content_type, payload.response_bytes)
        if payload and tab == "response"
        else None
    )
    base_url = f"{view.request.url.scheme}://{view.request.url.netloc}"
    conversation, media = _conversation(span, payload) if tab == "conversation" else (None, [])
    return Detail(
        span=span,
        href=urls.request(span.request_id, query),
        href_list=urls.requests(query),
        tab=tab,
        tabs=_tabs(span, payload, TABS, query),
        peek_tabs=_tabs(span, payload, PEEK_TABS, query),
        facts=_facts(span),
        labels=_labels(span),
        started=full(span.started_at, view.period.zone),
        ago=ago(span.started_at, view.now_us) or "",
        phases=phases_of(span),
        speed=_speed(payload),
        attempts=span.attempts,
        bill=bill_of(span, view.state.catalog),
        properties=_properties(view, span),
        usage_rows=_usage_rows(span.usage or Usage()),
        curl=curl(span, payload, base_url),
        python=python(span, payload, base_url),
        record_url=urls.body(span.request_id, "record"),
        conversation=conversation,
        request=request,
        response=response,
        request_headers=payload.request_headers if payload else [],
        response_headers=payload.response_headers if payload else [],
        ending=_ending(view, found),
        has_payload=payload is not None,
        media=media,
        may_replay=view.principal.role == "admin" and not cannot(found),
    )


def _conversation(span: Span, payload: Payload | None) -> tuple[Conversation, list[Medium]]:
    """And the media that it does not show where they belong."""
    found = read_conversation(span, payload)
    media = shown_media(span.request_id, payload)
    return found, give_addresses(found, span.request_id, media)


def _tabs(span: Span, payload: Payload | None, names: tuple[str, ...], query: Pairs) -> list[Tab]:
    notes = {}
    if payload is not None:
        notes = {"request": str(size(payload.request_bytes)), "response": str(size(payload.response_bytes))}
    return [
        Tab(
            name,
            name.capitalize(),
            notes.get(name, ""),
            urls.request(span.request_id, (*query, ("tab", name)) if name != "conversation" else query),
            urls.peek(span.request_id, (*query, ("tab", name))),
        )
        for name in names
    ]


def _facts(span: Span) -> list[Fact]:
    usage = span.usage or Usage()
    failed = span.attempts[:-1]
    spent = sum(attempt.cost_nanousd or 0 for attempt in failed)
    tried = f"retried, that cost {money(spent)}" if failed else ""
    source = {"estimated": "tokens estimated", "provider": "by the provider", "cache": _saved(span)}
    cached = f"{usage.cached_input_tokens:,} from cache" if usage.cached_input_tokens else ""
    thought = f"{usage.reasoning_tokens:,} for reasoning" if usage.reasoning_tokens else ""
    waited = max(0, span.attempts[-1].started_at - span.started_at) if failed else 0
    alone = (
        f"{_words(span.ttft_us - waited)} without retry" if failed and span.ttft_us and span.ttft_us > waited else ""
    )
    cost = money(0 if span.cost_nanousd is None and span.usage is None else span.cost_nanousd)
    part = f"{share(span.overhead_us, span.latency_us)} of the call" if span.overhead_us and span.latency_us else ""
    return [
        Fact("Cost", cost, tried or source.get(span.usage_source, source.get(span.cost_source, ""))),
        Fact("Latency", duration(span.latency_us), f"{_words(span.upstream_us)} upstream" if span.upstream_us else ""),
        Fact("First token", duration(span.ttft_us), alone or ("" if span.stream else "not streamed")),
        Fact("Output speed", _speed_figure(span, usage), "after the first token" if span.ttft_us else ""),
        Fact("Input", count(usage.input_tokens), cached),
        Fact("Output", count(usage.output_tokens), thought),
        Fact("Gateway added", duration(span.overhead_us), part),
    ]


def _saved(span: Span) -> str:
    """Of an answer from the response cache."""
    return "from the cache" if span.saved_nanousd is None else f"from the cache, saved {money(span.saved_nanousd)}"


def _words(us: float | None) -> str:
    """`1.24 s`, for a sentence."""
    figure = duration(us)
    return " ".join(text for _, text in figure.parts) if len(figure.parts) == 2 else str(figure)


def _speed_figure(span: Span, usage: Usage) -> Figure:
    if not usage.output_tokens or span.cache == "hit" or span.ttft_us is None or (span.latency_us or 0) <= span.ttft_us:
        return plain("–", nil=True)
    rate = usage.output_tokens * SECOND / ((span.latency_us or 0) - span.ttft_us)
    return Figure((("main", f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"), ("unit", "tok/s")))


def _labels(span: Span) -> list[tuple[str, str]]:
    known = [("tenant", span.tenant), ("environment", span.environment), ("workflow", span.workflow)]
    named = [(name, value) for name, value in known if value]
    reserved = ("tenantSlug", "environment", "workflow")
    return named + [(name, value) for name, value in span.tags.items() if name not in reserved]


def _speed(payload: Payload | None) -> Speed | None:
    found = speed_of(payload.timing) if payload else None
    if found is None or payload is None or payload.timing is None:
        return None
    return Speed(spark_bars(found[0], height=46), duration(found[1]), len(payload.timing))


def _properties(view: View, span: Span) -> list[Property]:
    key = view.key(span.key_id)
    key_name = f"{key.name} …{key.hint}" if key else span.key_id or ""
    listed = [
        Property("Started", full(span.started_at, view.period.zone)),
        Property("Ended", full(span.ended_at, view.period.zone) if span.ended_at else ""),
        Property("Key", key_name, urls.requests([("key", span.key_id or "")]) if span.key_id else ""),
        Property("Tenant", span.tenant or "", urls.requests([("tenant", span.tenant or "")]) if span.tenant else ""),
        Property("User", span.user or "", urls.requests([("user", span.user or "")]) if span.user else ""),
        Property(
            "Session", span.session or "", urls.requests([("session", span.session or "")]) if span.session else ""
        ),
        Property("Trace", span.trace_id or "", _trace_link(span), is_code=True),
        Property("Prompt", _versioned(span.prompt, span.prompt_version)),
        Property("Config", _versioned(span.config, span.config_version)),
        Property("Endpoint", span.endpoint or "", is_code=True),
        Property("Asked for", span.model_requested or "", is_code=True),
        Property("Answered by", "/".join(filter(None, [span.provider, span.model])), is_code=True),
        Property("Service tier", span.service_tier or ""),
        Property("Cache", span.cache or ""),
        Property("Response id", span.response_id or "", is_code=True),
        Property("Upstream id", span.upstream_request_id or "", is_code=True),
        Property("Client id", span.client_request_id or "", is_code=True),
    ]
    return [each for each in listed if each.value]


def _trace_link(span: Span) -> str:
    return urls.trace(span.trace_id, {"span": span.request_id}) if span.trace_id else ""


def _versioned(name: str | None, version: int | None) -> str:
    return f"{name} v{version}" if name and version is not None else name or ""


def _usage_rows(usage: Usage) -> list[tuple[str, Figure]]:
    """Everything that was counted, in the order it is defined."""
    rows = []
    for name in Usage.__struct_fields__:
        value = getattr(usage, name)
        if value is not None:
            figure = count(value) if isinstance(value, int) else plain(f"{value:,}")
            rows.append((name.replace("_", " "), figure))
    return rows


def _ending(view: View, found: SpanDetail) -> str:
    span, payload = found.span, found.payload
    if found.sealed_with is not None:
        return f"The bodies of this request are sealed with the key {found.sealed_with!r}, which this gateway has not."
    if payload is None:
        return "The bodies of this request are not kept: log.payloads says so, or their retention is over."
    log = view.state.settings.log
    redacted = sum(found.redactions.values())
    what = f"{plural(redacted, 'secret')} taken out" if redacted else "Nothing redacted"
    policies, days = view.state.policies, log.payload_retention_days
    if policies is not None:
        days = policies.payload_days(span.tenant, days)
    until = day(span.started_at + days * DAY, view.period.zone) if days else ""
    return f"{what}." + (f" Bodies kept until {until}." if until else "")
