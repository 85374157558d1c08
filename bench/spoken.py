"""What a stream costs in each dialect that the gateway speaks natively, beside OpenAI's chat.

The upstream writes each dialect's own events (conf/shapes.lua), in chunks of one size and number. Each gateway serves
long and short streams: what the long ones cost more is their chunks', the rest is the stream's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from bench import generators, streamload
from bench.effort import Effort
from bench.lab import Lab
from bench.report import Claim, Table, spread
from bench.servers import BenchError
from bench.target import Target
from bench.templates import chat_body

MOST_TO_CHAT = 1.15
QUESTION = "What is the capital of France, and what is it best known for?"
TAGS = {"tenantSlug": "acme", "userId": "user-4711", "sessionId": "s-20260801-17", "feature": "search"}


@dataclass(frozen=True)
class Spoken:
    """How a dialect is asked for a stream of so many chunks, and how that is known to be whole."""

    name: str
    path: str
    body: Callable[[int], bytes]
    others: int
    """Events beside the chunks."""
    ends: tuple[str, ...]


def _written(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _chat(chunks: int) -> bytes:
    return chat_body("stream/gpt-4o-mini", stream=True, max_tokens=chunks)


def _messages(chunks: int) -> bytes:
    said = [{"role": "user", "content": QUESTION}]
    model = "stream-anthropic/claude-sonnet-4-20250514"
    return _written({"model": model, "messages": said, "max_tokens": chunks, "stream": True, "metadata": TAGS})


def _responses(chunks: int) -> bytes:
    model = "stream/gpt-4o-mini"
    return _written({"model": model, "input": QUESTION, "max_output_tokens": chunks, "stream": True, "metadata": TAGS})


def _gemini(chunks: int) -> bytes:
    said = [{"role": "user", "parts": [{"text": QUESTION}]}]
    return _written({"contents": said, "generationConfig": {"maxOutputTokens": chunks}})


GEMINI_PATH = "/p/stream-gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
SPOKEN = (
    Spoken("OpenAI chat", "/v1/chat/completions", _chat, 2, ('"finish_reason":"stop"', "data: [DONE]")),
    Spoken("Anthropic messages", "/v1/messages", _messages, 6, ("message_delta", "message_stop")),
    Spoken("OpenAI responses", "/v1/responses", _responses, 6, ("output_item.done", "response.completed")),
    Spoken("Gemini", GEMINI_PATH, _gemini, 1, ('"finishReason": "STOP"',)),
)


@dataclass(frozen=True)
class Cost:
    """Processor time of one gateway, µs."""

    per_chunk: float
    per_stream: float


def load(target: Target, spoken: Spoken, streams: int, chunks: int) -> float:
    """Processor seconds that so many streams take. BenchError where one of them is not whole."""
    plan = streamload.Plan(
        port=target.port,
        request=generators.request_bytes(target, spoken.body(chunks), spoken.path),
        streams=streams,
        chunks=chunks,
        ramp_s=max(0.5, streams / 1000),
        late_us=None,
        others=spoken.others,
        ends=spoken.ends,
    )
    seconds = plan.ramp_s + chunks / streamload.CHUNKS_PER_S + streamload.GRACE_S
    before_s = target.cpu_s()
    with generators.under_way("bench.streamload", plan, seconds=seconds) as under_way:
        result = under_way.result(streamload.Result)
    if result.whole != streams:
        raise BenchError(f"{spoken.name}: {result.whole} of {streams} streams came whole")
    return target.cpu_s() - before_s


def cost(lab: Lab, spoken: Spoken, effort: Effort) -> Cost:
    long, short = effort.dialect_chunks
    streams = effort.dialect_streams
    with lab.running("callgate", "stream") as target:
        load(target, spoken, streams // 10, short)
        short_s = load(target, spoken, streams, short)
        long_s = load(target, spoken, streams, long)
    per_chunk = (long_s - short_s) / streams / (long - short)
    return Cost(per_chunk * 1e6, (short_s / streams - short * per_chunk) * 1e6)


def measure(lab: Lab, effort: Effort) -> dict[str, list[Cost]]:
    """Rounds of each in turn."""
    measured: dict[str, list[Cost]] = {spoken.name: [] for spoken in SPOKEN}
    for _ in range(effort.dialect_rounds):
        for spoken in SPOKEN:
            measured[spoken.name].append(cost(lab, spoken, effort))
    return measured


def _whole(costs: list[Cost], chunks: int) -> float:
    return median(each.per_stream + chunks * each.per_chunk for each in costs)


def table(measured: dict[str, list[Cost]], effort: Effort) -> Table:
    chunks = effort.dialect_chunks[0]
    chat = _whole(measured[SPOKEN[0].name], chunks)
    rows = [
        (
            name,
            spread([each.per_chunk for each in costs], 1),
            spread([each.per_stream for each in costs]),
            f"{_whole(costs, chunks) / 1000:.2f}",
            f"{_whole(costs, chunks) / chat:.2f}",
        )
        for name, costs in measured.items()
    ]
    columns = ("CPU µs a chunk", "CPU µs a stream", f"CPU ms a stream of {chunks} chunks", "to chat's")
    return Table((f"{effort.dialect_streams:,} streams", *columns), rows)


def claims(measured: dict[str, list[Cost]], effort: Effort) -> list[Claim]:
    chunks = effort.dialect_chunks[0]
    chat, *others = SPOKEN
    base = _whole(measured[chat.name], chunks)
    return [
        Claim(
            f"processor time of a stream of {chunks} chunks, {spoken.name}, to chat's",
            _whole(measured[spoken.name], chunks) / base,
            MOST_TO_CHAT,
            "×",
        )
        for spoken in others
    ]
