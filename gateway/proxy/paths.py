"""Which paths are model traffic. Everything else is the Starlette app's: dashboard, JSON API, ingest."""

from __future__ import annotations

_MODEL_PREFIXES = (b"/v1/", b"/v1beta/", b"/p/", b"/v2/", b"/v1beta1/")
"""`/v2` is Cohere's, `/v1beta1` Vertex's."""
_OTLP = frozenset((b"/v1/traces", b"/v1/metrics", b"/v1/logs"))


def is_model_traffic(method: bytes, url: bytes) -> bool:
    if not url.startswith(_MODEL_PREFIXES):
        return False
    path = url.partition(b"?")[0]
    if path.startswith(b"/v1/models") and method in (b"GET", b"HEAD"):
        return False  # the models a key may use are the gateway's own answer
    return path not in _OTLP


def origin_form(url: bytes) -> bytes:
    """A request target as `/path?query`, also where a client sends the absolute form (RFC 9112 3.2.2)."""
    if url.startswith(b"/"):
        return url
    _, scheme, rest = url.partition(b"://")
    if not scheme:
        return url
    slash = rest.find(b"/")
    return rest[slash:] if slash >= 0 else b"/"
