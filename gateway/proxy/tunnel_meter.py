"""What a realtime connection's messages say of its turns, read from the two directions as they pass by. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.dialects.base import UNREADABLE
from gateway.dialects.realtime import DONE, TRANSCRIBED
from gateway.proxy.tunnel_frames import CLOSE, TEXT, FrameReader, close_code

_AUDIO = "input_audio_buffer.append"
"""What a client mostly sends; not kept."""
MOST_KEPT = 64 * 1024
"""Of the client's events before a turn, bytes."""


class Turn(msgspec.Struct, frozen=True):
    """Something that is billed: a response, or the transcription of what was said to it."""

    event: bytes
    """The event that ended it, as it was sent."""
    asked: list[bytes]
    """The client's events before it, audio left out."""
    model: str | None
    """By the session's own word."""
    began_at: int
    """µs UTC."""


class _Transcription(msgspec.Struct):
    model: Any = None


class _AudioInput(msgspec.Struct):
    transcription: _Transcription | None = None


class _Audio(msgspec.Struct):
    input: _AudioInput | None = None


class _Session(msgspec.Struct):
    model: Any = None
    audio: _Audio | None = None
    input_audio_transcription: _Transcription | None = None


class _Event(msgspec.Struct):
    type: Any = None
    session: _Session | None = None


_decode = msgspec.json.Decoder(_Event).decode


class Meter:
    """`model` is the session's, `in_turn` whether a response is being generated."""

    def __init__(self) -> None:
        self.model: str | None = None
        self.in_turn = False
        self.close: tuple[int | None, str] = (None, "")
        """Why the provider has closed: code and reason; None while it has not said so."""
        self._transcriber: str | None = None
        self._began_at = 0
        self._from_client = FrameReader()
        self._from_provider = FrameReader()
        self._asked: list[bytes] = []
        self._asked_bytes = 0

    def client(self, data: bytes) -> None:
        """Bytes that the client sent."""
        for message in self._from_client.feed(data):
            if message.opcode != TEXT or len(message.data) + self._asked_bytes > MOST_KEPT:
                continue
            event = _read(message.data)
            if event is not None and event.type != _AUDIO:
                self._asked.append(message.data.replace(b"\n", b" "))
                self._asked_bytes += len(message.data)

    def provider(self, data: bytes, now_us: int) -> list[Turn]:
        """Bytes that the provider sent; the turns that ended with them."""
        turns = []
        for message in self._from_provider.feed(data):
            if message.opcode == CLOSE:
                self.close = close_code(message.data)
            event = _read(message.data) if message.opcode == TEXT else None
            if event is None:
                continue
            if event.type == "response.created":
                self.in_turn, self._began_at = True, now_us
            elif event.type == DONE:
                turns.append(Turn(message.data, self._asked, self.model, self._began_at or now_us))
                self.in_turn, self._began_at = False, 0
                self._asked, self._asked_bytes = [], 0
            elif event.type == TRANSCRIBED:
                turns.append(Turn(message.data, [], self._transcriber, now_us))
            elif event.session is not None:
                self._learn(event.session)
        return turns

    def broken_off(self) -> Turn | None:
        """The response that was being generated when the connection ended: what it used, nobody said."""
        return Turn(b"", self._asked, self.model, self._began_at) if self.in_turn else None

    @property
    def client_is_between_frames(self) -> bool:
        return self._from_client.is_between_frames

    @property
    def provider_is_between_frames(self) -> bool:
        return self._from_provider.is_between_frames

    def _learn(self, session: _Session) -> None:
        if isinstance(session.model, str):
            self.model = session.model
        within = session.audio.input if session.audio is not None else None
        transcription = session.input_audio_transcription or (within.transcription if within is not None else None)
        if transcription is not None and isinstance(transcription.model, str):
            self._transcriber = transcription.model


def _read(data: bytes) -> _Event | None:
    try:
        return _decode(data)
    except UNREADABLE:
        return None
