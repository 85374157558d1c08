"""What is kept of whose calls, how long, and whether it is sealed."""

# ruff: noqa: RUF012 (msgspec copies an empty default for each instance, which ruff does not see through `Section`)

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.settings.section import Count, Section, Share

CaptureLevel = Literal["full", "preview", "hash", "none"]
RuleScope = Literal["tenant", "environment", "key"]


class PrivacyPolicy(Section, frozen=True):
    """Of several that fit a call, and `log.*`, the tightest holds."""

    scope: Annotated[RuleScope, Meta(description="What `match` names: a tenant, an environment, or a key by name.")]
    match: Annotated[str, Meta(description="The tenant's slug, the environment's or the key's name.", min_length=1)]
    payloads: Annotated[
        CaptureLevel | None, Meta(description="As `log.payloads`, for these calls; it can only keep less.")
    ] = None
    retention_days: Annotated[
        Count | None, Meta(description="As `log.retention_days`, for a tenant; it can only be shorter.")
    ] = None
    payload_retention_days: Annotated[
        Count | None, Meta(description="As `log.payload_retention_days`, for a tenant; it can only be shorter.")
    ] = None


class SealingKey(Section, frozen=True):
    id: Annotated[str, Meta(description="Its name, kept beside what it sealed.", pattern="^[A-Za-z0-9._-]{1,32}$")]
    key: Annotated[
        str | None, Meta(description="32 bytes in base64; use ${VAR}. `callgate privacy key` makes one.")
    ] = None
    file: Annotated[str | None, Meta(description="In place of `key`: a file that holds it.")] = None


class Encryption(Section, frozen=True):
    sealing_keys: Annotated[
        list[SealingKey], Meta(description="The first seals, all of them open. None: bodies are stored as they are.")
    ] = []
    previews: Annotated[
        bool,
        Meta(description="Keep previews in the clear, for lists and search; with false there are none."),
    ] = False

    @property
    def files(self) -> list[Path]:
        """That hold keys."""
        return [Path(each.file) for each in self.sealing_keys if each.file is not None]


class Presidio(Section, frozen=True):
    models: Annotated[
        dict[str, str],
        Meta(
            description="The spaCy model for each language that is looked for: an installed package, or a folder.",
            min_length=1,
        ),
    ] = msgspec.field(default_factory=lambda: {"en": "en_core_web_lg"})
    entities: Annotated[
        list[str], Meta(description="What it looks for, as PERSON; an empty list for all it knows.")
    ] = msgspec.field(default_factory=lambda: ["PERSON", "LOCATION"])
    score: Annotated[Share, Meta(description="What it is less sure of stays.")] = 0.6


class Privacy(Section, frozen=True):
    policies: Annotated[list[PrivacyPolicy], Meta(description="What is kept of whose calls; read-only elsewhere.")] = []
    encryption: Annotated[Encryption, Meta(description="Whether bodies are sealed in the store.")] = Encryption()
    presidio: Annotated[
        Presidio | None,
        Meta(description="Microsoft's Presidio, which finds names; `presidio-analyzer` must be installed. Slow."),
    ] = None
