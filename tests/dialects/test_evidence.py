"""What routing services and compatible servers say beyond OpenAI: their own charge, who answered, hidden thinking."""

from __future__ import annotations

import gzip
import json
import re
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.providers import KNOWN, Evidence
from gateway.dialects import Context, dialect_for
from gateway.dialects.evidence import CHARGES
from gateway.dialects.openai_chat import OpenAIChat
from pricing import Usage
from tests.dialects.openai_shapes import DONE, USAGE, chunk, dumped, whole
from tests.dialects.test_openai_recordings import RECORDINGS

CHAT = OpenAIChat()


def asked(charge: str, usage: dict[str, Any], headers: dict[bytes, bytes] | None = None, **more: Any) -> Any:
    """The answer as settled, the same whole and streamed."""
    context = Context(evidence=Evidence(charge=charge, provider_header=b"x-by"), headers=headers or {})
    used = {**USAGE, **usage}
    answer = CHAT.settle(whole({"content": "x"}, usage=used, **more), False, context)
    streamed = CHAT.settle(
        chunk({"content": "x"}, "stop", **more) + chunk(None, usage=used, **more) + DONE, True, context
    )
    assert (answer.cost_nanousd, answer.provider) == (streamed.cost_nanousd, streamed.provider)
    return answer


@pytest.mark.parametrize(
    ("charge", "usage", "nanousd"),
    [
        ("openrouter", {"cost": 0.001875}, 1_875_000),
        (
            "openrouter",
            {"cost": 0.00102, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.5}},
            1_020_000,
        ),
        ("openrouter", {"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.0003253}}, 325_300),
        (
            "openrouter",
            {"cost": 0.00001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.0002}},
            210_000,
        ),
        ("openrouter", {"cost": 0}, 0),
        ("openrouter", {}, None),
        ("openrouter", {"cost": "free"}, None),
        ("openrouter", {"cost": -1}, None),
        ("openrouter", {"cost": 1e300}, None),
        ("perplexity", {"cost": {"input_tokens_cost": 0.001, "total_cost": 0.006}}, 6_000_000),
        ("perplexity", {"cost": 0.5}, None),
        ("xai", {"cost_in_usd_ticks": 37_756_000}, 3_775_600),
        ("xai", {"cost_in_usd_ticks": 15}, 2),
        ("xai", {}, None),
        ("", {"cost": 0.5}, None),
    ],
)
def test_a_charge_is_believed_where_the_providers_row_says_what_it_means(
    charge: str, usage: dict[str, Any], nanousd: int | None
) -> None:
    assert asked(charge, usage).cost_nanousd == nanousd


@pytest.mark.parametrize(
    ("cost", "nanousd"),
    [(b"0.00325", 3_250_000), (b"3.45e-05", 34_500), (b"0.0", None), (b"None", None), (b"x", None), (b"NaN", None)],
)
def test_litellm_says_it_in_a_header(cost: bytes, nanousd: int | None) -> None:
    assert asked("litellm", {}, {b"x-litellm-response-cost": cost}).cost_nanousd == nanousd
    assert asked("litellm", {}).cost_nanousd is None


@pytest.mark.parametrize(
    ("gateway", "usage", "nanousd", "provider"),
    [
        ({"routing": {"finalProvider": "bedrock"}, "cost": "0.0045405"}, {}, 4_540_500, "bedrock"),
        ({"routing": {"finalProvider": "bedrock"}, "cost": "0", "marketCost": "0.0001"}, {}, 100_000, "bedrock"),
        ({"routing": {"finalProvider": "xai"}}, {"cost": 0.25}, 250_000_000, "xai"),
        ({"cost": "n/a"}, {}, None, None),
    ],
)
def test_vercel_says_it_in_metadata(gateway: Any, usage: Any, nanousd: int | None, provider: str | None) -> None:
    found = asked("vercel", usage, provider_metadata={"gateway": gateway})
    assert (found.cost_nanousd, found.provider) == (nanousd, provider)


