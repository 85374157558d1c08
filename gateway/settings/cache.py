"""The response cache: whether answers are kept, how many, how long."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.settings.section import Count, Positive, Section


class Cache(Section, frozen=True):
    mode: Annotated[
        Literal["none", "memory", "store"],
        Meta(
            description="Where answers are kept to be given again: nowhere; in each worker's memory; in the store as "
            "well, for all workers and across restarts."
        ),
    ] = "none"
    ttl_s: Annotated[
        Positive, Meta(description="How long an answer is given again; a route's `cache_ttl_s` has its own.")
    ] = 3600
    max_mb: Annotated[
        Positive, Meta(description="Size of the cache, in each worker's memory and in the store; the oldest go first.")
    ] = 128
    max_entry_kb: Annotated[Count, Meta(description="Largest answer that is kept.")] = 4096
    single_flight: Annotated[
        bool, Meta(description="Calls identical to one that is under way wait for its answer and share it.")
    ] = True
    wait_s: Annotated[Positive, Meta(description="Longest such wait; then the call goes upstream itself.")] = 60
    models: Annotated[
        list[str], Meta(description="Patterns of models whose answers are kept, by either name of them.")
    ] = msgspec.field(default_factory=lambda: ["*"])
