"""What may be sent: limits, budgets, the guard against runaway callers, and how machines share what they count."""

# ruff: noqa: RUF012 (msgspec copies an empty default for each instance, which ruff does not see through `Section`)

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.settings.section import Count, NotNegative, Positive, Section

RateScope = Annotated[
    str,
    Meta(
        pattern="^(tenant|key|environment|model|tag:.+)$",
        description="What is counted apart: `tenant`, `key`, `environment`, `model`, or a tag as `tag:KEY`.",
    ),
]
BudgetScope = Annotated[
    str,
    Meta(
        pattern="^(tenant|key|environment|model|prompt|tag:.+)$",
        description="What is counted apart: `tenant`, `key`, `environment`, `model`, `prompt`, or a tag as `tag:KEY`.",
    ),
]


class Limit(Section, frozen=True):
    scope: RateScope
    match: Annotated[
        str, Meta(description="A value of the scope, or `*`: each value by itself, but for those named elsewhere.")
    ] = "*"
    requests_per_min: Annotated[Count | None, Meta(description="Calls within any 60 seconds.")] = None
    tokens_per_min: Annotated[
        Count | None,
        Meta(description="Tokens of input and output within any 60 seconds: reserved by the request, then settled."),
    ] = None
    concurrent: Annotated[Count | None, Meta(description="Calls under way at the same time.")] = None
    queue_ms: Annotated[
        Annotated[int, Meta(ge=0, le=60_000)],
        Meta(description="How long a call over the limit may wait for its turn; 0 refuses it at once."),
    ] = 0


class Budget(Section, frozen=True):
    name: Annotated[str, Meta(description="What errors and alerts call it.", min_length=1)]
    scope: BudgetScope
    usd: Annotated[Positive, Meta(description="Dollars in a period.")]
    match: Annotated[str, Meta(description="A value of the scope, or `*`: each value has this budget.")] = "*"
    period: Annotated[
        Literal["day", "week", "month", "total"],
        Meta(description="When it begins anew: at midnight UTC, on Monday, on the first; `total` never."),
    ] = "month"
    hard: Annotated[bool, Meta(description="Refuse what does not fit; false only alerts.")] = True
    alerts: Annotated[
        list[Annotated[float, Meta(gt=0)]], Meta(description="Percent of it at which an alert is sent, once a period.")
    ] = msgspec.field(default_factory=lambda: [50.0, 80.0, 100.0])


class Runaway(Section, frozen=True):
    factor: Annotated[
        Annotated[float, Meta(gt=1)],
        Meta(description="How many times a tenant's usual calls or spend of this hour of the week is too much."),
    ] = 5
    window_days: Annotated[
        Annotated[int, Meta(ge=7, le=365)], Meta(description="What is usual is the average of so many days.")
    ] = 30
    action: Annotated[
        Literal["throttle", "report"], Meta(description="Hold it to that bound and report it, or only report it.")
    ] = "throttle"
    least_per_min: Annotated[Count, Meta(description="So many calls a minute are never too much.")] = 60
    least_usd_per_min: Annotated[Positive, Meta(description="So many dollars a minute are never too much.")] = 1
    young_days: Annotated[
        NotNegative, Meta(description="A tenant known for a shorter time has no usual yet, and no such bound.")
    ] = 7
    same_prompt_per_min: Annotated[
        Count | None,
        Meta(description="The same request body of a tenant more often than this is a loop; null does not look."),
    ] = 60
    exempt: Annotated[list[str], Meta(description="Tenants that are left alone.")] = []


class Shared(Section, frozen=True):
    url: Annotated[
        str | None,
        Meta(description="`redis://…` or `rediss://…`: limits and budgets count for all machines that name the same."),
    ] = None
    on_failure: Annotated[
        Literal["local", "refuse"],
        Meta(description="Without Redis: go on with what this machine counts and tell Redis later, or refuse calls."),
    ] = "local"
    allotment_percent: Annotated[
        Annotated[float, Meta(gt=0, le=50)],
        Meta(description="How much of a limit a process takes at a time, and may use ahead of Redis's word."),
    ] = 2
    prefix: Annotated[str, Meta(description="Of the names of its keys in Redis.")] = "callgate"
