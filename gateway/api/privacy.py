"""`/api/privacy`: policies, what redaction would take out of a text, and erasing with its certificates."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import lru_cache

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import reader
from gateway.api.keys import answer
from gateway.api.reading import Body, read_json
from gateway.api.scope import state_of
from gateway.control.erasure import Certificate, Erasure
from gateway.control.privacy import Policies
from gateway.control.secret import load_secret
from gateway.control.state import AppState
from gateway.errors import ControlError
from gateway.recorder.redaction import Redactor
from gateway.settings import Redaction
from gateway.settings.privacy import CaptureLevel, PrivacyPolicy, RuleScope
from gateway.store.erasing import Subject, SubjectKind

TEST_CHARACTERS = 100_000


class NewPolicy(Body):
    scope: RuleScope
    match: str
    payloads: CaptureLevel | None = None
    retention_days: int | None = None
    payload_retention_days: int | None = None


class RedactionTest(Body):
    text: str


class EraseOrder(Body):
    kind: SubjectKind
    value: str
    totals: bool = False
    """Also what was counted under the name."""


class PolicyRecord(msgspec.Struct):
    scope: str
    match: str
    payloads: str | None
    retention_days: int | None
    payload_retention_days: int | None
    declared: bool


async def list_policies(request: Request) -> Response:
    return answer({"items": policy_records(policies_of(state_of(request))), "next_cursor": None})


async def put_policy(request: Request) -> Response:
    new = await read_json(request, NewPolicy)
    policies = policies_of(state_of(request))
    policy = PrivacyPolicy(**{name: getattr(new, name) for name in new.__struct_fields__})
    await policies.put(policy, actor=reader(request).actor)
    return answer(policy_record(policy, declared=False), 201)


async def delete_policy(request: Request) -> Response:
    where = request.path_params
    policies = policies_of(state_of(request))
    gone = await policies.delete(where["scope"], where["match"], actor=reader(request).actor)
    return answer(policy_record(gone, declared=False))


async def test_redaction(request: Request) -> Response:
    """The text is not kept."""
    order = await read_json(request, RedactionTest)
    redacted, found = await redacted_text(state_of(request), order.text)
    return answer({"text": redacted, "found": found})


async def erase(request: Request) -> Response:
    order = await read_json(request, EraseOrder)
    erasure = erasure_of(state_of(request))
    by = reader(request).actor
    return answer(await erasure.erase(Subject(order.kind, order.value.strip()), by=by, totals=order.totals), 201)


async def list_certificates(request: Request) -> Response:
    """`?kind=user&value=…` gives those of whom it names, by the hash."""
    erasure = erasure_of(state_of(request))
    found: list[Certificate] = await erasure.certificates()
    kind, value = request.query_params.get("kind"), request.query_params.get("value")
    if value and kind in ("tenant", "user"):
        wanted = erasure.hash_of(Subject("tenant" if kind == "tenant" else "user", value))
        found = [each for each in found if each.subject_hash == wanted]
    return answer({"items": found, "next_cursor": None})


# ------------------------------------------------------------------------------------------ what pages share


def policies_of(state: AppState) -> Policies:
    if state.policies is None:
        raise ControlError("This process keeps no policies: ask a gateway that serves.")
    return state.policies


def policy_records(policies: Policies) -> list[PolicyRecord]:
    """Those of the configuration first."""
    stored = [policy_record(each, declared=False) for _, each in sorted(policies.stored.items())]
    return [*(policy_record(each, declared=True) for each in policies.declared), *stored]


def policy_record(policy: PrivacyPolicy, *, declared: bool) -> PolicyRecord:
    return PolicyRecord(
        policy.scope,
        policy.match,
        policy.payloads,
        policy.retention_days,
        policy.payload_retention_days,
        declared,
    )


def erasure_of(state: AppState) -> Erasure:
    if state.data is None:
        raise ControlError("This process has no data folder: ask a gateway that serves.")
    return Erasure(state.store, state.identity, load_secret(state.data), state.data)


async def redacted_text(state: AppState, text: str) -> tuple[str, dict[str, int]]:
    """As the recorder would store it, without Presidio; and how many of what were found. Raises ControlError."""
    if len(text) > TEST_CHARACTERS:
        raise ControlError(f"That is more than {TEST_CHARACTERS} characters. Try a part of it.")
    counts: Counter[str] = Counter()
    redactor = await asyncio.to_thread(_redactor, msgspec.json.encode(state.settings.log.redaction))
    return await asyncio.to_thread(redactor.text, text, counts), dict(counts)


@lru_cache(maxsize=2)
def _redactor(settings: bytes) -> Redactor:
    return Redactor(msgspec.json.decode(settings, type=Redaction))
