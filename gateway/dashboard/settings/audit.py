"""The audit log: who changed what, how it was before and how after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.dashboard.render import respond
from gateway.dashboard.settings import urls
from gateway.dashboard.settings.frame import Desk, Frame, desk
from gateway.dashboard.urls import with_query
from gateway.dashboard.view import Choice, Shell
from gateway.store.documents import AuditEntry

PAGE = 50
AT_REST: tuple[Any, ...] = (None, "", [], {}, False, ["*"])
KINDS = {
    "": "Everything",
    "key": "Keys",
    "tenant": "Tenants",
    "environment": "Environments",
    "user": "Users",
    "session": "Sessions",
    "privacy_policy": "Policies",
    "erasure": "Erasures",
    "alert_rule": "Alert rules",
}
"""What is filtered by with a click; any other kind by its name in the address."""


@dataclass(frozen=True)
class Difference:
    field: str
    before: str
    after: str


@dataclass(frozen=True)
class AuditRow:
    when: str
    actor: str
    by_actor: str
    """The log of this one's doings."""
    action: str
    kind: str
    what: str
    """Its name where it has one, else its id."""
    id: str
    differences: list[Difference]


@dataclass(frozen=True)
class AuditPage:
    template: ClassVar[str] = "settings_audit.html"
    shell: Shell
    frame: Frame
    rows: list[AuditRow]
    kinds: list[Choice]
    actor: str
    """Whose doings are shown; empty for everybody's."""
    older: str
    newest: str
    exports: tuple[tuple[str, str], ...] = tuple(
        (form, with_query(urls.AUDIT_EXPORT, {"format": form})) for form in ("csv", "jsonl")
    )


async def audit_page(request: Request) -> Response:
    here, given = await desk(request, "Audit", urls.AUDIT), request.query_params
    kind, actor, before = given.get("kind", ""), given.get("actor", ""), given.get("before", "")
    entries = await here.state.store.audit(
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None,
        limit=PAGE,
        kind=kind or None,
        actor=actor or None,
    )
    kept = {"kind": kind, "actor": actor}
    more = len(entries) == PAGE
    page = AuditPage(
        here.shell,
        here.frame(),
        [_row(here, entry, kind) for entry in entries],
        [_choice(name, label, kind, actor) for name, label in KINDS.items()],
        _person(here, actor),
        with_query(urls.AUDIT, {**kept, "before": str(entries[-1].number)}) if more else "",
        with_query(urls.AUDIT, kept) if before else "",
    )
    return respond(page)


def _choice(name: str, label: str, kind: str, actor: str) -> Choice:
    return Choice(label, with_query(urls.AUDIT, {"kind": name, "actor": actor}), name == kind)


def _row(here: Desk, entry: AuditEntry, kind: str) -> AuditRow:
    before, after = _fields(entry.before), _fields(entry.after)
    named = after or before
    return AuditRow(
        here.when(entry.at),
        _person(here, entry.actor),
        with_query(urls.AUDIT, {"kind": kind, "actor": entry.actor}),
        entry.action.replace("_", " "),
        entry.kind.replace("_", " "),
        _person(here, f"user:{entry.id}").removeprefix("user:")
        if entry.kind == "user"
        else str(named.get("name") or named.get("slug") or entry.id),
        entry.id,
        differences(before, after, here.when),
    )


def _person(here: Desk, actor: str) -> str:
    """`user:ADDRESS` for `user:ID` as long as there is such a person."""
    user = here.identity.directory.users.get(actor.removeprefix("user:")) if actor.startswith("user:") else None
    return actor if user is None else f"user:{user.email}"


def _fields(body: bytes | None) -> dict[str, Any]:
    found = msgspec.json.decode(body) if body else {}
    return found if isinstance(found, dict) else {}


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], when: Callable[[int | None], str] = str
) -> list[Difference]:
    """The fields that are not alike, in the order of the newer one. What is at rest in something new is left out.

    `when` writes moments.
    """
    names = list(dict.fromkeys([*after, *before]))
    changed = [name for name in names if before.get(name) != after.get(name)]
    return [
        Difference(name, _said(name, before.get(name), when), _said(name, after.get(name), when))
        for name in changed
        if before.get(name) not in AT_REST or after.get(name) not in AT_REST
    ]


def _said(name: str, value: Any, when: Callable[[int | None], str]) -> str:
    if value in (None, "", [], {}):
        return "–"
    if isinstance(value, int) and (name.endswith("_at") or name == "sessions_from"):
        return when(value) or "–"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
