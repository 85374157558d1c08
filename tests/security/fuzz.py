"""A fuzzer on the gateway's front: `python -m tests.security.fuzz --cases 200000 [--seed N]`.

A real gateway in its own process gets requests that are right, nearly right and not right at all, over real sockets,
cut anywhere, pipelined, left half sent. What must hold for each: an answer that is one (no 500, no hang), in the shape
of an error where it is one, without any of the secrets around it; and for all together: as many connections as before,
memory that does not grow, and a gateway that answers. The quick version runs in the suite (`test_fuzz.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.e2e.harness import ADMIN_KEY, APP_KEY, NARROW_KEY, UPSTREAM_KEY, VIEWER_KEY, Gateway, configuration

PATIENCE_S = 15
"""An answer that takes longer is a hang; the gateway's own limits are one second."""
AT_ONCE = 48
SECRETS = (UPSTREAM_KEY.encode(), b"sk-other-0123456789abcdef")
GREW_MB = 40
"""More than this after the first tenth of the cases is a leak."""

METHODS = (b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"BREW", b"post", b"CONNECT", b"TRACE")
PATHS = (
    b"/v1/chat/completions", b"/v1/completions", b"/v1/embeddings", b"/v1/responses", b"/v1/responses/resp_1/cancel",
    b"/v1/messages", b"/v1/messages/count_tokens", b"/v1beta/models/demo%2Fecho:generateContent",
    b"/v1beta/models/x:streamGenerateContent?alt=sse&key=", b"/v1/images/generations", b"/v1/audio/speech",
    b"/v1/files", b"/v1/batches", b"/v1/rerank", b"/v1/moderations", b"/v1/realtime?model=demo/echo", b"/v2/chat",
    b"/p/demo/v1/chat/completions", b"/p/nobody/v1/x", b"/p/", b"/p//", b"/p/demo", b"/p/demo/../../etc/passwd",
    b"/p/demo/%2e%2e/%00", b"/v1/models", b"/v1/models/demo/echo", b"/v1/anything", b"/v1/", b"/v1", b"/", b"*",
    b"http://169.254.169.254/v1/chat/completions", b"//evil.test/v1/chat/completions", b"/api/requests", b"/api/stats",
    b"/api/requests/export?format=csv", b"/api/requests?cursor=%00", b"/healthz", b"/readyz", b"/metrics", b"/login",
    b"/requests?model=%f0%9f%92%a9", b"/static/../gateway/app.py", b"/api/tags/%2e%2e",
    b"/v1/chat/completions?a=b&key=x",
)  # fmt: skip
KEYS = (APP_KEY, ADMIN_KEY, VIEWER_KEY, NARROW_KEY, "cg-wrong", "", "\x00", "sk-" + "x" * 3000)
MODELS = (
    "demo/echo",
    "demo/lorem",
    "echo",
    "",
    "/",
    "demo/",
    "x/y/z",
    "../x",
    "demo/echo\r\nx: y",
    "é\u2028",
    "*",
    "%s",
)
TAGS = (
    b"a=b",
    b"feature=chat,userId=u",
    b'{"a":"b"}',
    b"{",
    b"=",
    b"a",
    b'{"a":{"b":[1]}}',
    b"%00=%0d%0a",
    b"\xff=\xfe",
    b"x=" + b"y" * 2000,
)
HEADERS = (
    b"x-callgate-cache: no-store", b"x-callgate-cache: max-age=zz", b"x-callgate-no-store: true",
    b"x-request-id: " + b"r" * 500,
    b"x-callgate-config: nobody", b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"traceparent: nonsense", b"accept-encoding: gzip, br", b"connection: close",
    b"connection: keep-alive, authorization",
    b"expect: 100-continue", b"te: trailers", b"upgrade: websocket", b"content-encoding: gzip", b"content-encoding: br",
    b"range: bytes=0-", b"host: evil.test", b"x-forwarded-for: 10.0.0.1", b"x-bad\x01: y",
    b"cookie: callgate_session=x",
    b"transfer-encoding: chunked", b"transfer-encoding: gzip, chunked", b"content-length: 5", b"content-length: -1",
    b"folded: a\r\n b",
)  # fmt: skip
PIECES = (
    b"\x00",
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\xff\xfe",
    b"{",
    b"}",
    b'"',
    b"\\u0000",
    b"\\ud800",
    b"%00",
    b":",
    b" ",
    b"1e999",
    b"NaN",
    b"[" * 64,
)
TRACEBACK = re.compile(r"^Traceback .*\n(?: .*\n|\n)*\S.*", re.M)
"""With its message: each once, however often it came."""


