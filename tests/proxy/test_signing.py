"""Signatures for AWS, computed a second time by the rules as AWS writes them down."""

from __future__ import annotations

import hashlib
import hmac
import re
import subprocess
import sys
from urllib.parse import quote

import pytest

from gateway.config import load
from gateway.errors import ConfigError
from gateway.proxy.signing import AwsSigner, region_in, signer_for
from gateway.settings import Provider

BASE = "https://bedrock-runtime.eu-west-1.amazonaws.com"
HOST = "bedrock-runtime.eu-west-1.amazonaws.com"
TARGET = b"/model/eu.amazon.nova-micro-v1%3A0/converse"
BODY = b'{"messages":[]}'


def headers_of(lines: bytes) -> dict[str, str]:
    assert lines.endswith(b"\r\n")
    return dict(line.split(": ", 1) for line in lines.decode().removesuffix("\r\n").split("\r\n"))


def expected(method: str, path: str, query: str, headers: dict[str, str], body: bytes, secret: str, region: str) -> str:
    """The signature, step by step. The path is encoded once more on top of how it is sent."""
    signed = ";".join(sorted(headers))
    canonical = "\n".join(
        [method, quote(path, safe="/-_.~"), query]
        + [f"{name}:{headers[name]}" for name in sorted(headers)]
        + ["", signed, hashlib.sha256(body).hexdigest()]
    )
    moment = headers["x-amz-date"]
    scope = f"{moment[:8]}/{region}/bedrock/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (moment[:8], region, "bedrock", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return f"AWS4-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders={signed}, Signature={signature}"


@pytest.mark.parametrize("token", [None, "session-token"])
def test_a_signature(token: str | None):
    signer = AwsSigner(BASE, None, "AKID", "secret", token)
    headers = headers_of(signer(b"POST", TARGET, BODY))
    signed = {"host": HOST, "x-amz-date": headers["x-amz-date"]}
    if token:
        assert headers["x-amz-security-token"] == token
        signed["x-amz-security-token"] = token
    assert headers["authorization"] == expected("POST", TARGET.decode(), "", signed, BODY, "secret", "eu-west-1")
    assert set(headers) == {"authorization", "x-amz-date"} | ({"x-amz-security-token"} if token else set())


def test_a_query_is_signed_in_order():
    signer = AwsSigner("https://vpce-1.bedrock-runtime.us-west-2.vpce.amazonaws.com", None, "AKID", "secret")
    headers = headers_of(signer(b"GET", b"/async-invoke?b=2&a=1", b""))
    host = "vpce-1.bedrock-runtime.us-west-2.vpce.amazonaws.com"
    signed = {"host": host, "x-amz-date": headers["x-amz-date"]}
    assert headers["authorization"] == expected("GET", "/async-invoke", "a=1&b=2", signed, b"", "secret", "us-west-2")


@pytest.mark.parametrize(
    ("base_url", "region"),
    [
        (BASE, "eu-west-1"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("http://127.0.0.1:8000", "us-east-1"),
    ],
)
def test_the_region_is_in_the_address(base_url: str, region: str):
    assert region_in(base_url) == region


def test_who_signs_and_with_what():
    assert signer_for(Provider(base_url=BASE, api_key="token")) is None
    assert signer_for(Provider(base_url=BASE, aws_access_key_id="", aws_secret_access_key="")) is None
    signer = signer_for(
        Provider(base_url=BASE, region="us-east-2", aws_access_key_id="AKID", aws_secret_access_key="wJalr-secret")
    )
    assert isinstance(signer, AwsSigner)
    assert signer.region == "us-east-2"
    assert "wJalr" not in repr(signer)


def test_access_keys_are_never_shown():
    provider = Provider(aws_access_key_id="AKID", aws_secret_access_key="wJalr", aws_session_token="token")
    assert not re.search("AKID|wJalr|'token'", repr(provider))


def test_the_region_is_where_the_calls_go(tmp_path):
    config = tmp_path / "callgate.yaml"
    config.write_text("providers: {bedrock: {aws_access_key_id: a, aws_secret_access_key: b, region: eu-central-1}}\n")
    loaded = load(str(config), environ={"AWS_REGION": "us-west-1"})
    assert loaded.settings.providers["bedrock"].base_url == "https://bedrock-runtime.eu-central-1.amazonaws.com"
    assert loaded.warnings == []


def test_half_of_a_pair_is_refused(tmp_path):
    config = tmp_path / "callgate.yaml"
    config.write_text("providers: {bedrock: {aws_access_key_id: a}}\n")
    with pytest.raises(ConfigError, match="belong together"):
        load(str(config), environ={})


def test_nobody_else_imports_the_signer():
    code = "import sys, gateway.worker; sys.exit(any(name.startswith('botocore') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True)
