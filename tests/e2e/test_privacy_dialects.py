"""Secrets planted in calls of every dialect and kind, asked and answered, whole and in pieces: none stays anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.proxy.tunnel_frames import close_frame
from tests.dialects import bedrock_shapes as bedrock
from tests.dialects.realtime_shapes import event
from tests.e2e.harness import ADMIN_KEY, APP_KEY, UPSTREAM_KEY, Gateway, configuration
from tests.e2e.planted import everywhere, recorded, secrets
from tests.e2e.test_realtime import BEARER, HANDSHAKE, Socket, switches
from tests.e2e.upstream import DONE, USAGE, Upstream, completion
from tests.e2e.wire import Message, Wire, answer, get, post, stream_head

AWS_SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYplantedKEY"
CONFIGURED = (UPSTREAM_KEY, ADMIN_KEY, APP_KEY, AWS_SECRET)
A_GROUP = 30
"""Secrets in one call."""
PIECE = 7
"""Characters of an event: every secret is cut."""
STREAM_OF_AWS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ntransfer-encoding: chunked\r\n\r\n"
)


# ------------------------------------------------------------------------------------------- what the provider says


def pieces(text: str) -> list[str]:
    return [text[at : at + PIECE] for at in range(0, len(text), PIECE)]


def events(*said: Any, end: bytes = b"", named: bool = False) -> bytes:
    """As server-sent events; `named` with their type in a line of its own."""
    lines = []
    for each in said:
        name = f"event: {each['type']}\n" if named else ""
        lines.append(f"{name}data: {json.dumps(each)}\n\n".encode())
    return b"".join(lines) + end


def chat(said: str, body: dict[str, Any]) -> bytes:
    if not body.get("stream"):
        return answer(completion(said))
    deltas = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces(said)]
    return streamed(events(*deltas, end=DONE))


def anthropic(said: str, body: dict[str, Any]) -> bytes:
    usage = {"input_tokens": 3, "output_tokens": 4}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "claude", "usage": usage, "content": []}
    arguments = json.dumps({"q": said})
    if not body.get("stream"):
        tool = {"type": "tool_use", "id": "t", "name": "f", "input": {"q": said}}
        return answer(message | {"content": [{"type": "text", "text": said}, tool], "stop_reason": "end_turn"})
    deltas = [
        *(({"type": "text_delta", "text": piece}, 0) for piece in pieces(said)),
        *(({"type": "input_json_delta", "partial_json": piece}, 1) for piece in pieces(arguments)),
    ]
    return streamed(
        events(
            {"type": "message_start", "message": message},
            *({"type": "content_block_delta", "index": index, "delta": delta} for delta, index in deltas),
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
            {"type": "message_stop"},
            named=True,
        )
    )


def gemini(said: str, streams: bool) -> bytes:
    usage = {"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7}}
    if not streams:
        return answer({"candidates": [{"content": {"parts": [{"text": said}]}, "finishReason": "STOP"}], **usage})
    said_so = [{"candidates": [{"content": {"parts": [{"text": piece}]}}], **usage} for piece in pieces(said)]
    return streamed(events(*said_so).replace(b"\n", b"\r\n"))


def converse(said: str, streams: bool) -> bytes:
    usage = {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}
    if not streams:
        message = {"role": "assistant", "content": [{"text": said}]}
        return answer({"output": {"message": message}, "stopReason": "end_turn", "usage": usage})
    frames = [
        bedrock.frame("messageStart", {"role": "assistant"}),
        *(bedrock.frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": p}}) for p in pieces(said)),
        bedrock.frame("messageStop", {"stopReason": "end_turn"}),
        bedrock.frame("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}),
    ]
    return STREAM_OF_AWS + chunked(b"".join(frames))


def responses(said: str, body: dict[str, Any]) -> bytes:
    output = [{"type": "message", "content": [{"type": "output_text", "text": said}]}]
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    whole = {"id": "r", "object": "response", "model": "m-1", "status": "completed", "output": output, "usage": usage}
    if not body.get("stream"):
        return answer(whole)
    deltas = [
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": piece}
        for piece in pieces(said)
    ]
    return streamed(events(*deltas, {"type": "response.completed", "response": whole}, named=True))


def streamed(body: bytes) -> bytes:
    return stream_head() + chunked(body)


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def echoes(wire: Wire, request: Message) -> None:
    """Gives back what it was told, in the dialect it was asked in; what it has no word for as an error."""
    path = request.target.partition("?")[0]
    if (request.header("upgrade") or "") == "websocket":
        switches(wire, request)
        tells(Socket(wire, masks=False))
        wire.close()
        return
    is_json = (request.header("content-type") or "").startswith("application/json")
    body = json.loads(request.body) if is_json and request.body else {}
    said = told(body) if body else request.body.decode()
    if path.endswith("/messages"):
        wire.send(anthropic(said, body))
    elif "enerateContent" in path:
        wire.send(gemini(said, "stream" in path))
    elif "/converse" in path:
        wire.send(converse(said, path.endswith("-stream")))
    elif path.endswith("/responses"):
        wire.send(responses(said, body))
    elif path.endswith("/chat/completions"):
        wire.send(chat(said, body))
    elif path.endswith("/content"):
        line = {"custom_id": "1", "response": {"status_code": 200, "body": completion(BATCH[0])}}
        wire.send(answer(json.dumps(line).encode() + b"\n", content_type="application/octet-stream"))
    elif path.endswith(("/files", "/images/edits")):
        wire.send(answer({"id": "file-1", "object": "file", "filename": said, "usage": USAGE}))
    else:
        wire.send(answer({"error": {"message": f"no {said}", "type": "x"}}, status="400 Bad Request"))


BATCH = [""]
"""What is in the results of the batch that is fetched next."""


def told(body: Any) -> str:
    """All strings of a request below what carries its content."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return "\n".join(map(told, body))
    if isinstance(body, dict):
        wanted = ("messages", "contents", "parts", "content", "text", "input", "query")
        return "\n".join(told(value) for name, value in body.items() if name in wanted)
    return ""


