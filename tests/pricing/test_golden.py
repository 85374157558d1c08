"""Costs worked out by hand: every kind of unit, tier and size, on real entries, down to the nano-dollar.

The left side is what a provider reports, the right side the provider's price page in arithmetic: dollars per million
tokens (M) or per single unit.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import pytest

from pricing import Catalog, Usage

D = Decimal
M = D(1_000_000)
NOON_ON_FRIDAY = 1_795_176_000_000_000  # 2026-11-20T12:00:00Z
TWO_ON_FRIDAY = 1_795_140_000_000_000  # 2026-11-20T02:00:00Z

CASES = {
    "plain chat": (
        "openai/gpt-4o-2024-08-06", None, Usage(input_tokens=482, output_tokens=68),
        482 * D("2.50") / M + 68 * D("10.00") / M,
    ),
    "the default tier is the standard price": (
        "openai/gpt-4o-2024-08-06", "default", Usage(input_tokens=482, output_tokens=68),
        482 * D("2.50") / M + 68 * D("10.00") / M,
    ),
    "cached input is a part of the input, charged once": (
        "openai/gpt-4o", None, Usage(input_tokens=10_000, cached_input_tokens=9_216, output_tokens=20),
        784 * D("2.50") / M + 9_216 * D("1.25") / M + 20 * D("10.00") / M,
    ),
    "all of it cached": (
        "openai/gpt-4o", None, Usage(input_tokens=1_024, cached_input_tokens=1_024, output_tokens=0),
        1_024 * D("1.25") / M,
    ),
    "reasoning is a part of the output, charged once": (
        "openai/gpt-5", None, Usage(input_tokens=100, output_tokens=1_500, reasoning_tokens=1_408),
        100 * D("1.25") / M + 1_500 * D("10.00") / M,
    ),
    "batch": (
        "openai/gpt-4o", "batch", Usage(input_tokens=1_000, output_tokens=1_000),
        1_000 * D("1.25") / M + 1_000 * D("5.00") / M,
    ),
    "flex": (
        "openai/gpt-5", "flex", Usage(input_tokens=2_000, cached_input_tokens=500, output_tokens=300),
        1_500 * D("0.625") / M + 500 * D("0.0625") / M + 300 * D("5.00") / M,
    ),
    "priority": (
        "openai/gpt-4o-mini", "priority", Usage(input_tokens=2_000, cached_input_tokens=500, output_tokens=300),
        1_500 * D("0.25") / M + 500 * D("0.125") / M + 300 * D("1.00") / M,
    ),
    "a tier of a name that only one model has": (
        "openai/gpt-6-astra", "ultrafast", Usage(input_tokens=1_000, output_tokens=100),
        1_000 * D("60") / M + 100 * D("300") / M,
    ),
    "a tier without prices of its own is billed as standard": (
        "groq/openai/gpt-oss-120b", "on_demand", Usage(input_tokens=1_000, output_tokens=100),
        1_000 * D("0.15") / M + 100 * D("0.60") / M,
    ),
    "a unit without a price in a tier has its standard one": (
        "openai/gpt-4o", "batch", Usage(input_tokens=1_000, cached_input_tokens=1_000, output_tokens=0),
        1_000 * D("1.25") / M,
    ),
    "exactly at 272k is not above it": (
        "openai/gpt-5.4", None, Usage(input_tokens=272_000, output_tokens=1_000),
        272_000 * D("2.50") / M + 1_000 * D("15.00") / M,
    ),
    "above 272k the whole request is dearer, the output too": (
        "openai/gpt-5.4", None, Usage(input_tokens=272_001, output_tokens=1_000),
        272_001 * D("5.00") / M + 1_000 * D("22.50") / M,
    ),
    "cached tokens count for the size": (
        "openai/gpt-5.4", None, Usage(input_tokens=300_000, cached_input_tokens=290_000, output_tokens=10),
        10_000 * D("5.00") / M + 290_000 * D("0.50") / M + 10 * D("22.50") / M,
    ),
    "batch above 272k": (
        "openai/gpt-5.4", "batch", Usage(input_tokens=300_000, output_tokens=1_000),
        300_000 * D("2.50") / M + 1_000 * D("11.25") / M,
    ),
    "above 200k, priority, Gemini": (
        "gemini/gemini-2.5-pro", "priority", Usage(input_tokens=200_001, output_tokens=1_000),
        200_001 * D("4.50") / M + 1_000 * D("27.00") / M,
    ),
    "above 200k, cached": (
        "gemini/gemini-2.5-pro", None, Usage(input_tokens=250_000, cached_input_tokens=50_000, output_tokens=0),
        200_000 * D("2.50") / M + 50_000 * D("0.25") / M,
    ),
    "above 512k": (
        "minimax/MiniMax-M3", None, Usage(input_tokens=600_000, output_tokens=100),
        600_000 * D("0.60") / M + 100 * D("2.40") / M,
    ),
    "above 100k, batch, with cache writes": (
        "anthropic/claude-haiku-5-5", "batch",
        Usage(input_tokens=120_000, cache_write_tokens=20_000, output_tokens=1_000),
        100_000 * D("0.25") / M + 20_000 * D("0.3125") / M + 1_000 * D("1.25") / M,
    ),
    "ranges of sizes: the first": (
        "dashscope/qwen-flash", None, Usage(input_tokens=256_000, output_tokens=1_000),
        256_000 * D("0.05") / M + 1_000 * D("0.40") / M,
    ),
    "ranges of sizes: the second, for the whole request": (
        "dashscope/qwen-flash", None, Usage(input_tokens=256_001, output_tokens=1_000),
        256_001 * D("0.25") / M + 1_000 * D("2.00") / M,
    ),
    "cache writes of 5 minutes and of 1 hour": (
        "anthropic/claude-haiku-4-5-20251001", "standard",
        Usage(input_tokens=10_000, cached_input_tokens=3_000, cache_write_tokens=5_000, cache_write_5m_tokens=4_000,
              cache_write_1h_tokens=1_000, output_tokens=200),
        2_000 * D("1.00") / M + 3_000 * D("0.10") / M + 4_000 * D("1.25") / M + 1_000 * D("2.00") / M
        + 200 * D("5.00") / M,
    ),
    "cache writes without a split are of 5 minutes": (
        "anthropic/claude-sonnet-4-5-20250929", None,
        Usage(input_tokens=2_000, cache_write_tokens=1_500, output_tokens=1),
        500 * D("3.00") / M + 1_500 * D("3.75") / M + 1 * D("15.00") / M,
    ),
    "only the split of the cache writes is known": (
        "anthropic/claude-sonnet-4-5-20250929", None,
        Usage(input_tokens=2_000, cache_write_5m_tokens=500, cache_write_1h_tokens=1_000, output_tokens=1),
        500 * D("3.00") / M + 500 * D("3.75") / M + 1_000 * D("6.00") / M + 1 * D("15.00") / M,
    ),
    "cache writes of 1 hour above 200k, on Bedrock": (
        "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", None,
        Usage(input_tokens=210_000, cache_write_tokens=10_000, cache_write_1h_tokens=10_000, output_tokens=100),
        200_000 * D("6.60") / M + 10_000 * D("13.20") / M + 100 * D("24.75") / M,
    ),
    "cache writes 'at 0' beside paid input cost what input costs": (
        "deepseek/deepseek-flash", None, Usage(input_tokens=1_000, cache_write_tokens=600, output_tokens=0),
        1_000 * D("0.30") / M,
    ),
    "web searches come on top": (
        "anthropic/claude-sonnet-4-5", None, Usage(input_tokens=5_000, output_tokens=400, web_searches=3),
        5_000 * D("3.00") / M + 400 * D("15.00") / M + 3 * D("0.01"),
    ),
    "a search with a dearer price": (
        "openai/gpt-4o-search-preview", None, Usage(input_tokens=8, output_tokens=150, web_searches=1),
        8 * D("2.50") / M + 150 * D("10.00") / M + D("0.025"),
    ),
    "Gemini 2.5 bills a grounded request once": (
        "gemini/gemini-2.5-flash", None, Usage(input_tokens=17, output_tokens=900, web_searches=4),
        17 * D("0.30") / M + 900 * D("2.50") / M + D("0.035"),
    ),
    "Gemini 3 bills every search": (
        "gemini/gemini-3-flash-preview", None, Usage(input_tokens=17, output_tokens=900, web_searches=4),
        17 * D("0.50") / M + 900 * D("3.00") / M + 4 * D("0.014"),
    ),
    "a price of its own for reasoning": (
        "perplexity/sonar-deep-research", None,
        Usage(input_tokens=30, output_tokens=12_000, reasoning_tokens=10_000, web_searches=20),
        30 * D("2.00") / M + 2_000 * D("8.00") / M + 10_000 * D("3.00") / M + 20 * D("0.005"),
    ),
    "reasoning dearer than output": (
        "dashscope/qwen-turbo", None, Usage(input_tokens=100, output_tokens=1_000, reasoning_tokens=800),
        100 * D("0.05") / M + 200 * D("0.20") / M + 800 * D("0.50") / M,
    ),
    "reasoning follows the output's price in flex, though the file repeats it for standard": (
        "gemini/gemini-2.5-flash", "flex", Usage(input_tokens=100, output_tokens=1_000, reasoning_tokens=800),
        100 * D("0.15") / M + 1_000 * D("1.25") / M,
    ),
    "audio in": (
        "gemini/gemini-2.5-flash", None, Usage(input_tokens=1_000, audio_input_tokens=700, output_tokens=50),
        300 * D("0.30") / M + 700 * D("1.00") / M + 50 * D("2.50") / M,
    ),
    "cached audio is billed once, as cached audio": (
        "gemini/gemini-2.5-flash", None,
        Usage(input_tokens=1_000, audio_input_tokens=700, cached_input_tokens=600, cached_audio_tokens=500,
              output_tokens=50),
        200 * D("0.30") / M + 200 * D("1.00") / M + 100 * D("0.03") / M + 500 * D("0.10") / M + 50 * D("2.50") / M,
    ),
    "audio in and out": (
        "openai/gpt-audio", "default",
        Usage(input_tokens=120, audio_input_tokens=100, output_tokens=300, audio_output_tokens=250),
        20 * D("2.50") / M + 100 * D("32") / M + 50 * D("10") / M + 250 * D("64") / M,
    ),
    "transcription by the token": (
        "openai/gpt-4o-transcribe", None,
        Usage(input_tokens=500, audio_input_tokens=480, output_tokens=90, audio_seconds=48.0),
        500 * D("2.50") / M + 90 * D("10.00") / M,
    ),
    "transcription by the second, where no tokens are counted": (
        "openai/gpt-4o-transcribe", None, Usage(audio_seconds=48.5),
        D("48.5") * D("0.0001"),
    ),
    "transcription by the second, a price in both fields counted once": (
        "openai/whisper-1", None, Usage(audio_seconds=90.25),
        D("90.25") * D("0.0001"),
    ),
    "a price by the second with five digits": (
        "groq/whisper-large-v3", None, Usage(audio_seconds=3.333),
        D("3.333") * D("0.00003083"),
    ),
    "speech by the character": (
        "openai/tts-1", None, Usage(characters=1_234),
        1_234 * D("15.00") / M,
    ),
    "a speech model's output tokens are audio": (
        "openai/gpt-4o-mini-tts", None, Usage(input_tokens=40, output_tokens=500),
        40 * D("0.60") / M + 500 * D("12.00") / M,
    ),
    "an image model's output tokens are image tokens": (
        "openai/gpt-image-1", None, Usage(input_tokens=350, image_input_tokens=300, output_tokens=4_160),
        50 * D("5.00") / M + 300 * D("10.00") / M + 4_160 * D("40.00") / M,
    ),
    "text and image out of one model": (
        "openai/gpt-image-1.5", None, Usage(input_tokens=50, output_tokens=1_100, image_output_tokens=1_000),
        50 * D("5.00") / M + 100 * D("10.00") / M + 1_000 * D("32.00") / M,
    ),
    "images out of a chat model": (
        "gemini/gemini-3-pro-image", None,
        Usage(input_tokens=100, output_tokens=1_300, image_output_tokens=1_120, reasoning_tokens=80),
        100 * D("2.00") / M + 180 * D("12.00") / M + 1_120 * D("120.00") / M,
    ),
    "images by the piece": (
        "fal_ai/fal-ai/flux-pro/v1.1", None, Usage(images=3),
        3 * D("0.04"),
    ),
    "video by the second": (
        "openai/openai/sora-2", None, Usage(audio_seconds=8.0),
        8 * D("0.10"),
    ),
    "rerankings by the query, whatever tokens are said": (
        "cohere/rerank-v3.5", None, Usage(input_tokens=5_000, search_units=2),
        2 * D("0.002"),
    ),
    "rerankings by the token": (
        "voyage/rerank-2.5", None, Usage(total_reported=1_000),
        1_000 * D("0.05") / M,
    ),
    "pages": (
        "mistral/mistral-ocr-latest", None, Usage(pages=29),
        29 * D("0.004"),
    ),
    "pages in a batch": (
        "mistral/mistral-ocr-latest", "batch", Usage(pages=29),
        29 * D("0.002"),
    ),
    "a search engine's query": (
        "tavily/search", None, Usage(search_units=4),
        4 * D("0.008"),
    ),
    "embeddings that report only a total": (
        "voyage/voyage-3.5", None, Usage(total_reported=12_345),
        12_345 * D("0.06") / M,
    ),
    "embeddings": (
        "openai/text-embedding-3-small", None, Usage(input_tokens=8, total_reported=8),
        8 * D("0.02") / M,
    ),
    "a fine-tuned model has the fine-tuned price of its base": (
        "openai/ft:gpt-4o-2024-08-06:acme::BxYz12", None, Usage(input_tokens=1_000, output_tokens=100),
        1_000 * D("3.75") / M + 100 * D("15.00") / M,
    ),
    "less than a nano-dollar per token": (
        "bedrock/us.amazon.nova-micro-v1:0", None, Usage(input_tokens=3, cached_input_tokens=2, output_tokens=1),
        1 * D("0.035") / M + 2 * D("0.00875") / M + 1 * D("0.14") / M,
    ),
    "half a nano-dollar goes to the even one": (
        "cohere/command-r7b-12-2024", None, Usage(input_tokens=20, output_tokens=5),
        20 * D("0.0375") / M + 5 * D("0.15") / M,
    ),
    "images in tokens of a request above 200k follow its price": (
        "xai/grok-4.20-0309-reasoning", None,
        Usage(input_tokens=250_000, image_input_tokens=50_000, output_tokens=100),
        250_000 * D("2.50") / M + 100 * D("5.00") / M,
    ),
    "reasoning above the output is cut to it": (
        "openai/o3", None, Usage(input_tokens=10, output_tokens=100, reasoning_tokens=900),
        10 * D("2.00") / M + 100 * D("8.00") / M,
    ),
    "cached above the input is cut to it": (
        "openai/o3", None, Usage(input_tokens=10, cached_input_tokens=64, output_tokens=100),
        10 * D("0.50") / M + 100 * D("8.00") / M,
    ),
    "nothing used, and said so, costs nothing": (
        "openai/gpt-4o", None, Usage(input_tokens=0, output_tokens=0),
        D(0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_cost_is_the_one_worked_out_by_hand(case: str, golden: Catalog) -> None:
    name, tier, usage, dollars = CASES[case]
    provider, _, model = name.partition("/")
    price = golden.find(provider, model)
    assert price is not None
    cost = price.cost(usage, tier)
    assert cost is not None
    assert cost.total_nanousd == int((dollars * 10**9).to_integral_value(ROUND_HALF_EVEN))
    assert sum(line.amount_nanousd or 0 for line in price.explain(usage, tier)) == cost.total_nanousd


def test_there_are_enough_cases_to_trust_it() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize(
    ("at_us", "dollars"),
    [
        (TWO_ON_FRIDAY, 1_000 * D("0.30") / M + 100 * D("1.20") / M),
        (NOON_ON_FRIDAY, 1_000 * D("0.15") / M + 100 * D("0.60") / M),
        (None, 1_000 * D("0.30") / M + 100 * D("1.20") / M),
    ],
    ids=["peak hours", "cheap hours", "no hour known"],
)
def test_the_hour_of_the_call_decides_where_prices_have_hours(at_us: int | None, dollars: D, golden: Catalog) -> None:
    price = golden.find("deepseek", "deepseek-flash", at_us)
    assert price is not None
    cost = price.cost(Usage(input_tokens=1_000, output_tokens=100))
    assert cost is not None
    assert cost.total_nanousd == dollars * 10**9
    assert price.price_id.endswith("+off-peak") == (at_us == NOON_ON_FRIDAY)


UNPRICED = {
    "no usage at all": ("openai/gpt-4o", Usage()),
    "a search of a model without a price for it": (
        "openai/gpt-4o", Usage(input_tokens=9, output_tokens=9, web_searches=1),
    ),
    "only a total, of a chat model: who knows what was input": ("openai/gpt-4o", Usage(total_reported=100)),
    "tokens of a model that is priced by the page": ("mistral/mistral-ocr-latest", Usage(input_tokens=100)),
    "tokens of a model that is priced by the query": ("cohere/rerank-v3.5", Usage(input_tokens=100)),
    "seconds that are no duration": ("openai/whisper-1", Usage(audio_seconds=float("nan"))),
}  # fmt: skip


@pytest.mark.parametrize("case", UNPRICED)
def test_what_has_no_price_is_unknown_and_not_zero(case: str, golden: Catalog) -> None:
    name, usage = UNPRICED[case]
    provider, _, model = name.partition("/")
    price = golden.find(provider, model)
    assert price is not None
    assert price.cost(usage) is None


def test_the_bill_names_what_has_no_price(golden: Catalog) -> None:
    price = golden.find("openai", "gpt-4o")
    assert price is not None
    lines = price.explain(Usage(input_tokens=1_000, output_tokens=0, web_searches=2))
    assert [(line.unit, line.amount_nanousd, line.rate) for line in lines] == [
        ("input", 2_500_000, "$2.50 / Mtok"),
        ("web_search", None, "no price"),
    ]


def test_the_sides_of_the_cost_leave_fees_out(golden: Catalog) -> None:
    price = golden.find("anthropic", "claude-sonnet-4-5")
    assert price is not None
    cost = price.cost(Usage(input_tokens=1_000, output_tokens=100, web_searches=1))
    assert cost is not None
    assert (cost.input_nanousd, cost.output_nanousd, cost.total_nanousd) == (3_000_000, 1_500_000, 14_500_000)


def test_a_bill_in_full(golden: Catalog) -> None:
    price = golden.find("openai", "gpt-5.4")
    assert price is not None
    usage = Usage(input_tokens=300_000, cached_input_tokens=100_000, output_tokens=1_000, reasoning_tokens=400)
    lines = price.explain(usage, "batch")
    assert [(line.unit, line.side, int(line.quantity), line.rate, line.amount_nanousd) for line in lines] == [
        ("cached_input", "input", 100_000, "$0.25 / Mtok", 25_000_000),
        ("input", "input", 200_000, "$2.50 / Mtok", 500_000_000),
        ("reasoning", "output", 400, "$11.25 / Mtok", 4_500_000),
        ("output", "output", 600, "$11.25 / Mtok", 6_750_000),
    ]
    assert [(line.rated_as, line.tier, line.above_tokens) for line in lines] == [
        (None, "batch", 272_000),
        (None, "batch", 272_000),
        ("output", "batch", 272_000),
        (None, "batch", 272_000),
    ]
