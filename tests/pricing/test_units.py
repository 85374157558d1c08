"""Overlapping counts become disjoint parts that add up to the whole, whatever was reported."""

from __future__ import annotations

import pytest

from pricing.units import UNITS, input_parts, other_measures, output_parts
from pricing.usage import Usage

INPUTS = {
    "plain": (Usage(input_tokens=10), {"input": 10}),
    "unknown": (Usage(output_tokens=10), {}),
    "negative": (Usage(input_tokens=-5, cached_input_tokens=3), {}),
    "cached": (Usage(input_tokens=10, cached_input_tokens=4), {"cached_input": 4, "input": 6}),
    "cached above the whole": (Usage(input_tokens=10, cached_input_tokens=40), {"cached_input": 10}),
    "negative part": (Usage(input_tokens=10, cached_input_tokens=-4), {"input": 10}),
    "cached, then written": (
        Usage(input_tokens=10, cached_input_tokens=8, cache_write_tokens=5),
        {"cached_input": 8, "cache_write": 2},
    ),
    "one hour above all writes": (
        Usage(input_tokens=10, cache_write_tokens=4, cache_write_1h_tokens=9),
        {"cache_write_1h": 4, "input": 6},
    ),
    "the whole of the writes decides, the split only divides it": (
        Usage(input_tokens=10, cache_write_tokens=0, cache_write_5m_tokens=4),
        {"input": 10},
    ),
    "audio that was cached": (
        Usage(input_tokens=10, audio_input_tokens=6, cached_input_tokens=4, cached_audio_tokens=3),
        {"cached_audio_input": 3, "cached_input": 1, "audio_input": 3, "input": 3},
    ),
    "cached audio without anything cached": (
        Usage(input_tokens=10, audio_input_tokens=6, cached_audio_tokens=3),
        {"audio_input": 6, "input": 4},
    ),
    "media share what is left": (
        Usage(input_tokens=10, audio_input_tokens=4, image_input_tokens=4, video_input_tokens=4),
        {"audio_input": 4, "image_input": 4, "video_input": 2},
    ),
    "tool-use prompts are input": (Usage(input_tokens=10, tool_prompt_tokens=7), {"input": 10}),
}


@pytest.mark.parametrize("case", INPUTS)
def test_input(case: str) -> None:
    usage, expected = INPUTS[case]
    assert {unit: count for unit, count in input_parts(usage) if count} == expected


OUTPUTS = {
    "plain": (Usage(output_tokens=10), "output", {"output": 10}),
    "reasoning": (Usage(output_tokens=10, reasoning_tokens=7), "output", {"reasoning": 7, "output": 3}),
    "reasoning above the whole": (Usage(output_tokens=10, reasoning_tokens=70), "output", {"reasoning": 10}),
    "all kinds": (
        Usage(output_tokens=10, reasoning_tokens=3, audio_output_tokens=3, image_output_tokens=3),
        "output",
        {"reasoning": 3, "audio_output": 3, "image_output": 3, "output": 1},
    ),
    "of a speech model": (Usage(output_tokens=10), "audio_output", {"audio_output": 10}),
    "of an image model that says it made no audio": (
        Usage(output_tokens=10, audio_output_tokens=0),
        "image_output",
        {"image_output": 10},
    ),
    "of a speech model that says what is what": (
        Usage(output_tokens=10, audio_output_tokens=9),
        "audio_output",
        {"audio_output": 9, "output": 1},
    ),
}


@pytest.mark.parametrize("case", OUTPUTS)
def test_output(case: str) -> None:
    usage, plain, expected = OUTPUTS[case]
    assert {unit: count for unit, count in output_parts(usage, plain) if count} == expected


def test_other_measures_are_counted_in_whole_numbers() -> None:
    usage = Usage(search_units=2, pages=3, characters=4, audio_seconds=0.0016, images=5)
    assert other_measures(usage) == [("query", 2), ("page", 3), ("character", 4), ("second", 2), ("image", 5)]


@pytest.mark.parametrize("seconds", [None, 0.0, -1.0, float("inf"), float("nan")])
def test_no_duration(seconds: float | None) -> None:
    assert other_measures(Usage(audio_seconds=seconds)) == []


def test_every_unit_leans_on_units_that_exist() -> None:
    assert {parent for unit in UNITS.values() for parent in unit.rated_as} <= UNITS.keys()
