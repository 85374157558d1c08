"""Providers that fail a third of their calls in every way there is, behind a route: what clients see, what providers
saw and what the log says must be one story.

    python -m tests.e2e.chaos --calls 20000 --clients 100 [--translated]

What must hold: nobody sees an error that another attempt could have prevented; nobody is answered twice, or sent on
after an answer; every attempt that a provider saw is booked, once, with its status and what it cost.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.faults import ANSWER, INPUT_NANOUSD, MODEL, OUTPUT_NANOUSD, STREAM, Ledger, Outcome, text_of
from tests.e2e.harness import APP_KEY, UPSTREAM_KEY, Gateway, configuration, wait_for
from tests.e2e.upstream import DONE, Upstream
from tests.e2e.wire import CutError, Wire, post

SHARE = 0.3
RETRIES = 4
MOST_ATTEMPTS = 1 + RETRIES + 1
"""The first, the retries, and one for the fallback."""
PATIENT_S = 2.0
"""The gateway's: long beside what a busy machine takes for an answer."""
GONE = "gone"
"""A fourth target, where nobody listens: its attempts are booked, and seen by no provider."""
WARM = "warm"
"""Never called: for this one the translator counts tokens by itself, and so is loaded before the clock runs."""
RATES = {"input_per_mtok": INPUT_NANOUSD / 1000, "output_per_mtok": OUTPUT_NANOUSD / 1000}
STOPPED = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
"""How a stream of Anthropic's ends."""
STATED = re.compile(r"<call-\d+ attempt \d+>")


@dataclass
class Seen:
    """What a client got: the status (None: the connection was cut), and the body."""

    status: int | None
    body: bytes

    @property
    def texts(self) -> list[str]:
        """The answers in it."""
        return STATED.findall(self.body.decode())

    def is_answer(self, *, stream: bool) -> bool:
        return self.status == 200 and (self.body.endswith((DONE, STOPPED)) if stream else bool(self.texts))


@dataclass
class Verdict:
    """`problems` in words, of the first calls that have any; the rest is for the table."""

    problems: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    """Of attempts."""
    endings: Counter[str] = field(default_factory=Counter)
    """Of calls."""


def settings(ports: dict[str, int]) -> dict[str, Any]:
    base = {
        "dialect": "openai",
        "api_key": UPSTREAM_KEY,
        "timeout": {"connect_s": PATIENT_S, "first_byte_s": PATIENT_S, "idle_s": PATIENT_S, "total_s": 120},
    }
    patient = {"first_token_s": PATIENT_S}
    return configuration(
        providers={
            **{name: {**base, "base_url": f"http://127.0.0.1:{port}/v1"} for name, port in ports.items()},
            WARM: {**base, "base_url": "http://127.0.0.1:1/v1", "timeout": {"first_byte_s": 60}},
        },
        models={
            "chaos": {
                "targets": [
                    {"model": "one/m-1", "timeout": patient},
                    {"model": "two/m-1", "timeout": patient},
                    {"model": f"{GONE}/m-1", "weight": 0.2},
                ],
                "fallbacks": [{"model": "three/m-1", "timeout": patient}],
                "retries": RETRIES,
                "backoff_ms": 5,
            }
        },
        prices={
            "overrides": {MODEL: {"input_per_mtok": INPUT_NANOUSD / 1000, "output_per_mtok": OUTPUT_NANOUSD / 1000}}
        },
    )


def is_stream(number: int) -> bool:
    return number % 2 == 1


