"""Two pages that set requests side by side: a diff of two recorded ones, and a replay beside its original."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.replay import cannot, original, replayed
from gateway.core.span import Span
from gateway.dashboard import urls
from gateway.dashboard.compare import Comparison, compare
from gateway.dashboard.format import Figure, count, duration, money
from gateway.dashboard.render import respond
from gateway.dashboard.replaying import Replaying
from gateway.dashboard.view import Shell, View, listed_values, make_shell, open_view
from gateway.errors import CallError
from gateway.store.base import SpanDetail, SpanFilter

SUGGESTED = 8
FORM_MAX_BYTES = 10_000


@dataclass(frozen=True)
class Other:
    """A request that may be the other side of a diff."""

    request_id: str
    href: str
    model: str
    provider: str | None
    preview: str
    latency: Figure
    cost: Figure


@dataclass(frozen=True)
class DiffPage:
    template: ClassVar[str] = "diff.html"
    shell: Shell
    span: Span
    comparison: Comparison | None
    others: list[Other] = field(default_factory=list)
    """To choose from, while there is no other side."""
    problem: str = ""


@dataclass(frozen=True)
class ReplayPage:
    template: ClassVar[str] = "replay.html"
    shell: Shell
    span: Span
    refusal: str
    """Why it cannot be sent again; empty if it can."""
    redacted: int
    """Secrets that were taken out, whose placeholders would be sent."""
    model: str
    """What the form says."""
    models: list[str]
    estimate: Figure
    estimate_tokens: Figure
    estimate_latency: Figure
    said: str = ""
    """The original's answer, to be read while the new one comes."""
    comparison: Comparison | None = None
    problem: str = ""


async def diff_page(request: Request) -> Response:
    view = open_view(request, path=request.url.path)
    found = await _one(view, request.path_params["request_id"])
    shell = await make_shell(view, "Diff", urls.REQUESTS, has_period=False)
    other_id = request.query_params.get("with", "").strip()
    if not other_id:
        return respond(DiffPage(shell, found.span, None, await _others(view, found.span)))
    try:
        other = await original(view.state, view.principal, other_id)
    except CallError as exc:
        return respond(DiffPage(shell, found.span, None, await _others(view, found.span), exc.message), 404)
    return respond(DiffPage(shell, found.span, await asyncio.to_thread(compare, found, other)))


async def replay_page(request: Request) -> Response:
    """GET shows what would be sent and what it may cost; POST sends it, and is watched where the page can."""
    view = open_view(request, path=request.url.path)
    found = await _one(view, request.path_params["request_id"])
    model = await _model_of_form(request) if request.method == "POST" else ""
    if request.method == "POST" and "text/event-stream" in request.headers.get("accept", ""):
        return Replaying(view, found, model or None)
    comparison, problem, status = None, "", 200
    if request.method == "POST":
        try:
            made = await replayed(view.state, view.principal, found, model or None)
            comparison = await asyncio.to_thread(compare, found, made)
        except CallError as exc:
            problem, status = exc.message, exc.status
    shell = await make_shell(view, "Replay", urls.REQUESTS, has_period=False)
    span = found.span
    page = ReplayPage(
        shell=shell,
        span=span,
        refusal=cannot(found),
        redacted=sum(found.redactions.values()),
        model=model or _asked_model(span),
        models=[value.value for value in await listed_values(view, "model")][:50],
        estimate=money(0 if span.cost_nanousd is None and span.usage is None else span.cost_nanousd),
        estimate_tokens=count(span.usage.input_tokens if span.usage else None),
        estimate_latency=duration(span.latency_us),
        said=(found.payload.response_text if found.payload else None) or "",
        comparison=comparison,
        problem=problem,
    )
    return respond(page, status)


def _asked_model(span: Span) -> str:
    return span.model_requested or span.model or ""


async def _one(view: View, request_id: str) -> SpanDetail:
    try:
        return await original(view.state, view.principal, request_id)
    except CallError as exc:
        raise HTTPException(404, "This request is not in the log: it never was, or its retention is over.") from exc


async def _others(view: View, span: Span) -> list[Other]:
    """Neighbours that are worth a diff: of the same prompt, feature, session or trace, else the newest."""
    wanted = {"prompt": span.prompt, "trace": span.trace_id, "session": span.session}
    name, value = next(((name, value) for name, value in wanted.items() if value), ("", ""))
    which = SpanFilter(prompt=(value,)) if name == "prompt" and value else SpanFilter()
    if name == "trace" and value:
        which = SpanFilter(trace=(value,))
    elif name == "session" and value:
        which = SpanFilter(session=(value,))
    elif not name and span.feature:
        which = SpanFilter(tags=(("feature", (span.feature,)),))
    page = await view.state.store.spans(view.own(which), limit=SUGGESTED + 1)
    return [_other(span, each) for each in page.items if each.request_id != span.request_id][:SUGGESTED]


def _other(span: Span, each: Span) -> Other:
    preview = " ".join((each.input_preview or each.error_message or "no text").split())[:200]
    model = each.model or each.model_requested or "–"
    cost = money(0 if each.cost_nanousd is None and each.usage is None else each.cost_nanousd)
    href = urls.diff(span.request_id, each.request_id)
    return Other(each.request_id, href, model, each.provider, preview, duration(each.latency_us), cost)


async def _model_of_form(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_MAX_BYTES:
            raise HTTPException(413, "This form is larger than the name of a model.")
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=20)
    return fields.get("model", [""])[-1].strip()[:500]
