"""`/api/requests`: the list, one record, the export."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.api.access import reader
from gateway.api.errors import invalid
from gateway.api.export import FORMATS, Exports, Progress, exported
from gateway.api.filters import ORDERS, iso_time, parse_choice, parse_limit, single
from gateway.api.record import Record, detail_of, encode, record_of
from gateway.api.scope import asked, sees, state_of
from gateway.control.fleet import Question
from gateway.errors import CallError
from gateway.store.base import Page, SpanFilter, SpanReader

PROGRESS = Question("export progress", str, list[Progress])


class RequestPage(msgspec.Struct):
    items: list[Record]
    next_cursor: str | None
    prev_cursor: str | None
    looked_to: str | None = None
    """Where what is asked for is rare: how far was looked for this page, which may then be short though more follow."""


async def list_requests(request: Request) -> Response:
    question = asked(request, "limit", "cursor", "order")
    page = await read_page(
        state_of(request).store,
        question.which,
        limit=parse_limit(question.values),
        cursor=single(question.values, "cursor"),
        order=parse_choice(question.values, "order", ORDERS, "newest"),
    )
    return json_response(
        RequestPage(
            [record_of(span) for span in page.items],
            page.next_cursor,
            page.prev_cursor,
            None if page.looked_to is None else iso_time(page.looked_to),
        ),
    )


async def read_page(store: SpanReader, which: SpanFilter, *, limit: int, cursor: str | None, order: str) -> Page:
    """Raises CallError 400 for a cursor that is not one of ours."""
    try:
        return await store.spans(which, limit=limit, cursor=cursor, order=order)
    except ValueError as exc:
        if cursor is None:
            raise
        message = f"'cursor' has the value {cursor[:100]!r}. It takes next_cursor or prev_cursor of an answer before."
        raise invalid("cursor", message) from exc


async def one_request(request: Request) -> Response:
    request_id = request.path_params["request_id"]
    detail = await state_of(request).store.span(request_id)
    if detail is None or not sees(reader(request), detail.span):
        message = f"There is no request {request_id[:100]!r} in the log. It may be too new or too old."
        raise CallError(404, "request_not_found", message, param="request_id")
    return json_response(detail_of(detail))


async def export_requests(request: Request) -> Response:
    question = asked(request, "format", "progress")
    form = FORMATS[parse_choice(question.values, "format", FORMATS, "jsonl")]
    exports: Exports = exports_of(request.app)
    progress = exports.watched(single(question.values, "progress"))
    body = exports.admitted(exported(state_of(request).store, question.which, form, progress), progress)
    name = f"callgate-requests-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{form.suffix}"
    return StreamingResponse(
        body, media_type=form.media_type, headers={"content-disposition": f'attachment; filename="{name}"'}
    )


async def export_progress(request: Request) -> Response:
    """Of an export that was begun with `progress=TOKEN`, whichever worker carries it."""
    token = request.path_params["token"]
    found = own_progress(request.app, token)
    if not found:
        elsewhere = await state_of(request).fleet.ask(PROGRESS, token)
        found = [progress for theirs in elsewhere.values() for progress in theirs]
    if not found:
        raise CallError(404, "export_not_found", "There is no such export (any more).", param="token")
    return json_response(found[0])


def own_progress(app: Starlette, token: str) -> list[Progress]:
    """None or one: of the export that this worker carries."""
    progress = exports_of(app).progress(token)
    return [] if progress is None else [progress]


def exports_of(app: Starlette) -> Exports:
    """One for the application: it counts the exports that run."""
    state = app.state
    if not hasattr(state, "exports"):
        state.exports = Exports()
    exports: Exports = state.exports
    return exports


def json_response(value: object) -> Response:
    return Response(encode(value), media_type="application/json")
