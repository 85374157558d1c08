"""Signing requests to AWS with access keys (Signature Version 4), by botocore's own signer.

botocore is imported when a provider has access keys, and only then: it takes 0.1 s and 4 MB, which nobody else should
pay for. A bearer token (`api_key`) needs no signature.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from gateway.settings import Provider

Signer = Callable[[bytes, bytes, bytes], bytes]
"""(method, request target, whole body) → header lines, credentials among them, for this one attempt."""

DEFAULT_REGION = "us-east-1"
_REGION = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.")


def signer_for(provider: Provider) -> Signer | None:
    """None where the provider's key goes into a header as it stands."""
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
    """For one endpoint of Bedrock. Its `repr` shows no credentials."""

    def __init__(
        self, base_url: str, region: str | None, key_id: str, secret: str, session_token: str | None = None
    ) -> None:
        auth = importlib.import_module("botocore.auth")
        credentials = importlib.import_module("botocore.credentials")
        self._request = importlib.import_module("botocore.awsrequest").AWSRequest
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


def region_in(base_url: str) -> str:
    found = _REGION.search(base_url)
    return found[1] if found else DEFAULT_REGION
