"""Which models are releases of one family: names that differ only in a date, a revision or a stage at their end."""

from __future__ import annotations

import re

_RELEASE = re.compile(
    r"""
    (?: [-@] (?: \d{4}-\d{2}-\d{2} | \d{8} | \d{4} | \d{3} )    # 2024-08-06, 20250929, 2607, 001
      | - (?: preview | exp | experimental ) (?: -\d{2}-\d{2,4} )?
      | - latest
      | -v\d+ (?: :\d+ )?                                        # Bedrock's v1:0
      | :\d+
    )+ $
    """,
    re.VERBOSE,
)


def family_of(model: str) -> str:
    """`gpt-4o-2024-08-06` → `gpt-4o`. A name without a release is its own family."""
    return _RELEASE.sub("", model) or model


def release_of(model: str) -> str:
    """What `family_of` leaves out, without its dash; empty where the name says none."""
    return model[len(family_of(model)) :].lstrip("-@:")
