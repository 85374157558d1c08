"""What a call used, in one meaning for all providers."""

from __future__ import annotations

import msgspec


class Usage(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Counts as the provider reported them, normalised once. `None` is not reported, 0 is reported as zero.

    `input_tokens` is everything billed as input (cache reads and writes, tool-use prompts), `output_tokens`
    everything generated (reasoning). All other token counts are parts of these two; parts may overlap
    (cached audio is both cached and audio) and may, in real traffic, exceed the whole.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_reported: int | None = None
    """The provider's own total, kept as evidence; never used for the price unless nothing else is there."""

    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    cached_audio_tokens: int | None = None
    audio_input_tokens: int | None = None
    image_input_tokens: int | None = None
    video_input_tokens: int | None = None
    tool_prompt_tokens: int | None = None

    reasoning_tokens: int | None = None
    audio_output_tokens: int | None = None
    image_output_tokens: int | None = None

    web_searches: int | None = None
    search_units: int | None = None
    """Rerank queries, as billed."""
    images: int | None = None
    audio_seconds: float | None = None
    """Seconds of audio or video, in or out, where a model is priced by time."""
    characters: int | None = None
    pages: int | None = None
    file_searches: int | None = None
    code_sessions: int | None = None
    """Sessions of a code interpreter, each counted as many times as its container has gigabytes."""

    largest_input_tokens: int | None = None
    """Of the largest request, where this sums several: the size that a price by size goes by."""

    @property
    def request_size(self) -> int | None:
        """Input tokens of a single request."""
        return self.input_tokens if self.largest_input_tokens is None else self.largest_input_tokens

    @property
    def total_tokens(self) -> int | None:
        if self.input_tokens is None and self.output_tokens is None:
            return self.total_reported
        return (self.input_tokens or 0) + (self.output_tokens or 0)


class Billed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A part of a call that is paid at another model's price than the answering one's."""

    model: str
    usage: Usage
    service_tier: str | None = None
