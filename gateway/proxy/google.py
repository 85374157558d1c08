"""Google's access tokens for Vertex AI: a service account's key signs a request for one, a user's token is traded.

Imported only where a provider has such credentials (`gateway.proxy.signing`); everything here runs in a thread.
https://developers.google.com/identity/protocols/oauth2/service-account (RFC 7523) and RFC 6749, section 6
"""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
import msgspec

from gateway.core.proxies import Proxies
from gateway.proxy.renewal import RenewedToken, Token
from gateway.proxy.signing import CredentialsError

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105  an address, no secret
METADATA = "metadata"
METADATA_URI = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
"""Where a machine of Google's finds the token of its own service account."""
LIFE_S = 3600
TIMEOUT_S = 10
_MOST_BYTES = 64 * 1024
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Credentials(msgspec.Struct):
    """The JSON that Google hands out for either kind. Holds secrets: its `repr` shows none."""

    type: str = ""
    client_email: str = ""
    private_key: str = ""
    private_key_id: str = ""
    token_uri: str = TOKEN_URI
    client_id: str = ""
    client_secret: str = ""
    refresh_token: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.client_email or self.type})"


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: float = LIFE_S


class _Refused(msgspec.Struct):
    error: Any = None
    error_description: Any = None


def signer_for(written: str, proxies: Proxies) -> RenewedToken:
    """`written` is the JSON itself, the path of a file that has it, or `metadata`."""
    return RenewedToken("Google's credentials", lambda: fetched(written, proxies))


def fetched(written: str, proxies: Proxies) -> Token:
    """A new token. Reads the file each time, so that a key can be replaced in place. Raises CredentialsError."""
    if written == METADATA:
        asked = urllib.request.Request(METADATA_URI, headers={"metadata-flavor": "Google"})
    else:
        credentials = read(written)
        form = urlencode(_grant(credentials, time.time())).encode()
        asked = urllib.request.Request(credentials.token_uri, form)  # noqa: S310  checked in `read`
    return _asked(asked, proxies)


def read(written: str) -> Credentials:
    """Raises CredentialsError where they are not to be found, or are of another kind."""
    text = written
    if not written.lstrip().startswith("{"):
        try:
            text = Path(written).expanduser().read_text("utf-8")
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it is no text"
            raise CredentialsError(f"the file with Google's credentials cannot be read: {reason}") from None
    try:
        found = msgspec.json.decode(text, type=Credentials)
    except msgspec.MsgspecError:
        raise CredentialsError("Google's credentials are no JSON object as Google hands it out") from None
    is_complete = {
        "service_account": found.client_email and found.private_key,
        "authorized_user": found.client_id and found.client_secret and found.refresh_token,
    }.get(found.type)
    if not is_complete:
        kinds = "a service account's key or a user's (service_account, authorized_user)"
        raise CredentialsError(f"Google's credentials must be {kinds}, and complete; the type is {found.type!r}")
    url = urlsplit(found.token_uri)
    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _LOOPBACK):
        raise CredentialsError("the token_uri of Google's credentials is no https address")
    return found


def _grant(credentials: Credentials, now_s: float) -> dict[str, str]:
    if credentials.type == "authorized_user":
        return {
            "grant_type": "refresh_token",
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
            "refresh_token": credentials.refresh_token,
        }
    claims = {
        "iss": credentials.client_email,
        "scope": SCOPE,
        "aud": credentials.token_uri,
        "iat": int(now_s),
        "exp": int(now_s) + LIFE_S,
    }
    named = {"kid": credentials.private_key_id} if credentials.private_key_id else None
    try:
        assertion = jwt.encode(claims, credentials.private_key, algorithm="RS256", headers=named)
    except (ValueError, TypeError, jwt.PyJWTError):
        raise CredentialsError("the private_key of Google's credentials is no RSA key in PEM") from None
    return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}


def _asked(request: urllib.request.Request, proxies: Proxies) -> Token:
    url = urlsplit(request.full_url)
    proxy = proxies.proxy_for(url.scheme, url.hostname or "", url.port)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({url.scheme: proxy} if proxy else {}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        _NoRedirect,
    )
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            granted = msgspec.json.decode(answer.read(_MOST_BYTES), type=_Granted)
    except urllib.error.HTTPError as exc:
        with exc:
            raise CredentialsError(f"{url.hostname} gives no access token: {_refusal(exc)}") from None
    except (OSError, http.client.HTTPException) as exc:
        reason = getattr(exc, "reason", None) or exc
        raise CredentialsError(f"{url.hostname} gives no access token: it cannot be reached: {reason}") from None
    except msgspec.MsgspecError:
        raise CredentialsError(f"{url.hostname} gives no access token: its answer has none") from None
    if not granted.access_token.isascii() or not granted.access_token.isprintable():
        raise CredentialsError(f"{url.hostname} gives no access token: what it gives is none")
    return Token(granted.access_token, granted.expires_in)


def _refusal(exc: urllib.error.HTTPError) -> str:
    """`invalid_grant: Invalid JWT Signature.`; never a body as it stands."""
    try:
        said = msgspec.json.decode(exc.read(_MOST_BYTES), type=_Refused)
    except (msgspec.MsgspecError, OSError):
        said = _Refused()
    words = [word for word in (said.error, said.error_description) if isinstance(word, str) and word]
    return ": ".join(words)[:300] or f"it answers with status {exc.code}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An assertion goes to the address it is meant for, and to no other."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None
