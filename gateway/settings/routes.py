"""Routes: what stands behind a name of `models` when it is more than an alias, and when a target is left alone."""

# ruff: noqa: RUF012 (msgspec copies an empty default for each instance, which ruff does not see through `Section`)

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.settings.section import Count, NotNegative, Positive, Section, Share

Strategy = Literal["weighted", "latency", "cost", "ordered"]
Sticky = Literal["none", "session", "cache_key"]


class TargetTimeout(Section, frozen=True):
    first_token_s: Annotated[
        Positive | None,
        Meta(description="Longest wait for the first content; then the next target. The provider's, without one."),
    ] = None
    idle_s: Annotated[
        Positive | None, Meta(description="Longest silence within an answer. The provider's, without one.")
    ] = None


class RouteTarget(Section, frozen=True):
    model: Annotated[str, Meta(description="`provider/model`, or an alias of one.")]
    weight: Annotated[NotNegative, Meta(description="Its part of the calls, relative to the others'.")] = 1
    share: Annotated[
        Share | None,
        Meta(description="Its part of all calls, 0.05 for a canary of 5 %; the others divide the rest by weight."),
    ] = None
    region: Annotated[str | None, Meta(description="Where it is, in words of your own, for `region` below.")] = None
    context_tokens: Annotated[
        Count | None, Meta(description="Longest input it takes; longer calls go to others while there are any.")
    ] = None
    timeout: Annotated[TargetTimeout, Meta(description="Limits in time for this target of this route.")] = (
        TargetTimeout()
    )


class ModelRoute(Section, frozen=True):
    targets: Annotated[
        list[RouteTarget | str], Meta(description="Where calls go; a plain name is a target of weight 1.", min_length=1)
    ]
    fallbacks: Annotated[
        list[RouteTarget | str],
        Meta(description="Tried in this order when the targets fail; the name of a route stands for its targets."),
    ] = []
    strategy: Annotated[
        Strategy,
        Meta(
            description="How a target is chosen: by weight; the quicker of two drawn at random; the cheapest; "
            "the first."
        ),
    ] = "weighted"
    sticky: Annotated[
        Sticky,
        Meta(description="Calls of one session, or with one prompt-cache key, go to one target while it works."),
    ] = "none"
    cache_ttl_s: Annotated[
        NotNegative | None,
        Meta(description="How long its answers are kept in the response cache; 0: not at all. `cache.ttl_s` without."),
    ] = None
    region: Annotated[
        str | None, Meta(description="Targets there are preferred, unless the call asks for another region.")
    ] = None
    retries: Annotated[int, Meta(description="Further attempts after the first; each fallback adds one.", ge=0)] = 2
    backoff_ms: Annotated[
        NotNegative, Meta(description="Wait before the same target is tried again; doubles each time, with jitter.")
    ] = 200
    backoff_max_ms: Annotated[NotNegative, Meta(description="Longest such wait.")] = 5000
    retry_after_max_s: Annotated[
        NotNegative,
        Meta(description="Longest `retry-after` that is waited for; beyond it, another target or the error."),
    ] = 10


class Cooldown(Section, frozen=True):
    """Of every target: its state is shared by all routes it is in."""

    failures: Annotated[
        Count, Meta(description="Failures in a row, within `window_s`, after which a target is left alone.")
    ] = 5
    failure_share: Annotated[
        Share, Meta(description="Or this part of at least twice as many calls within `window_s`.")
    ] = 0.5
    window_s: Annotated[Positive, Meta(description="How far back failures count.")] = 30
    open_s: Annotated[Positive, Meta(description="How long it is left alone; then one call tries it.")] = 5
    open_max_s: Annotated[Positive, Meta(description="The time doubles each time that call fails, up to this.")] = 120