def test_who_answered() -> None:
    assert asked("openrouter", {}, provider="Amazon Bedrock").provider == "Amazon Bedrock"
    assert asked("", {}, {b"x-by": b"fireworks-ai"}).provider == "fireworks-ai"
    assert asked("", {}, {b"x-by": b"router"}, provider="Novita").provider == "Novita"
    assert asked("", {}, provider={"id": 1}).provider is None


def test_every_row_speaks_of_a_way_that_is_known() -> None:
    assert {row.evidence.charge for row in KNOWN.values() if row.evidence} <= {*CHARGES, ""}


RECORDED = RECORDINGS / "openai.chat.jsonl.gz"


@pytest.mark.skipif(not RECORDED.is_file(), reason="no recordings beside the project (../shared/recordings)")
def test_openrouter_bills_what_was_recorded_and_its_upstream_with_an_own_key() -> None:
    seen = 0
    with gzip.open(RECORDED, "rt", encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            if record["provider"] != "openrouter" or record["status"] != 200:
                continue
            settled = dialect_for(b"POST", record["path"].encode()).settle(
                record["response_body"].encode(), record["streaming"], Context(evidence=KNOWN["openrouter"].evidence)
            )
            assert settled.usage_raw is not None
            raw = json.loads(settled.usage_raw, parse_float=Decimal)
            billed = raw["cost_details"]["upstream_inference_cost"] if raw.get("is_byok") else raw["cost"]
            assert settled.cost_nanousd == round(Decimal(billed) * 10**9), record["id"]
            named = re.search(r'"provider":"([^"]+)"', record["response_body"])
            assert named
            assert settled.provider == named[1]
            seen += 1
    assert seen >= 15


@pytest.mark.parametrize(
    ("model", "usage", "counted"),
    [
        ("gemini-2.5-flash", {"prompt_tokens": 8, "completion_tokens": 20, "total_tokens": 500}, (8, 492, 472)),
        ("google/gemini-3-pro", {"prompt_tokens": 8, "total_tokens": 50}, (8, 42, 42)),
        ("models/gemini-2.5-pro", {"prompt_tokens": 8, "completion_tokens": 20, "total_tokens": 28}, (8, 20, None)),
        (
            "grok-4",
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            (32, 103, 94),
        ),
        ("other", {"prompt_tokens": 8, "completion_tokens": 20, "total_tokens": 500}, (8, 20, None)),
        ("other", {"prompt_tokens": 8, "completion_tokens": 20, "total_tokens": 10}, (8, 20, None)),
    ],
)
def test_thinking_that_only_the_total_shows(model: str, usage: dict[str, Any], counted: tuple[int | None, ...]) -> None:
    answer = dumped({"model": model, "choices": [], "usage": usage})
    for found in (CHAT.settle(answer, False), CHAT.settle(b"data: " + answer + b"\n\n", True)):
        assert found.usage is not None
        assert (found.usage.input_tokens, found.usage.output_tokens, found.usage.reasoning_tokens) == counted


def test_mistral_thinks_within_the_content() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    read = CHAT.read(whole({"content": [thinking, {"type": "text", "text": "Yes."}]}), False, 200)
    assert (read.text, read.reasoning) == ("Yes.", "Hm.")


def test_usage_of_an_answer_that_was_not_kept_whole() -> None:
    answer = whole({"content": "x" * 100}, usage=USAGE)
    gap = answer.replace(b"x" * 50, b"x\n\nx", 1)
    settled, read = CHAT.settle(gap, False), CHAT.read(gap, False, 200)
    assert settled.usage == read.usage == CHAT.settle(answer, False).usage
    assert settled.usage is not None
    assert settled.model == read.model == "m-1-2026"
    assert CHAT.settle(answer[:-1], False).usage is not None
    assert CHAT.settle(answer[: answer.find(b'"usage"')], False) == CHAT.settle(b"", False)


def test_a_free_answer_of_a_router_is_free() -> None:
    assert asked("openrouter", {"cost": 0}).cost_nanousd == 0
    assert asked("openrouter", {"cost": 0}).usage == Usage(
        120, 30, 150, 64, audio_input_tokens=0, reasoning_tokens=12, audio_output_tokens=0
    )
