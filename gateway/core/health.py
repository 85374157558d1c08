"""The state of the parts, as /readyz, /metrics and the dashboard show it."""

from __future__ import annotations

import msgspec


class JournalHealth(msgspec.Struct, kw_only=True):
    """Of one worker's journal, seen by its writer."""

    state: str = "ok"
    """`ok`; `dropping_bodies`: over `log.journal_max_mb`, the bill is kept; `refusing`: the disk is full or the folder
    cannot be written, calls are answered 503 before they are dispatched."""
    detail: str | None = None
    backlog_bytes: int = 0
    """On disk and not yet in the store."""
    opened: int = 0
    closed: int = 0
    bodies_dropped: int = 0


class RecorderHealth(msgspec.Struct, kw_only=True):
    """Written by the recorder to `recorder.json` in the data folder, about once a second."""

    state: str = "starting"
    """`starting`, `running`, `store_down` (retrying; the journal grows), `draining` (no gateway) or `stopped`."""
    pid: int | None = None
    updated_at: int = 0
    """µs UTC of this report."""
    lag_us: int = 0
    """Age of the oldest closed call that is not in the store yet; 0 when all are."""
    backlog_bytes: int = 0
    rows_per_s: float = 0.0
    written: int = 0
    duplicates: int = 0
    interrupted: int = 0
    dead_letters: int = 0
    last_error: str | None = None
    restarts: int = 0
    """How often the gateway had to start it again."""


PROVIDER_FAULTS = frozenset(("timeout", "network", "upstream_error", "parse_error", "authentication"))
"""Error types that speak about the provider (or the gateway's key for it), not about what was asked."""


class ProviderHealth(msgspec.Struct, kw_only=True):
    """How a provider has been answering, in one worker since its start."""

    calls: int = 0
    failures: int = 0
    failures_in_a_row: int = 0
    last_at: int | None = None
    """µs UTC of the last answer or failure."""
    last_latency_us: int | None = None
    """Of the last call that was answered."""
    last_error: str | None = None
    """The error type of the last failure."""

    @property
    def state(self) -> str:
        """`unused`, `ok`, or `failing`: the last three calls or more failed by its fault."""
        if not self.calls:
            return "unused"
        return "failing" if self.failures_in_a_row >= 3 else "ok"

    def note(self, error_type: str | None, latency_us: int | None, at: int) -> None:
        self.calls += 1
        self.last_at = at
        if latency_us is not None:
            self.last_latency_us = latency_us
        if error_type in PROVIDER_FAULTS:
            self.failures += 1
            self.failures_in_a_row += 1
            self.last_error = error_type
        elif error_type != "cancelled":
            self.failures_in_a_row = 0
