"""AWS's own SDK, unchanged, against the gateway: signed upstream, metered, streams and errors as it knows them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from tests.dialects.bedrock_shapes import CLAUDE_STREAM, FAILED, STREAM, WHOLE
from tests.e2e.harness import APP_KEY, Gateway, configuration
from tests.e2e.upstream import Upstream
from tests.e2e.wire import Message, Wire, answer

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
MESSAGES = [{"role": "user", "content": [{"text": "Which file?"}]}]
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\nx-amzn-requestid: aws-1\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, scripted: Upstream) -> Iterator[Gateway]:
    bedrock = {
        "base_url": f"http://127.0.0.1:{scripted.port}", "aws_access_key_id": "AKIDEXAMPLE", "region": "us-east-2",
        "aws_secret_access_key": SECRET, "aws_session_token": "session-token",
    }  # fmt: skip
    running = Gateway(
        tmp_path_factory.mktemp("bedrock") / "data", configuration(providers={"bedrock": bedrock})
    ).start()
    yield running
    assert running.stop() == 0, "".join(running.output)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Any]:
    """The gateway key is the access key id; what it signs with does not matter."""
    made = boto3.client(
        "bedrock-runtime",
        endpoint_url=f"{gateway.url}/p/bedrock",
        region_name="eu-west-1",
        aws_access_key_id=APP_KEY,
        aws_secret_access_key="anything",
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield made
    made.close()


def streams(*chunks: bytes, whole: bool = True) -> Any:
    def script(wire: Wire, request: Message) -> None:
        wire.send(STREAM_HEAD)
        wire.chunk(*chunks)
        if whole:
            wire.send(b"0\r\n\r\n")
        else:
            wire.close()

    return script


def the_row(gateway: Gateway, metadata: dict[str, Any]) -> dict[str, Any]:
    return gateway.row(metadata["HTTPHeaders"]["x-request-id"])


def everything(stream: Any) -> list[Any]:
    """Its events. One that ends with an exception leaves its connection open, and the SDK closes it only when asked."""
    with contextlib.closing(stream):
        return list(stream)


def test_converse(gateway: Gateway, client: Any, upstream: Upstream):
    upstream.script = lambda wire, _: wire.send(answer(WHOLE))
    said = client.converse(modelId=MODEL, messages=MESSAGES)
    assert said["output"]["message"]["content"][1]["text"] == "Let me look."

    asked = upstream.request()
    assert asked.target == "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    credentials = asked.header("authorization") or ""
    assert credentials.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/us-east-2/bedrock/aws4_request" in credentials
    assert asked.header("x-amz-security-token") == "session-token"
    assert sum(name.lower() == "x-amz-date" for name, _ in asked.headers) == 1
    assert APP_KEY.encode() not in asked.head

    row = the_row(gateway, said["ResponseMetadata"])
    assert (row["model"], row["provider"], row["finish_reason"]) == (MODEL, "bedrock", "tool_use")
    assert (row["input_tokens"], row["output_tokens"], row["cached_input_tokens"]) == (239, 12, 200)
    assert row["cost_nanousd"] > 0
    assert row["input_preview"] == "Which file?"
    assert not any(secret in json.dumps(row) for secret in (SECRET, APP_KEY, "session-token", "AKIDEXAMPLE"))


def test_a_stream(gateway: Gateway, client: Any, upstream: Upstream):
    upstream.script = streams(STREAM[:50], STREAM[50:333], STREAM[333:])
    said = client.converse_stream(modelId=MODEL, messages=MESSAGES)
    events = everything(said["stream"])
    assert [next(iter(event)) for event in events][-2:] == ["messageStop", "metadata"]
    row = the_row(gateway, said["ResponseMetadata"])
    assert (row["stream"], row["input_tokens"], row["output_tokens"], row["error_type"]) == (True, 239, 12, None)
    assert row["ttft_ms"] is not None
    assert row["upstream_request_id"] == "aws-1"
    lines = row["response_body"].splitlines()
    assert [next(iter(json.loads(line))) for line in lines] == [next(iter(event)) for event in events]
    assert row["response_text"] == "Let me look."


def test_a_stream_of_a_makers_own_words(gateway: Gateway, client: Any, upstream: Upstream):
    upstream.script = streams(CLAUDE_STREAM)
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": MESSAGES})
    said = client.invoke_model_with_response_stream(modelId=MODEL, body=body)
    chunks = [json.loads(event["chunk"]["bytes"]) for event in said["body"]]
    assert chunks[-1]["type"] == "message_stop"
    row = the_row(gateway, said["ResponseMetadata"])
    assert (row["model"], row["input_tokens"], row["output_tokens"]) == ("claude-sonnet-4-5-20250929", 7, 5)
    assert row["cost_nanousd"] is not None
    assert row["price_id"].startswith("us.anthropic.claude-sonnet-4-5")


def test_an_exception_in_a_stream(gateway: Gateway, client: Any, upstream: Upstream):
    upstream.script = streams(FAILED)
    said = client.converse_stream(modelId=MODEL, messages=MESSAGES)
    with pytest.raises(EventStreamError, match="Too many tokens"):
        everything(said["stream"])
    row = the_row(gateway, said["ResponseMetadata"])
    assert (row["error_type"], row["error_message"]) == ("upstream_error", "Too many tokens.")


def test_a_stream_that_breaks_between_two_messages_ends_in_an_exception(
    gateway: Gateway, client: Any, upstream: Upstream
):
    first = STREAM[: int.from_bytes(STREAM[:4], "big")]
    upstream.script = streams(first, whole=False)
    said = client.converse_stream(modelId=MODEL, messages=MESSAGES)
    with pytest.raises(EventStreamError, match="broke before the answer was complete"):
        everything(said["stream"])
    assert the_row(gateway, said["ResponseMetadata"])["error_type"] == "network"


def test_a_stream_that_breaks_within_a_message_is_cut(gateway: Gateway, client: Any, upstream: Upstream):
    upstream.script = streams(STREAM[:60], whole=False)
    said = client.converse_stream(modelId=MODEL, messages=MESSAGES)
    with pytest.raises(Exception, match=r"Connection broken|IncompleteRead|ended prematurely") as caught:
        everything(said["stream"])
    assert not isinstance(caught.value, EventStreamError)


def test_the_providers_error_is_passed_on(client: Any, upstream: Upstream):
    error = {"message": "The provided model identifier is invalid."}
    upstream.script = lambda wire, _: wire.send(
        answer(error, "x-amzn-errortype: ValidationException:http://x/", status="400 Bad Request")
    )
    with pytest.raises(ClientError) as caught:
        client.converse(modelId="us.nothing", messages=MESSAGES)
    assert caught.value.response["Error"] == {"Message": error["message"], "Code": "ValidationException"}


def test_the_gateways_own_error_is_one_that_the_sdk_understands(gateway: Gateway):
    stranger = boto3.client(
        "bedrock-runtime", endpoint_url=f"{gateway.url}/p/bedrock", region_name="eu-west-1",
        aws_access_key_id="cg-unknown", aws_secret_access_key="x", config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    with pytest.raises(ClientError) as caught:
        stranger.converse(modelId=MODEL, messages=MESSAGES)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "not known" in caught.value.response["Error"]["Message"]
    stranger.close()


def test_a_bearer_token(gateway: Gateway, upstream: Upstream):
    """As AWS_BEARER_TOKEN_BEDROCK has the SDK send it, which it does over TLS only."""
    upstream.script = lambda wire, _: wire.send(answer(WHOLE))
    said = gateway.post("/p/bedrock/model/amazon.nova-micro-v1%3A0/converse", {"messages": MESSAGES})
    assert said.json()["stopReason"] == "tool_use"
    assert gateway.row_of(said)["model"] == "amazon.nova-micro-v1:0"