def load(gateway: Gateway, calls: int, clients: int, *, translated: bool) -> dict[str, Seen]:
    """So many clients at once, each with one call after the other, until all are made."""
    left: Iterator[int] = iter(range(calls))
    seen: dict[str, Seen] = {}

    def client() -> None:
        wire = gateway.connect()
        for number in left:  # one iterator for all of them; taking the next is atomic
            name = f"call-{number}"
            seen[name] = _called(wire, name, stream=is_stream(number), translated=translated)
            if seen[name].status is None or wire.readable():
                wire.close()
                wire = gateway.connect()
        wire.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def _called(wire: Wire, name: str, *, stream: bool, translated: bool) -> Seen:
    """Translated: the client speaks Anthropic's dialect, the providers OpenAI's."""
    wire.sock.settimeout(180)
    path = "/v1/messages" if translated else "/v1/chat/completions"
    body = {"model": "chaos", "stream": stream, "max_tokens": 64, "messages": [{"role": "user", "content": name}]}
    wire.send(post(path, body, f"authorization: Bearer {APP_KEY}", f"x-call: {name}", f"x-request-id: {name}"))
    try:
        given = wire.message()
    except CutError as cut:
        return Seen(None, cut.args[0])
    return Seen(given.status, given.body)


def judge(seen: dict[str, Seen], ledger: Ledger, rows: list[dict[str, Any]], *, translated: bool) -> Verdict:
    verdict = Verdict()
    by_call = {row["client_request_id"]: row for row in rows}
    if len(by_call) != len(rows) or by_call.keys() != seen.keys():
        verdict.problems.append(f"{len(rows)} rows of {len(by_call)} calls, where {len(seen)} were made")
    for call in seen.keys() & by_call.keys():
        attempts = ledger.calls.get(call, [])
        verdict.outcomes.update(outcome.name for _, outcome in attempts)
        verdict.endings[_ending(seen[call], attempts)] += 1
        for problem in (
            *_of_the_client(call, seen[call], attempts, by_call[call]),
            *_of_the_log(attempts, by_call[call], translated=translated),
        ):
            verdict.problems.append(f"{call}: {problem}; {[(name, each.name) for name, each in attempts]}")
    return verdict


def _ending(seen: Seen, attempts: list[tuple[str, Outcome]]) -> str:
    last = attempts[-1][1] if attempts else None
    if last in (ANSWER, STREAM):
        return f"answered at attempt {len(attempts)}"
    broken = last is not None and (last.final or seen.status is None)
    return "broken after content" if broken else f"every attempt failed ({seen.status})"


def _of_the_client(call: str, seen: Seen, attempts: list[tuple[str, Outcome]], row: dict[str, Any]) -> Iterator[str]:
    """What is wrong with what the client was sent, given what providers did."""
    if any(outcome.final for _, outcome in attempts[:-1]):
        yield "another attempt was made after an answer had begun"
    last = attempts[-1][1] if attempts else None
    expected = [text_of(call, len(attempts))] if last is not None and last.final else []
    complete = seen.is_answer(stream=row["stream"])
    if last in (ANSWER, STREAM):
        if not complete or seen.texts != expected:
            yield f"answered, but the client got {seen.status} {seen.body[-200:]!r}"
    elif last is not None and last.final:
        if complete or seen.texts != expected or b'"error"' not in seen.body:
            yield f"broken, but the client got {seen.status} {seen.body[-200:]!r}"
    elif seen.status is None and seen.texts == [text_of(call, len(attempts))]:
        return  # a whole answer that was cut so late that its beginning had been passed on
    elif len(row["attempts"]) < MOST_ATTEMPTS:  # more where one was lost with its connection
        yield f"given up after {len(row['attempts'])} attempts"
    elif complete:
        yield f"nobody answered, but the client got {seen.body[-200:]!r}"