def tells(socket: Socket) -> None:
    """Each event comes back as a transcript in pieces, and as one turn."""
    heard = json.loads(socket.hear().data)["item"]["content"][0]["text"]
    output = [{"type": "message", "content": [{"type": "output_audio", "transcript": heard}]}]
    for piece in pieces(heard):
        socket.say(event("response.output_audio_transcript.delta", delta=piece, output_index=0, content_index=0))
    usage = {"total_tokens": 7, "input_tokens": 3, "output_tokens": 4}
    socket.say(event("response.done", response={"id": "r", "status": "completed", "output": output, "usage": usage}))
    socket.wire.send(close_frame(1000, ""))


# ------------------------------------------------------------------------------------------------ how it is asked


def form(gateway: Gateway, path: str, text: str) -> Message:
    fields = {"purpose": "batch", "model": "m-1", "prompt": text}
    parts = [
        f'--XX\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    line = json.dumps({"custom_id": "1", "body": {"messages": [{"role": "user", "content": text}]}})
    parts.append(f'--XX\r\ncontent-disposition: form-data; name="file"; filename="b.jsonl"\r\n\r\n{line}\r\n--XX--\r\n')
    body = "".join(parts).encode()
    head = [f"POST {path} HTTP/1.1", "host: gateway", f"authorization: Bearer {APP_KEY}"]
    head += ["content-type: multipart/form-data; boundary=XX", f"content-length: {len(body)}", "", ""]
    return gateway.exchange("\r\n".join(head).encode() + body)


def results(gateway: Gateway, text: str) -> Message:
    BATCH[0] = text
    return gateway.exchange(get("/v1/files/file-1/content", f"authorization: Bearer {APP_KEY}"))


def talk(gateway: Gateway, text: str) -> Message:
    with gateway.connect() as wire:
        wire.send(get("/v1/realtime?model=raw/gpt-realtime", *HANDSHAKE, BEARER))
        head = wire.head()
        socket = Socket(wire, masks=True)
        content = [{"type": "input_text", "text": text}]
        socket.say(event("conversation.item.create", item={"type": "message", "role": "user", "content": content}))
        wire.rest()
        return head


def by_key_in_the_query(gateway: Gateway, text: str, method: str = "generateContent", query: str = "") -> Message:
    path = f"/v1beta/models/gemini-2.5-pro:{method}?{query}key={APP_KEY}"
    return gateway.exchange(post(path, {"contents": [{"role": "user", "parts": [{"text": text}]}]}))


def of_bedrock(gateway: Gateway, text: str, operation: str) -> Message:
    return gateway.post(
        f"/p/bedrock/model/{bedrock.IN_PATH}/{operation}", {"messages": [{"role": "user", "content": [{"text": text}]}]}
    )


def messages(gateway: Gateway, text: str, **more: Any) -> Message:
    body = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": text}], **more}
    return gateway.exchange(post("/v1/messages", body, f"x-api-key: {APP_KEY}", "anthropic-version: 2023-06-01"))


ASKED: dict[str, Callable[[Gateway, str], Message]] = {
    "messages": messages,
    "messages, streamed": lambda gateway, text: messages(gateway, text, stream=True),
    "messages, in their system prompt": lambda gateway, text: messages(gateway, "Hi", system=text),
    "gemini": by_key_in_the_query,
    "gemini, streamed": lambda gateway, text: by_key_in_the_query(gateway, text, "streamGenerateContent", "alt=sse&"),
    "bedrock": lambda gateway, text: of_bedrock(gateway, text, "converse"),
    "bedrock, streamed": lambda gateway, text: of_bedrock(gateway, text, "converse-stream"),
    "responses": lambda gateway, text: gateway.post("/v1/responses", {"model": "raw/m-1", "input": text}),
    "responses, streamed": lambda gateway, text: gateway.post(
        "/v1/responses", {"model": "raw/m-1", "input": text, "stream": True}
    ),
    "responses, as instructions": lambda gateway, text: gateway.post(
        "/v1/responses", {"model": "raw/m-1", "input": "Hi", "instructions": text}
    ),
    "embeddings, refused": lambda gateway, text: gateway.post("/v1/embeddings", {"model": "raw/m-1", "input": [text]}),
    "rerank, refused": lambda gateway, text: gateway.post("/v1/rerank", {"model": "raw/m-1", "query": text}),
    "a file for a batch": lambda gateway, text: form(gateway, "/v1/files", text),
    "an image's form": lambda gateway, text: form(gateway, "/v1/images/edits", text),
    "a batch's results": results,
    "realtime": talk,
    "metadata of a batch": lambda gateway, text: gateway.post(
        "/v1/batches", {"input_file_id": "f", "metadata": {"n": text}}
    ),
    "translated": lambda gateway, text: gateway.chat("anthropic/claude-sonnet-4-5", text),
    "translated, streamed": lambda gateway, text: gateway.chat("anthropic/claude-sonnet-4-5", text, stream=True),
}  # fmt: skip


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory, scripted: Upstream) -> Iterator[Gateway]:
    at = f"http://127.0.0.1:{scripted.port}"
    settings = configuration(
        default_provider="raw",
        providers={
            "raw": {"dialect": "openai", "base_url": f"{at}/v1", "api_key": UPSTREAM_KEY},
            "anthropic": {"base_url": at, "api_key": UPSTREAM_KEY},
            "gemini": {"base_url": at, "api_key": UPSTREAM_KEY},
            "bedrock": {
                "base_url": at, "aws_access_key_id": "AKIDEXAMPLE", "region": "us-east-2",
                "aws_secret_access_key": AWS_SECRET,
            },
        },
    )  # fmt: skip
    gateway = Gateway(tmp_path_factory.mktemp("every") / "data", settings).start()
    yield gateway
    assert gateway.stop() == 0, "".join(gateway.output)