class Broken(Exception):  # noqa: N818  (a finding, not an error of the fuzzer's)
    """What must hold does not."""


def body(dice: random.Random) -> bytes:
    """A request's JSON, right more often than not."""
    text = dice.choice(["Hello", "x" * 5000, "\u202e\U0001f4a9", "<script>", "\x1b[2J", "a\u0000b"])
    value: dict[str, object] = {
        "model": dice.choice(MODELS) if dice.random() < 0.4 else "demo/echo",
        "messages": [{"role": "user", "content": text}],
    }
    for name, choices in {
        "stream": [True, False, None, "yes", 1],
        "metadata": [{"a": "b"}, {}, None, [], "x", {"tenantSlug": "evil"}, {"k": {"deep": [1, 2]}}],
        "max_tokens": [5, 0, -1, 10**30, "many", None],
        "stream_options": [{"include_usage": True}, {}, None, 7],
        "n": [1, 3, 0, 10**9],
        "store": [True, False],
        "input": ["text", [1, 2], [{"role": "user", "content": text}], None],
        "tools": [[], [{"type": "function", "function": {"name": "f"}}], "x"],
        "prompt": ["p", ["p", "q"]],
        "api_base": ["http://169.254.169.254"],
        "base_url": ["http://127.0.0.1:1"],
    }.items():
        if dice.random() < 0.07:
            value[name] = dice.choice(choices)
    return json.dumps(value, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")


def request(dice: random.Random) -> bytes:
    method = b"POST" if dice.random() < 0.75 else dice.choice(METHODS)
    path = dice.choice(PATHS[:13]) if dice.random() < 0.6 else dice.choice(PATHS)
    content = body(dice) if dice.random() < 0.9 else dice.randbytes(dice.randrange(200))
    lines = [b"%b %b HTTP/1.1" % (method, path), b"host: gateway"]
    key = dice.choice(KEYS).encode() if dice.random() < 0.3 else APP_KEY.encode()
    lines.append(dice.choice([b"authorization: Bearer ", b"x-api-key: ", b"x-goog-api-key: "]) + key)
    lines.append(
        b"content-type: "
        + dice.choice([b"application/json", b"application/json", b"text/plain", b"multipart/form-data"])
    )
    if dice.random() < 0.3:
        lines.append(b"x-callgate-tags: " + dice.choice(TAGS))
    lines += [dice.choice(HEADERS) for _ in range(dice.choice([0, 0, 0, 1, 2]))]
    framing = dice.random()
    if framing < 0.8:
        lines.append(b"content-length: %d" % len(content))
    elif framing < 0.95:
        lines.append(b"transfer-encoding: chunked")
        content = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts(dice, content) if part) + b"0\r\n\r\n"
    return b"\r\n".join(lines) + b"\r\n\r\n" + content


def parts(dice: random.Random, data: bytes) -> list[bytes]:
    at = sorted(dice.randrange(len(data) + 1) for _ in range(dice.randrange(4)))
    return [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]


def damaged(dice: random.Random, data: bytes) -> bytes:
    for _ in range(dice.randrange(1, 4)):
        at = dice.randrange(len(data) + 1)
        data = data[:at] + dice.choice(PIECES) + data[at + dice.randrange(4) :]
    return data


