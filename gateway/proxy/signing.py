"""What calls carry where a key that stands still does not do: signatures for AWS, access tokens of Google.

Both need libraries that nobody else should pay for, so they are imported when a provider is set up with such
credentials, and only then.
"""

from __future__ import annotations

import importlib
import re
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from gateway.core.proxies import Proxies
from gateway.settings import Provider

DEFAULT_REGION = "us-east-1"
DIRECT = Proxies()
_REGION = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.")


class CredentialsError(Exception):
    """There are no credentials to call with; says why, without them."""


class Waiting(Protocol):
    """A call that waits for credentials. It hears one of the two."""

    def signed(self) -> None: ...

    def connect_failed(self, error: Exception) -> None: ...


class Signer(Protocol):
    """Makes header lines with credentials, for each attempt anew. No `repr` shows any."""

    carries_on: bool
    """Whether what it makes holds for the same call put in other words, as the translator does; a signature does
    not."""

    @property
    def ready(self) -> bool:
        """Whether it can be called now; otherwise a call has to wait."""

    def __call__(self, method: bytes, target: bytes, body: bytes) -> bytes:
        """(method, request target, whole body) → header lines."""

    def wait(self, caller: Waiting) -> None: ...

    def forget(self, caller: object) -> None:
        """The caller waits no longer."""

    def close(self) -> None:
        """Renews nothing any more."""


def signer_for(provider: Provider, proxies: Proxies = DIRECT) -> Signer | None:
    """None where the provider's key goes into a header as it stands. Nothing is read or asked before a call."""
    if provider.google_credentials:
        google = importlib.import_module("gateway.proxy.google")
        return cast(Signer, google.signer_for(provider.google_credentials, proxies))
    if not (provider.aws_access_key_id and provider.aws_secret_access_key and provider.base_url):
        return None
    return AwsSigner(
        provider.base_url,
        provider.region,
        provider.aws_access_key_id,
        provider.aws_secret_access_key,
        provider.aws_session_token,
    )


class AwsSigner:
    """Signature Version 4 by botocore's own signer, for one endpoint of Bedrock. It is always ready.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """

    carries_on = False
    ready = True

    def __init__(
        self, base_url: str, region: str | None, key_id: str, secret: str, session_token: str | None = None
    ) -> None:
        auth: Any = importlib.import_module("botocore.auth")
        credentials: Any = importlib.import_module("botocore.credentials")
        self._request: Any = importlib.import_module("botocore.awsrequest").AWSRequest
        url = urlsplit(base_url)
        self._origin = f"{url.scheme}://{url.netloc}"
        self.region = region or region_in(base_url)
        self._auth = auth.SigV4Auth(credentials.Credentials(key_id, secret, session_token), "bedrock", self.region)

    def __call__(self, method: bytes, target: bytes, body: bytes) -> bytes:
        """Signed are the host, the date, the session token and the body: nothing that changes on the way."""
        where = target.decode("latin-1")
        url = where if where.startswith("http://") else self._origin + where
        request = self._request(method=method.decode("ascii"), url=url, data=body)
        self._auth.add_auth(request)
        return b"".join(f"{name.lower()}: {value}\r\n".encode("latin-1") for name, value in request.headers.items())

    def wait(self, caller: Waiting) -> None:
        caller.signed()

    def forget(self, caller: object) -> None:
        """Nobody ever waits."""

    def close(self) -> None:
        """There is nothing to renew."""


def region_in(base_url: str) -> str:
    found = _REGION.search(base_url)
    return found[1] if found else DEFAULT_REGION
