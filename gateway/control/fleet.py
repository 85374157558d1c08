"""The workers of one machine ask each other: what one of them carries, whichever is asked can tell of all.

Each listens on a socket in `run/` of the data folder, which only its owner can open. A question is a connection: a
name and what is asked, then the answer, then the end. Questions come from pages, the API and the scrape of metrics,
never from a call, and nobody waits long for a worker that is busy or gone (docs/decisions/0130).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from gateway.control.local_socket import FOLDER, address, listener

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")

PATIENCE_S = 1.0
"""A worker that has not answered by then is left out."""
FINE = b"+"
"""Before every answer, so that none is not taken for an empty one."""

log = logging.getLogger(__name__)


class Question(Generic[Asked, Answered]):
    """What one worker can ask another, under a name that both know."""

    def __init__(self, name: str, asked: type[Asked], answered: type[Answered]) -> None:
        self.name = name
        self.encode = msgspec.json.Encoder().encode
        self.read_asked = msgspec.json.Decoder(asked).decode
        self.read_answer = msgspec.json.Decoder(answered).decode


class Fleet:
    """This worker among the others. A single worker has no others to ask; it listens all the same, for the annex."""

    def __init__(self, data: Path, number: int | None = 0, workers: int = 1) -> None:
        """`data` is the data folder; without a number it is a process that only asks."""
        self.number = number
        self.workers = workers
        self.folder = data / FOLDER
        self._answers: dict[str, Callable[[bytes], bytes]] = {}
        self._server: asyncio.Server | None = None
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def others(self) -> list[int]:
        return [number for number in range(self.workers) if number != self.number]

    def answer(self, question: Question[Asked, Answered], handler: Callable[[Asked], Answered]) -> None:
        """`handler` is what this worker says to it. It must be quick: calls wait meanwhile."""
        self._answers[question.name] = lambda body: question.encode(handler(question.read_asked(body)))

    async def ask(
        self, question: Question[Asked, Answered], what: Asked, *, but: int | None = None
    ) -> dict[int, Answered]:
        """What each of the others says, by its number; who is gone, too slow or of another mind is left out. `but` is
        one that has said it already."""
        body, asked = question.encode(what), [number for number in self.others if number != but]
        said = await asyncio.gather(*(self._ask(number, question.name, body) for number in asked))
        found: dict[int, Answered] = {}
        for number, answer in zip(asked, said, strict=True):
            if answer is not None:
                try:
                    found[number] = question.read_answer(answer)
                except msgspec.DecodeError as exc:
                    log.warning("worker %d answers %r with something else: %s", number, question.name, exc)
        return found

    def tell(self, question: Question[Asked, Any], what: Asked) -> None:
        """Lets the others know, and waits for nothing."""
        if self.others:
            task = asyncio.get_running_loop().create_task(self._tell(question, what))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _tell(self, question: Question[Asked, Any], what: Asked) -> None:
        await self.ask(question, what)

    # ------------------------------------------------------------------------------------------ the socket

    async def open(self) -> None:
        """Listens. A worker that cannot still serves calls; only the others do not hear of it."""
        if self.number is None:
            return
        try:
            listening = listener(self.folder, _name(self.number))
            self._server = await asyncio.start_unix_server(self._serve, sock=listening)
        except OSError as exc:
            log.warning("this worker cannot be asked by the others: %s", exc)

    async def close(self) -> None:
        for task in list(self._telling):
            task.cancel()
        if self._server is not None and self.number is not None:
            self._server.close()
            self._server = None
            with contextlib.suppress(OSError):
                (self.folder / _name(self.number)).unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                name = (await reader.readline()).decode().rstrip("\n")
                body = await reader.read()
                writer.write(FINE + self._answers[name](body))
                await writer.drain()
        except (OSError, TimeoutError) as exc:
            log.debug("a worker asked and went away: %r", exc)
        except Exception:
            log.exception("the question of another worker was not answered")
        finally:
            writer.close()

    async def _ask(self, number: int, name: str, body: bytes) -> bytes | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                with address(self.folder, _name(number)) as path:
                    reader, writer = await asyncio.open_unix_connection(path)
                try:
                    writer.write(name.encode() + b"\n" + body)
                    writer.write_eof()
                    answer = await reader.read()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as exc:
            log.debug("worker %d does not say %s: %r", number, name, exc)
            return None
        return answer.removeprefix(FINE) if answer.startswith(FINE) else None


def _name(number: int) -> str:
    return f"worker-{number}.sock"
