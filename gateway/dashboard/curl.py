"""A recorded request as a command or a script that sends it again, with the key left to whoever runs it."""

from __future__ import annotations

import pprint
import shlex
from typing import Any

import msgspec

from gateway.core.span import Payload, Span

KEPT_HEADERS = ("content-type", "x-callgate-tags", "x-callgate-config", "openai-beta", "anthropic-version")
LONGEST_BODY = 100_000
CALLS = {
    "/v1/chat/completions": "chat.completions",
    "/v1/responses": "responses",
    "/v1/embeddings": "embeddings",
    "/v1/completions": "completions",
    "/v1/images/generations": "images",
}
"""What the OpenAI library has a method for: path → resource. All are called `create`, but for images."""


def curl(span: Span, payload: Payload | None, base_url: str) -> str:
    method, _, path = (span.endpoint or "POST /").partition(" ")
    lines = [
        f"curl -X {shlex.quote(method)} {shlex.quote(base_url + path)}",
        '-H "Authorization: Bearer $CALLGATE_KEY"',
    ]
    headers = dict(payload.request_headers) if payload else {}
    headers.setdefault("content-type", "application/json")
    lines += [f"-H {shlex.quote(f'{name}: {headers[name]}')}" for name in KEPT_HEADERS if name in headers]
    body = payload.request_body if payload else None
    if body and len(body) <= LONGEST_BODY:
        lines.append(f"--data-binary {shlex.quote(body.decode('utf-8', 'replace'))}")
    elif body:
        lines.append("--data-binary @request.json")
    return " \\\n  ".join(lines)


def python(span: Span, payload: Payload | None, base_url: str) -> str:
    """With the OpenAI library where it can make this call, else with httpx."""
    method, _, path = (span.endpoint or "POST /").partition(" ")
    body = payload.request_body if payload else None
    fields = _object(body)
    resource = CALLS.get(path)
    if resource is None or fields is None:
        return _with_httpx(method, base_url + path, fields, body)
    verb = "generate" if resource == "images" else "create"
    named = {name: value for name, value in fields.items() if name.isidentifier()}
    arguments = "".join(f"    {name}={_literal(value)},\n" for name, value in named.items())
    head = (
        "import os\n\nfrom openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{base_url}/v1", api_key=os.environ["CALLGATE_KEY"])\n'
    )
    if named.get("stream") is True:
        return f"{head}for event in client.{resource}.{verb}(\n{arguments}):\n    print(event)\n"
    return f"{head}answer = client.{resource}.{verb}(\n{arguments})\nprint(answer)\n"


def _with_httpx(method: str, url: str, fields: dict[str, Any] | None, body: bytes | None) -> str:
    sends = ""
    if fields is not None:
        sends = f"    json={_literal(fields)},\n"
    elif body:
        sends = '    content=open("request.json", "rb").read(),\n'
    return (
        "import os\n\nimport httpx\n\nanswer = httpx.request(\n"
        f"    {method!r},\n    {url!r},\n"
        '    headers={"Authorization": f"Bearer {os.environ[\'CALLGATE_KEY\']}"},\n'
        f"{sends}    timeout=120,\n)\nprint(answer.status_code, answer.text)\n"
    )


def _object(body: bytes | None) -> dict[str, Any] | None:
    if not body or len(body) > LONGEST_BODY:
        return None
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _literal(value: Any) -> str:
    """As Python writes it, laid out, indented below its name."""
    return pprint.pformat(value, width=100, sort_dicts=False).replace("\n", "\n    ")
