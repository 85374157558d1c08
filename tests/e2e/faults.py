"""Every way in which a provider fails a call, and a provider that fails a share of them, by the dice of a seed.

What becomes of an attempt depends on the seed, the call's name (its `x-call` header) and on how many attempts of it
came before; not on time, nor on which target it is sent to. So a run can be repeated.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.upstream import DONE, Upstream, completion, event, events
from tests.e2e.wire import Message, Wire, answer, stream_head

MODEL = "m-1-2026"
INPUT_NANOUSD, OUTPUT_NANOUSD = 1000, 2000
"""Of a token: $1 and $2 per million."""
ANSWERED_NANOUSD = 9 * INPUT_NANOUSD + 4 * OUTPUT_NANOUSD
"""Of every complete answer, by the scripted provider's usage."""
FAILED_NANOUSD = 5 * INPUT_NANOUSD
"""Of a stream that failed and said what it had used until then."""
SLOW_S = 0.05
"""Between the signs of life of a stream that does not come to the point."""


def _status(line: str, *headers: str) -> Callable[[Wire, str], None]:
    def play(wire: Wire, text: str) -> None:
        wire.send(answer({"error": {"message": f"{line}: {text}"}}, *headers, status=line))

    return play


def _resets(wire: Wire, text: str) -> None:
    wire.reset()


def _resets_within_the_head(wire: Wire, text: str) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\ncontent-ty")
    wire.reset()


def _hangs(wire: Wire, text: str) -> None:
    wire.closed_by_peer()


def _stalls_within_an_error(wire: Wire, text: str) -> None:
    wire.send(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 1000\r\n\r\nso")
    wire.closed_by_peer()


def _garbage(wire: Wire, text: str) -> None:
    wire.send(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    wire.close()


def _empty(wire: Wire, text: str) -> None:
    wire.send(answer(b""))


def _cut_body(wire: Wire, text: str) -> None:
    wire.send(answer(completion(text))[:-20])
    wire.close()


def _cut_before_content(wire: Wire, text: str) -> None:
    _begin(wire)
    wire.close()


def _ends_before_content(wire: Wire, text: str) -> None:
    _begin(wire)
    wire.send(b"0\r\n\r\n")


def _error_before_content(wire: Wire, text: str) -> None:
    used = {"prompt_tokens": 5, "completion_tokens": 0, "total_tokens": 5}
    _begin(wire)
    wire.chunk(_data({"model": MODEL, "error": {"message": "overloaded", "code": 529}, "choices": [], "usage": used}))
    wire.send(b"0\r\n\r\n")


def _slow_first_token(wire: Wire, text: str) -> None:
    _begin(wire)
    while not wire.readable():  # until the gateway hangs up
        wire.chunk(b": still here\n\n")
        time.sleep(SLOW_S)  # a stream's own pace
    wire.close()


def _cut_after_content(wire: Wire, text: str) -> None:
    _begin(wire, event(text))
    wire.close()


def _error_after_content(wire: Wire, text: str) -> None:
    _begin(wire, event(text), _data({"error": {"message": "overloaded", "code": 529}}))
    wire.send(b"0\r\n\r\n")


def _begin(wire: Wire, *more: bytes) -> None:
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    wire.send(stream_head())
    wire.chunk(_data({"id": "c-1", "model": MODEL, "choices": [choice]}), b": ping\n\n", *more)


def _data(chunk: object) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _answers(wire: Wire, text: str) -> None:
    wire.send(answer(completion(text)))


def _answers_in_a_stream(wire: Wire, text: str) -> None:
    _begin(wire, *events(text), DONE)
    wire.send(b"0\r\n\r\n")


@dataclass(frozen=True)
class Outcome:
    """What an attempt came to: what the log must say of it, and whether another one could have helped."""

    name: str
    play: Callable[[Wire, str], None]
    status: int | None = None
    """None where no head came."""
    stream: bool | None = None
    """Only of streams, or of whole answers; None: of both."""
    final: bool = False
    """The client has something of it, or all: nothing may be sent after it."""
    nanousd: int | None = None
    """What it costs, where the provider said."""


ANSWER = Outcome("answer", _answers, 200, stream=False, final=True, nanousd=ANSWERED_NANOUSD)
STREAM = Outcome("stream", _answers_in_a_stream, 200, stream=True, final=True, nanousd=ANSWERED_NANOUSD)
FAULTS = (
    Outcome("408", _status("408 Request Timeout"), 408),
    Outcome("409", _status("409 Conflict"), 409),
    Outcome("429", _status("429 Too Many Requests"), 429),
    Outcome("429, retry-after", _status("429 Too Many Requests", "retry-after: 1"), 429),
    Outcome("429, retry-after-ms", _status("429 Too Many Requests", "retry-after-ms: 40"), 429),
    Outcome("500", _status("500 Internal Server Error"), 500),
    Outcome("502", _status("502 Bad Gateway"), 502),
    Outcome("503, retry-after", _status("503 Service Unavailable", "retry-after: 1"), 503),
    Outcome("529", _status("529 Overloaded"), 529),
    Outcome("reset", _resets),
    Outcome("reset within the head", _resets_within_the_head),
    Outcome("hang", _hangs),
    Outcome("stall within an error", _stalls_within_an_error, 503),
    Outcome("garbage", _garbage),
    Outcome("empty body", _empty, 200),
    Outcome("cut body", _cut_body, 200, stream=False),
    Outcome("cut before content", _cut_before_content, 200, stream=True),
    Outcome("end before content", _ends_before_content, 200, stream=True),
    Outcome("error before content", _error_before_content, 200, stream=True, nanousd=FAILED_NANOUSD),
    Outcome("slow first token", _slow_first_token, 200, stream=True),
    Outcome("cut after content", _cut_after_content, 200, stream=True, final=True),
    Outcome("error after content", _error_after_content, 200, stream=True, final=True),
)


class Ledger:
    """What the providers did: of each call the attempts that reached one, as (provider, outcome), in their order."""

    def __init__(self, seed: int, share: float) -> None:
        self.seed = seed
        self.share = share
        """Of the attempts that fail."""
        self.calls: dict[str, list[tuple[str, Outcome]]] = defaultdict(list)
        self._lock = threading.Lock()

    def provider(self, name: str) -> Upstream:
        """A new one, that fails as the dice say."""

        def script(wire: Wire, request: Message) -> None:
            call = request.header("x-call") or named_in(request)
            with self._lock:
                attempts = self.calls[call]
                outcome = self._drawn(call, len(attempts), stream=request.json().get("stream", False))
                attempts.append((name, outcome))
                text = text_of(call, len(attempts))
            outcome.play(wire, text)

        upstream = Upstream()
        upstream.script = script
        return upstream

    def _drawn(self, call: str, before: int, *, stream: bool) -> Outcome:
        dice = random.Random(f"{self.seed}/{call}/{before}")
        if dice.random() >= self.share:
            return STREAM if stream else ANSWER
        return dice.choice([fault for fault in FAULTS if fault.stream in (None, stream)])


def named_in(request: Message) -> str:
    """The call's name, which is all that is said in it: a translated call has none of its client's headers."""
    found = re.search(rb"call-\d+", request.body)
    return found[0].decode() if found else ""


def text_of(call: str, attempt: int) -> str:
    """What is said in the answer to a call's attempt, counted from 1."""
    return f"<{call} attempt {attempt}>"
