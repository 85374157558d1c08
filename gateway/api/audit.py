"""`/api/audit`: who changed what; and all of it as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.api.errors import invalid
from gateway.api.filters import iso_time
from gateway.api.identity_record import audit_record
from gateway.api.keys import answer
from gateway.api.record import encode
from gateway.api.scope import state_of
from gateway.store.documents import AuditEntry, Documents

LIMIT = 100
MOST = 1000
PARAMETERS = ("limit", "cursor", "kind", "id", "actor")
COLUMNS = ("number", "at", "actor", "action", "kind", "id", "before", "after")
FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")
"""A cell that begins with one is run by some spreadsheet (OWASP, CSV injection)."""


async def list_audit(request: Request) -> Response:
    given = dict(request.query_params)
    unknown = [name for name in given if name not in PARAMETERS]
    if unknown:
        raise invalid(unknown[0], f"There is no parameter {unknown[0][:50]!r} here; {', '.join(PARAMETERS)} are.")
    limit = number(given, "limit", LIMIT)
    entries = await state_of(request).store.audit(
        before=number(given, "cursor", 0) or None,
        limit=min(limit, MOST),
        kind=given.get("kind"),
        doc_id=given.get("id"),
        actor=given.get("actor"),
    )
    more = str(entries[-1].number) if entries and len(entries) == min(limit, MOST) else None
    return answer({"items": [audit_record(each) for each in entries], "next_cursor": more})


async def export_audit(request: Request) -> Response:
    form = request.query_params.get("format", "jsonl")
    if form not in ("csv", "jsonl"):
        raise invalid("format", f"'format' has the value {form[:50]!r}. It takes csv or jsonl.")
    name = f"callgate-audit-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{form}"
    media_type = "text/csv; charset=utf-8" if form == "csv" else "application/x-ndjson"
    lines = as_csv if form == "csv" else as_json_lines
    return StreamingResponse(
        exported(state_of(request).store, lines, head=form == "csv"),
        media_type=media_type,
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


async def exported(store: Documents, lines: Callable[[list[AuditEntry]], bytes], *, head: bool) -> AsyncIterator[bytes]:
    """Newest first, a thousand at a time."""
    if head:
        yield (",".join(COLUMNS) + "\r\n").encode()
    before = None
    while entries := await store.audit(before=before, limit=MOST):
        yield lines(entries)
        before = entries[-1].number


def as_json_lines(entries: list[AuditEntry]) -> bytes:
    return b"".join(encode(audit_record(each)) + b"\n" for each in entries)


def as_csv(entries: list[AuditEntry]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    for each in entries:
        bodies = [(body or b"").decode() for body in (each.before, each.after)]
        words = [each.actor, each.action, each.kind, each.id]
        writer.writerow([each.number, iso_time(each.at), *(_safe(word) for word in words), *bodies])
    return text.getvalue().encode()


def _safe(cell: str) -> str:
    return "'" + cell if cell[:1] in FORMULA_STARTS else cell


def number(given: dict[str, str], name: str, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 63):
        raise invalid(name, f"{name!r} has the value {text[:50]!r}. It takes a whole number above 0.")
    return int(text)
