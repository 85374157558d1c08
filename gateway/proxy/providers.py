"""A provider's settings, compiled into what a call to it needs."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from gateway.core.providers import DEMO, auth_of, known
from gateway.core.proxies import Proxies
from gateway.proxy.connect import Origin, proxy_authorization
from gateway.proxy.pools import Pools
from gateway.proxy.target import Upstream
from gateway.settings import Provider
from gateway.translation import FAMILIES, Line, Translator, backend_of

_BELOW_ROOT = re.compile(rb"/openai/v1$|/v1(?:beta1)?/projects/.*")
"""The part of their base URLs that such a path does not want."""

ON_VERTEX = b"/publishers/google"
"""How the base URL ends of Gemini's own surface on Vertex."""

_AUTH_LINES = {
    "bearer": b"authorization: Bearer %b\r\n",
    "x-api-key": b"x-api-key: %b\r\n",
    "x-goog-api-key": b"x-goog-api-key: %b\r\n",
    "api-key": b"api-key: %b\r\n",
}


def upstream_of(name: str, provider: Provider, proxies: Proxies, pools: Pools) -> Upstream:
    row = known(name)
    dialect = provider.dialect or (row.dialect if row else "openai")
    auth = provider.auth or (row.auth if row and not provider.dialect else auth_of(dialect))
    url = urlsplit(provider.base_url or (row.base_url if row else ""))
    tls = url.scheme == "https"
    host, port = url.hostname or "", url.port or (443 if tls else 80)
    proxy = None if name == DEMO else proxies.proxy_for(url.scheme, host, port)
    if name == DEMO and provider.base_url is None:
        pool = pools.demo(provider.max_connections)
    else:
        pool = pools.get(Origin(host, port, tls, provider.verify_tls, proxy), provider.max_connections)
    prefix = url.path.rstrip("/").encode()
    head = b"host: %b\r\n" % url.netloc.rpartition("@")[2].encode()
    if proxy and not tls:  # an absolute target and the proxy's own credentials; a tunnel needs neither
        prefix = f"http://{url.netloc}".encode() + prefix
        if credentials := proxy_authorization(proxy):
            head += b"proxy-authorization: %b\r\n" % credentials
    for header, value in provider.headers.items():
        head += b"%b: %b\r\n" % (header.lower().encode("latin-1"), value.encode("latin-1"))
    key_lines = _credentials(provider.api_key, auth)
    return Upstream(
        name=name,
        pool=pool,
        path_prefix=prefix,
        root=_BELOW_ROOT.sub(b"", prefix),
        drops=b"/v1" if dialect == "openai" else b"/v1beta" if prefix.endswith(ON_VERTEX) else b"",
        head=head,
        key_lines=key_lines,
        keys=pools.keys(name, len(key_lines)),
        speaks=frozenset() if name == DEMO else frozenset((dialect,)),
        timeout=provider.timeout,
        drains=provider.on_disconnect == "drain",
        asks_usage=(row.ask_usage if row else dialect == "openai")
        if provider.ask_usage is None
        else provider.ask_usage,
        strips_metadata=provider.metadata == "strip",
        price_provider=row.name if row else name,
        health=pools.health(name),
        signer=pools.signer(provider, proxies),
        evidence=row.evidence if row else None,
    )


def through_translator(
    translator: Translator, upstream: Upstream, provider: Provider, proxies: Proxies, pools: Pools
) -> Upstream:
    """The provider as the translator's clients see it: it speaks theirs, and needs no signature from here."""
    (dialect,) = upstream.speaks
    url = urlsplit(provider.base_url or "")
    proxy = proxies.proxy_for(url.scheme, url.hostname or "", url.port)
    line = Line(translator, backend_of(upstream.name, provider, dialect, proxy))
    return msgspec.structs.replace(
        upstream,
        pool=pools.get(Origin(f"translation.{upstream.name}", 0, tls=False, dial=line), provider.max_connections),
        path_prefix=b"",
        drops=b"",
        head=b"host: translation.invalid\r\n",
        speaks=FAMILIES,
        asks_usage=True,
        signer=upstream.signer if upstream.signer is not None and upstream.signer.carries_on else None,
        evidence=None,
    )


def _credentials(api_key: str | list[str] | None, auth: str) -> tuple[bytes, ...]:
    keys = [api_key] if isinstance(api_key, str) else api_key or []
    lines = tuple(_AUTH_LINES[auth] % key.encode("latin-1") for key in keys if key and key != "none")
    return lines or (b"",)
