"""What a request can tell the demo provider to do: words like `status=429, retry-after=2` (docs/demo.md).

They are said in the model's name after a colon (`demo/echo:status=429`), in a `demo` object of the body, or in the
header `x-demo`; where a word is said twice, the later of these three wins.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Amount = Annotated[float, Meta(ge=0)]
Words = dict[str, object]


class Controls(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=lambda n: n.replace("_", "-")
):
    """Sizes of `…_after` are events of a stream and bytes of a whole answer."""

    ttft_ms: Amount | None = None
    """Time to the first token; random between 150 and 350 without it."""
    tps: Amount | None = None
    """Tokens a second; random between 40 and 80 without it, 0 is as fast as it can."""
    delay_ms: Amount = 0
    """Wait before anything else, errors included."""
    tokens: Count | None = None
    """Length of the text, `demo/lorem` only."""
    usage: Literal["none"] | None = None
    """`none` reports no usage."""
    finish: Literal["stop", "length", "content_filter"] | None = None
    """Another finish reason than the true one."""
    status: Annotated[int, Meta(ge=400, le=599)] | None = None
    """Answer with this error."""
    retry_after: Amount | None = None
    """The header of that name, in seconds."""
    times: Annotated[int, Meta(ge=1)] | None = None
    """Only the first so many requests with this same body fail; those after are answered."""
    stall: bool = False
    """Never answer."""
    stall_after: Count | None = None
    """Fall silent within the answer, the connection open."""
    reset: bool = False
    """Close the connection instead of an answer."""
    cut_after: Count | None = None
    """Close the connection within the answer."""
    error_after: Count | None = None
    """An error event within a stream of status 200, and then its end."""
    garbage: bool = False
    """Answer with bytes that are not HTTP."""
    not_json: bool = False
    """Status 200 and a body that is no JSON."""

    @property
    def fails(self) -> bool:
        """Whether this asks for a failure, which `times` can bound."""
        breaks = (self.status, self.stall_after, self.cut_after, self.error_after)
        return self.stall or self.reset or self.garbage or self.not_json or any(b is not None for b in breaks)

    def without_failure(self) -> Controls:
        return Controls(
            ttft_ms=self.ttft_ms,
            tps=self.tps,
            delay_ms=self.delay_ms,
            tokens=self.tokens,
            usage=self.usage,
            finish=self.finish,
        )


def words(text: str) -> Words:
    """`status=429, stall` → {"status": "429", "stall": "true"}."""
    said: Words = {}
    for word in text.split(","):
        name, equals, value = word.strip().partition("=")
        if name:
            said[name.strip().lower()] = value.strip() if equals else "true"
    return said


def controls(*said: Words) -> Controls:
    """The words put together, later ones winning. Raises ValueError for what is not understood, with what is."""
    together: Words = {}
    for some in said:
        together |= some
    try:
        return msgspec.convert(together, Controls, strict=False)
    except msgspec.ValidationError as exc:
        known = ", ".join(field.encode_name for field in msgspec.structs.fields(Controls))
        raise ValueError(f"Demo controls: {exc}. Known are: {known}.") from exc