def _of_the_log(attempts: list[tuple[str, Outcome]], row: dict[str, Any], *, translated: bool) -> Iterator[str]:
    """What is wrong with the row. The translator has a status of its own for what has none, and an error's usage has
    no place in Anthropic's events."""
    booked = [each for each in row["attempts"] if each["provider"] != GONE]
    statuses = [_as_booked(each["status_code"], outcome) if translated else outcome.status for each, (_, outcome) in
                zip(booked, attempts, strict=False)]  # fmt: skip
    if [(each["provider"], each["status_code"]) for each in booked] != [
        (name, status) for (name, _), status in zip(attempts, statuses, strict=False)
    ] or len(booked) != len(attempts):
        yield f"booked as {[(each['provider'], each['status_code'], each['error_type']) for each in booked]}"
        return
    for each, (_, outcome) in zip(booked, attempts, strict=True):
        if (each["error_type"] is None) is not (outcome in (ANSWER, STREAM)):
            yield f"{outcome.name} is booked with the error {each['error_type']}"
        cost = None if each["cost_usd"] is None else round(each["cost_usd"] * 1e9)
        is_estimated = each is booked[-1] and row["usage_source"] == "estimated"
        is_said = not translated or outcome in (ANSWER, STREAM)
        if is_said and not is_estimated and cost != outcome.nanousd:
            yield f"{outcome.name} is booked with {cost} nano-dollars"
    total = sum(round((each["cost_usd"] or 0) * 1e9) for each in row["attempts"])
    if (row["cost_nanousd"] or 0) != total:
        yield f"the call cost {row['cost_nanousd']} nano-dollars, its attempts {total}"


def _as_booked(status: int | None, outcome: Outcome) -> int | None:
    """What the log may say of an attempt that was translated: what the provider said, or that something broke."""
    broke = outcome not in (ANSWER, STREAM) and (outcome.status in (None, 200)) and status in (None, 200, 502, 504)
    return status if broke or (outcome.status, status) == (503, None) else outcome.status


def run(folder: Path, *, calls: int, clients: int, seed: int, translated: bool = False) -> Verdict:
    ledger = Ledger(seed, SHARE)
    providers: dict[str, Upstream] = {name: ledger.provider(name) for name in ("one", "two", "three")}
    gateway = Gateway(folder / "data", settings({**{n: p.port for n, p in providers.items()}, GONE: 1}))
    try:
        gateway.start()
        if translated:
            hello = {"model": f"{WARM}/m-1", "messages": [{"role": "user", "content": "hello"}]}
            assert gateway.post("/v1/messages/count_tokens", hello).status == 200
        seen = load(gateway, calls, clients, translated=translated)
        rows = wait_for(lambda: _all(gateway, calls), "every call is in the log", 60)
        verdict = judge(seen, ledger, rows, translated=translated)
        verdict.problems += _sums(gateway, rows)
        return verdict
    finally:
        if gateway.running:
            gateway.stop()
        for provider in providers.values():
            provider.close()


def _all(gateway: Gateway, calls: int) -> list[dict[str, Any]] | None:
    _, stats = gateway.get("/api/stats?kind=llm")
    return gateway.rows("kind=llm") if stats["requests"] >= calls else None


def _sums(gateway: Gateway, rows: list[dict[str, Any]]) -> Iterator[str]:
    """The totals are the rows', failed attempts included."""
    _, stats = gateway.get("/api/stats?kind=llm")
    cost = sum(row["cost_nanousd"] or 0 for row in rows)
    if stats["requests"] != len(rows) or round(stats["cost_usd"] * 1e9) != cost:
        yield f"totals: {stats['requests']} calls, ${stats['cost_usd']}; rows: {len(rows)}, {cost} nano-dollars"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.chaos", description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--translated", action="store_true", help="clients speak Anthropic's dialect")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        verdict = run(
            Path(home), calls=given.calls, clients=given.clients, seed=given.seed, translated=given.translated
        )
    print(f"{given.calls} calls, {verdict.outcomes.total()} attempts in {time.monotonic() - began:.0f} s\n")
    for title, counted in (("attempts", verdict.outcomes), ("calls", verdict.endings)):
        print(title)
        for name, times in counted.most_common():
            print(f"  {times:6}  {name}")
    print(*verdict.problems[:20], sep="\n")
    print("holds" if not verdict.problems else f"DOES NOT HOLD: {len(verdict.problems)} problems")
    return 1 if verdict.problems else 0


if __name__ == "__main__":
    sys.exit(main())
