"""A recorded request as a curl command that sends it again, with the key left to the shell."""

from __future__ import annotations

import shlex

from gateway.core.span import Payload, Span

KEPT_HEADERS = ("content-type", "x-callgate-tags", "x-callgate-config", "openai-beta")
LONGEST_BODY = 100_000


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
