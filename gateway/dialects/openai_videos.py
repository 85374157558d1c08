"""OpenAI's videos and containers: what is made in the background and paid for once, by whichever call reports it first.

https://platform.openai.com/docs/api-reference/videos and …/containers

A video is a job that is asked for, looked at and fetched. It is paid by the second when it is complete, and the larger
sizes at another price. A container is paid when it is opened; one that a response opens is in that response's bill.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.dialects.base import NOTHING, NULL, UNREADABLE, Answer, Context, Dialect, error_message
from gateway.dialects.counts import MOST
from gateway.dialects.openai_output import CONTAINER, gigabytes
from pricing.usage import Usage


class _Job(msgspec.Struct):
    id: Any = None
    object: Any = None
    model: Any = None
    status: Any = None
    seconds: Any = None
    size: Any = None
    memory_limit: Any = None
    error: msgspec.Raw = NULL


_decode_job = msgspec.json.Decoder(_Job).decode


class OpenAIVideos(Dialect):
    """A video asked for, made anew from another, or looked at: the same object."""

    name = "openai.videos"
    kind = "video"
    family = "openai"

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        job = _job(data)
        answer = Answer(model=_text(job.model))
        if bytes(job.error) != b"null":
            answer.error = error_message(b'{"error":' + bytes(job.error) + b"}") or "the video failed"
        seconds = _seconds(job.seconds)
        if job.status == "completed" and seconds is not None:
            answer.usage = Usage(audio_seconds=seconds)
            answer.service_tier = video_tier(job.size)
            answer.bill_id = _text(job.id)
        return answer

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        answer, job = self.settle(data, streaming, context), _job(data)
        answer.response_id = _text(job.id)
        answer.finish_reasons = [job.status] if isinstance(job.status, str) else []
        return answer


class OpenAIContainers(Dialect):
    """A container opened for the code interpreter."""

    name = "openai.containers"
    kind = "container"
    family = "openai"

    def settle(self, data: bytes, streaming: bool, context: Context = NOTHING) -> Answer:
        job = _job(data)
        if job.object != "container" or _text(job.id) is None:
            return Answer()
        return Answer(
            model=CONTAINER, usage=Usage(code_sessions=gigabytes(job.memory_limit)), bill_id=job.id, bill_is_own=True
        )

    def read(self, data: bytes, streaming: bool, status: int, context: Context = NOTHING) -> Answer:
        if status >= 400:
            return Answer(error=error_message(data))
        return self.settle(data, streaming, context)


def video_tier(size: Any) -> str | None:
    """`720p`, of `720x1280`: what the price of a second depends on."""
    width, _, height = size.partition("x") if isinstance(size, str) else ("", "", "")
    sides = [int(side) for side in (width, height) if side.isdecimal() and len(side) <= 5]
    return f"{min(sides)}p" if len(sides) == 2 else None


def _job(data: bytes) -> _Job:
    try:
        return _decode_job(data)
    except UNREADABLE:
        return _Job()


def _seconds(value: Any) -> float | None:
    """It is written as a text."""
    try:
        seconds = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        return None
    return seconds if 0 < seconds < MOST else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
