"""Everything of a tenant or a user is erased, and a certificate says what went.

The certificate names nobody: it holds a keyed hash of who it was, so that who asks "was I erased?" can be answered by
hashing the name again, and nobody can read the name out of it. It is kept in the audit log, which is not changed:
its entries name people by their ids.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from pathlib import Path

import msgspec

from gateway.control.audit import entry
from gateway.control.belongings import discard
from gateway.control.identity import Identity
from gateway.control.secret import derive
from gateway.core.ids import uuid7
from gateway.errors import ControlError
from gateway.recorder.deadletter import DeadLetter, DeadLetters
from gateway.recorder.retention import POLICY
from gateway.store.base import Store
from gateway.store.documents import AuditEntry
from gateway.store.erasing import Erased, Subject

STEP_ROWS = 500
KIND = "erasure"
"""Of the audit entry."""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    certificate_id: str
    subject_kind: str
    subject_hash: str
    """HMAC-SHA256 of the name under a key of this installation, in hex."""
    by: str
    began_at: int
    ended_at: int
    erased: Erased
    documents: int
    """People and what was theirs (conversations, sessions, views), tenants, environments and policies."""
    dead_letters: int
    """Rows that the store had refused."""
    cached_answers: int
    """All that the response cache kept in the store, whoever's they were."""
    totals: str
    """`kept`: what it cost and how often it called stays under `erased-…`; or `erased`."""
    sha256: str = ""
    """Of this certificate as JSON in this order of fields, with this one empty."""

    @property
    def is_sound(self) -> bool:
        return self.sha256 == _digest(self)


class Erasure:
    def __init__(self, store: Store, identity: Identity, secret: bytes, data: Path) -> None:
        self._store = store
        self._identity = identity
        self._secret = derive(secret, "erasure certificates")
        self._dead = DeadLetters(data)

    def hash_of(self, subject: Subject) -> str:
        return hmac.new(self._secret, f"{subject.kind}:{subject.value}".encode(), hashlib.sha256).hexdigest()

    async def erase(self, subject: Subject, *, by: str, totals: bool = False) -> Certificate:
        """In small steps, beside running traffic. Raises ControlError for what the configuration declares, and
        StoreError: then it is begun again, and finds less to do."""
        if not subject.value:
            raise ControlError("Say whose: a tenant's slug, or a user as `userId` names them.")
        await self._identity.refresh()
        self._check_not_declared(subject)
        began_at, erased = _now_us(), Erased()
        documents, people = await self._erase_documents(subject, by)
        dead = self._dead.discard(lambda letter: _is_of(letter, subject))
        cached = await self._store.clear_answers()
        while (step := await self._store.erase_spans(subject, totals=totals, limit=STEP_ROWS)).spans:
            erased.add(step)
        erased.add(await self._store.forget(subject, totals=totals, owners=people))
        draft = Certificate(
            certificate_id=uuid7(),
            subject_kind=subject.kind,
            subject_hash=self.hash_of(subject),
            by=by,
            began_at=began_at,
            ended_at=_now_us(),
            erased=erased,
            documents=documents,
            dead_letters=dead,
            cached_answers=cached,
            totals="erased" if totals else "kept",
        )
        certificate = msgspec.structs.replace(draft, sha256=_digest(draft))
        await self._store.record(entry(by, "erased", KIND, certificate.certificate_id, None, certificate))
        await self._identity.refresh()
        return certificate

    async def certificates(self, *, limit: int = 100) -> list[Certificate]:
        """Newest first."""
        entries = await self._store.audit(kind=KIND, limit=limit)
        return [msgspec.json.decode(each.after, type=Certificate) for each in entries if each.after is not None]

    def _check_not_declared(self, subject: Subject) -> None:
        directory = self._identity.directory
        if subject.kind == "tenant":
            tenant = directory.tenants.get(subject.value)
            declared = tenant is not None and tenant.declared
        else:
            user = directory.user_by_email(subject.value)
            declared = user is not None and user.declared
        if declared:
            raise ControlError(
                f"{subject.value!r} is declared in the configuration: take it out there first, or it comes back."
            )

    async def _erase_documents(self, subject: Subject, by: str) -> tuple[int, list[str]]:
        """Who they are here, in no audit entry but by id: people, and what hangs on a tenant. How many, and the ids of
        the people."""
        directory, people = self._identity.directory, self._identity.people
        doomed: list[tuple[str, str]] = []
        if subject.kind == "user":
            users = [user for user in [directory.user_by_email(subject.value)] if user is not None]
        else:
            users = [user for user in directory.users.values() if user.tenant == subject.value and not user.declared]
            environments = directory.environments.values()
            doomed += [("environment", each.id) for each in environments if each.tenant == subject.value]
            doomed += [("tenant", subject.value), (POLICY, f"tenant:{subject.value}")]
        gone = len(users)
        for user in users:
            gone += await discard(self._store, user.user_id)
            await people.delete(user.user_id, actor=by)
        for key_id in self._keys_of(subject):
            gone += await discard(self._store, key_id)
        for kind, doc_id in doomed:
            audit = AuditEntry(_now_us(), by, "erased", kind, doc_id)
            gone += await self._store.delete_document(kind, doc_id, audit=audit)
        return gone, [user.user_id for user in users]

    def _keys_of(self, subject: Subject) -> set[str]:
        """Who signed in with a key has conversations under its id."""
        keys = self._identity.keyring.keys() if subject.kind == "tenant" else []
        return {key.key_id for key in keys if key.tenant == subject.value}


def _is_of(letter: DeadLetter, subject: Subject) -> bool:
    if letter.row is None:
        return False
    span = letter.row.span
    return subject.value == (span.user if subject.kind == "user" else span.tenant)


def _digest(certificate: Certificate) -> str:
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(certificate, sha256=""))).hexdigest()


def _now_us() -> int:
    return time.time_ns() // 1000