@pytest.mark.parametrize("how", ASKED)
def test_secrets_asked_and_answered(how: str, every: Gateway, scripted: Upstream) -> None:
    scripted.script = echoes
    found = secrets(list(ASKED).index(how) + 100)
    groups = ["\n".join(text for text, _ in found[at : at + A_GROUP]) for at in range(0, len(found), A_GROUP)]
    answers = [ASKED[how](every, group) for group in groups]
    assert {each.status for each in answers} <= {101, 200, 400}, answers[0].body
    recorded(every, *answers)
    disk = everywhere(every)
    missed = [part for _, parts in found for part in parts if part.encode() in disk]
    assert len(missed) <= 0.01 * len(found), missed
    first = every.row_of(answers[0])
    turns = [every.row(each["request_id"]) for each in every.rows(f"trace={first['trace_id']}")]
    assert "[redacted:" in json.dumps([first, *turns]), "it was kept, but for the secrets"
    assert [secret for secret in CONFIGURED if secret.encode() in disk] == []


def test_secrets_in_addresses(every: Gateway, scripted: Upstream) -> None:
    """In a path, in a query, as the name of a model: what is logged of an address is redacted too."""
    scripted.script = echoes
    plain = [(text, parts) for text, parts in secrets(77) if all(c.isalnum() or c in "-_." for c in text)]
    assert len(plain) > 100
    answers = []
    for text, _ in plain[::3]:
        answers.append(every.post(f"/v1/things/{text}?token={text}&x=1", {"model": "raw/m-1"}))
        answers.append(every.post("/v1/chat/completions", {"model": f"raw/{text[:120]}", "messages": []}))
        answers.append(every.exchange(get(f"/p/raw/{text}?key={text}", f"authorization: Bearer {APP_KEY}")))
    assert {each.status for each in answers} <= {200, 400, 404}
    recorded(every, *(each for each in answers if each.status != 404))
    disk = everywhere(every)
    missed = [part for _, parts in plain[::3] for part in parts if part.encode() in disk]
    assert len(missed) <= 0.01 * len(plain), missed
