import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from checks import KEY, URL, check, raised


def bedrock(key):
    """The gateway key is the access key id; what it signs with does not matter."""
    return boto3.client(
        "bedrock-runtime", endpoint_url=f"{URL}/p/bedrock", region_name="us-east-1",
        aws_access_key_id=key, aws_secret_access_key="anything",
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip


client = bedrock(KEY)
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def said(text):
    return [{"role": "user", "content": [{"text": text}]}]


@check
def whole():
    answer = client.converse(modelId=MODEL, messages=said("Which file?"))
    assert answer["output"]["message"]["content"][1]["text"] == "Let me look."
    assert answer["usage"]["outputTokens"] == 12


@check
def streaming():
    answer = client.converse_stream(modelId=MODEL, messages=said("Which file?"))
    deltas = [event["contentBlockDelta"]["delta"] for event in answer["stream"] if "contentBlockDelta" in event]
    assert "".join(delta.get("text", "") for delta in deltas) == "Let me look."


@check
def tools():
    answer = client.converse(modelId=MODEL, messages=said("Which file?"))
    assert answer["stopReason"] == "tool_use"
    assert answer["output"]["message"]["content"][2]["toolUse"]["name"] == "get_file"


@check
def errors():
    failure = raised(ClientError, client.converse, modelId=MODEL, messages=said("Please fail"))
    assert failure.response["Error"]["Code"] == "ThrottlingException"
    refused = raised(ClientError, bedrock("cg-nobody").converse, modelId=MODEL, messages=said("Hello"))
    assert refused.response["Error"]["Code"] == "AccessDeniedException"
