"""Where people are signed in: a note of each session as it began, so that they, or an admin, can end one of them.

A session works without its note (`gateway.control.sessions` asks for none), and a note opens nothing: it is there to
be read, and goes with the session. Its id begins with the person's, as all that is theirs.
"""

from __future__ import annotations

import logging

import msgspec

from gateway.control.audit import entry
from gateway.control.directory import Directory, EndedSession, User
from gateway.control.keys import now_us
from gateway.errors import Missing, StoreError
from gateway.store.documents import Documents

KIND = "session"
MOST = 200
BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)
"""The first that is in the user agent: Edge calls itself Chrome too, Chrome Safari, and Android Linux."""

log = logging.getLogger(__name__)


class SignedIn(msgspec.Struct, frozen=True):
    session_id: str
    began_at: int
    until: int
    """When it runs out by itself."""
    address: str
    browser: str
    """In words, as it says of itself; empty where it says nothing that is known."""


class SignedInBook:
    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._decode = msgspec.json.Decoder(SignedIn).decode

    @property
    def _store(self) -> Documents:
        return self._directory.store

    async def note(self, user_id: str, session: SignedIn) -> None:
        """A store that is down keeps nobody out. What has run out meanwhile, of anybody, is forgotten."""
        try:
            await self._store.put_document(KIND, f"{user_id}/{session.session_id}", msgspec.json.encode(session))
            await self._forget_before(session.began_at)
        except StoreError as exc:
            log.warning("a session is in no list: %s", exc)

    async def of(self, user: User) -> list[SignedIn]:
        """Those that work, the newest first."""
        if user.disabled_at is not None:
            return []
        at = now_us()
        documents = await self._store.documents(KIND, prefix=f"{user.user_id}/", limit=MOST, newest=True)
        found = [self._decode(document.body) for document in documents]
        return [
            each
            for each in found
            if each.until > at and each.began_at >= user.sessions_from and each.session_id not in self._directory.ended
        ]

    async def end(self, user: User, session_id: str, *, actor: str) -> SignedIn:
        """Over in every worker within a second. Raises Missing."""
        found = next((each for each in await self.of(user) if each.session_id == session_id), None)
        if found is None:
            raise Missing(f"There is no session {session_id[:100]!r} of theirs (any more).")
        ended = EndedSession(found.until)
        self._directory.ended[session_id] = ended
        audit = entry(actor, "signed_out", KIND, session_id)
        await self._store.put_document("ended_session", session_id, msgspec.json.encode(ended), audit=audit)
        await self.forget(user.user_id, session_id)
        return found

    async def _forget_before(self, at: int) -> None:
        after = None
        while page := await self._store.documents(KIND, after=after, limit=MOST):
            for document in page:
                if self._decode(document.body).until < at:
                    await self._store.delete_document(KIND, document.id)
            after = page[-1].id

    async def forget(self, user_id: str, session_id: str) -> None:
        await self._store.delete_document(KIND, f"{user_id}/{session_id}")


def browser_of(agent: str) -> str:
    """`Firefox on Linux`; the first word of what no browser says of itself, as `curl/8.5`."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    if not browser:
        return agent.split(" ")[0][:40]
    return f"{browser} on {system}" if system else browser