def case(dice: random.Random) -> tuple[list[bytes], bool]:
    """What is sent, in pieces, and whether the connection is then left to the gateway to close."""
    sent = b"".join(request(dice) for _ in range(dice.choice([1, 1, 1, 1, 2, 3])))
    if dice.random() < 0.3:
        sent = damaged(dice, sent)
    if dice.random() < 0.1:
        sent = sent[: dice.randrange(len(sent) + 1)]
    return parts(dice, sent), dice.random() < 0.3


@dataclass
class Report:
    statuses: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)


def judge(answer: bytes) -> str:
    """The status of the first answer; Broken where it is none, or not one that a client may get."""
    for secret in SECRETS:
        if secret in answer:
            raise Broken("a provider's key is in the answer")
    if not answer:
        return "closed"
    head = answer.split(b"\r\n", 1)[0].split(b" ")
    if not head[0].startswith(b"HTTP/1.") or len(head) < 2 or not head[1].isdigit():
        raise Broken(f"not an answer: {answer[:80]!r}")
    for line in answer.split(b"\n"):
        if line.startswith(b"HTTP/1.1 500"):
            raise Broken(f"a 500: {answer[-300:]!r}")
    return head[1].decode()


async def run_case(port: int, pieces: list[bytes], leaves: bool) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        if leaves:
            return "left"
        writer.write_eof()
        return judge(await asyncio.wait_for(reader.read(), PATIENCE_S))
    except TimeoutError:
        raise Broken(f"no answer and no close in {PATIENCE_S} s") from None
    except (ConnectionError, OSError):
        return "reset"
    finally:
        writer.transport.abort()


async def fuzz(gateway: Gateway, cases: int, seed: int) -> Report:
    report = Report()
    numbers = iter(range(cases))
    memory_after_a_tenth = 0.0

    async def worker() -> None:
        nonlocal memory_after_a_tenth
        for number in numbers:
            if number == cases // 10:
                memory_after_a_tenth = gateway.memory_mb()
            pieces, leaves = case(random.Random(f"{seed}/{number}"))
            try:
                report.statuses[await run_case(gateway.port, pieces, leaves)] += 1
            except Broken as exc:
                report.findings.append(f"case {number}: {exc}; sent {b''.join(pieces)[:600]!r}")

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    grown = gateway.memory_mb() - memory_after_a_tenth
    if memory_after_a_tenth and grown > GREW_MB:
        report.findings.append(f"memory grew by {grown:.0f} MB")
    if not gateway.running or gateway.get("/readyz", key=None)[0] != 200:
        report.findings.append("the gateway is not ready any more")
    said = "".join(gateway.output)
    report.findings += [f"in its own log: {each}" for each in sorted(set(TRACEBACK.findall(said)))]
    report.findings += ["a provider's key in its own log" for secret in SECRETS if secret.decode() in said]
    return report


def gateway_for(folder: Path) -> Gateway:
    """The demo, a provider that is not there, and nobody else: nothing leaves this machine."""
    gone = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": SECRETS[1].decode()}
    return Gateway(
        folder / "data",
        configuration(
            providers={"gone": gone},
            default_provider="demo",
            models={"route": {"targets": ["gone/x"], "fallbacks": ["demo/echo"], "retries": 0}},
            limits=[{"scope": "tag:userId", "match": "*", "requests_per_min": 100_000, "tokens_per_min": 10**9}],
        ),
    )


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cases", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with TemporaryDirectory() as folder:
        gateway = gateway_for(Path(folder)).start()
        began = time.monotonic()
        report = asyncio.run(fuzz(gateway, given.cases, given.seed))
        took = time.monotonic() - began
        gateway.stop()
    sys.stdout.write(f"{given.cases:,} cases in {took:.0f} s: {dict(report.statuses.most_common())}\n")
    for finding in report.findings[:20]:
        sys.stdout.write(f"FOUND {finding}\n")
    sys.stdout.write(f"{len(report.findings)} findings\n")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
