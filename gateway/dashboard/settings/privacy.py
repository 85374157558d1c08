"""What is kept of whose calls and how long; trying redaction; erasing, and the certificates of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.privacy import PolicyRecord, erasure_of, policies_of, policy_records, redacted_text
from gateway.control.erasure import Certificate
from gateway.core.capture import LEVELS
from gateway.dashboard.render import respond
from gateway.dashboard.settings import urls
from gateway.dashboard.settings.frame import Desk, Frame, desk, done, form_of
from gateway.dashboard.view import Shell
from gateway.errors import ControlError
from gateway.settings.privacy import PrivacyPolicy
from gateway.store.erasing import Subject

SHOWN_CERTIFICATES = 20


@dataclass(frozen=True)
class KeptRow:
    """What holds for everybody: a label and its value in words."""

    label: str
    value: str


@dataclass(frozen=True)
class CertificateRow:
    when: str
    whose: str
    by: str
    spans: int
    bodies: int
    totals: str
    subject_hash: str
    sha256: str
    sound: bool


@dataclass(frozen=True)
class Tried:
    """What redaction made of a text."""

    text: str
    found: list[tuple[str, int]]


@dataclass(frozen=True)
class PrivacyPage:
    template: ClassVar[str] = "settings_privacy.html"
    shell: Shell
    frame: Frame
    everybody: list[KeptRow]
    policies: list[PolicyRecord]
    certificates: list[CertificateRow]
    levels: tuple[str, ...] = LEVELS
    scopes: tuple[str, ...] = ("tenant", "environment", "key")
    tried: Tried | None = None
    put: str = urls.privacy("policy")
    delete: str = urls.privacy("delete")
    redact: str = urls.privacy("redact")
    erase: str = urls.privacy("erase")


async def privacy_page(request: Request) -> Response:
    return await _page(await desk(request, "Privacy", urls.PRIVACY))


async def privacy_action(request: Request) -> Response:
    here, form = await desk(request, "Privacy", urls.PRIVACY), await form_of(request)
    action = request.path_params["action"]
    try:
        if action == "redact":
            text, found = await redacted_text(here.state, form.get("text", ""))
            return await _page(here, form=form, tried=Tried(text, sorted(found.items())))
        if action == "policy":
            await policies_of(here.state).put(_policy(form), actor=here.principal.actor)
            return done(urls.PRIVACY)
        if action == "delete":
            scope, match = form.get("scope", ""), form.get("match", "")
            await policies_of(here.state).delete(scope, match, actor=here.principal.actor)
            return done(urls.PRIVACY)
        if action == "erase":
            return await _erase(here, form)
    except ControlError as problem:
        return await _page(here, problem=str(problem), form=form)
    raise HTTPException(404)


async def _erase(here: Desk, form: dict[str, str]) -> Response:
    """Asked twice: the name must be written again. What was written is not shown again."""
    value = form.get("value", "").strip()
    if value != form.get("again", "").strip():
        raise ControlError("The two names are not the same, so nothing was erased.")
    subject = Subject("tenant" if form.get("kind") == "tenant" else "user", value)
    await erasure_of(here.state).erase(subject, by=here.principal.actor, totals=form.get("totals") == "yes")
    return done(urls.PRIVACY)


def _policy(form: dict[str, str]) -> PrivacyPolicy:
    """Raises ControlError."""
    given: dict[str, Any] = {
        "scope": form.get("scope", ""),
        "match": form.get("match", "").strip(),
        "payloads": form.get("payloads") or None,
        "retention_days": _days(form.get("retention_days", "")),
        "payload_retention_days": _days(form.get("payload_retention_days", "")),
    }
    try:
        return msgspec.convert(given, PrivacyPolicy)
    except msgspec.ValidationError as exc:
        raise ControlError(f"This policy cannot be kept: {exc}.") from exc


def _days(text: str) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdecimal():
        raise ControlError(f"{text!r} is no number of days.")
    return int(text)


async def _page(
    here: Desk, *, problem: str = "", form: dict[str, str] | None = None, tried: Tried | None = None
) -> Response:
    log, privacy = here.state.settings.log, here.state.settings.privacy
    keys = privacy.encryption.sealing_keys
    everybody = [
        KeptRow("Content", log.payloads),
        KeptRow("Rows", _for_days(log.retention_days)),
        KeptRow("Bodies", _for_days(log.payload_retention_days)),
        KeptRow("Redaction", "on" if log.redaction.enabled else "off"),
        KeptRow("Bodies in the store", f"sealed with {keys[0].id}" if keys else "in the clear"),
    ]
    certificates = await erasure_of(here.state).certificates(limit=SHOWN_CERTIFICATES)
    page = PrivacyPage(
        here.shell,
        here.frame(problem, form=form),
        everybody,
        policy_records(policies_of(here.state)),
        [_row(here, each) for each in certificates],
        tried=tried,
    )
    return respond(page, 400 if problem else 200)


def _for_days(days: int | None) -> str:
    return "for ever" if days is None else f"{days} days"


def _row(here: Desk, certificate: Certificate) -> CertificateRow:
    return CertificateRow(
        here.when(certificate.ended_at),
        certificate.subject_kind,
        certificate.by,
        certificate.erased.spans,
        certificate.erased.bodies,
        certificate.totals,
        certificate.subject_hash[:16],
        certificate.sha256[:16],
        certificate.is_sound,
    )
