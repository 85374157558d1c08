"""The sentences at the top of the overview: what happened, what it cost, what to do. No news is no notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from gateway.core.health import JournalHealth, RecorderHealth
from gateway.dashboard import failures
from gateway.dashboard.format import SECOND, duration, listed, money_sum, plural, rate, size, span_of_time
from gateway.dashboard.period import Period
from gateway.store.base import Failure, Group, Totals

LAG_WORTH_SAYING_US = 30 * SECOND
REPORT_IS_OLD_US = 15 * SECOND
LEAST_FAILURES = 5


@dataclass(frozen=True)
class Notice:
    tone: str
    title: str
    text: str
    link: tuple[tuple[str, str], ...] = ()
    """Filters of the list that proves it; empty where there is none."""
    link_text: str = ""


def of_parts(journal: JournalHealth, recorder: RecorderHealth, *, now_us: int) -> list[Notice]:
    """Trouble of the gateway itself."""
    notices = []
    if journal.state == "refusing":
        text = f"Calls are answered 503 until there is room. {journal.detail or ''}".strip()
        notices.append(Notice("error", "The journal cannot be written", text))
    if journal.state == "dropping_bodies":
        text = "Bodies are dropped, the bill is kept. Free space, or raise log.journal_max_mb."
        notices.append(Notice("error", "The journal is full", text))
    waiting = f"{size(recorder.backlog_bytes)} wait in the journal" if recorder.backlog_bytes else "Nothing is lost"
    if recorder.state == "store_down":
        text = f"Calls go on and are kept: {waiting}. It is tried again and again. {recorder.last_error or ''}".strip()
        notices.append(Notice("error", "The store does not answer", text))
    elif recorder.state == "stopped" or now_us - recorder.updated_at > REPORT_IS_OLD_US:
        text = f"Calls go on and are kept: {waiting}. The gateway starts it again; callgate doctor says why it ended."
        notices.append(Notice("error", "The recorder is not running", text))
    elif recorder.lag_us > LAG_WORTH_SAYING_US:
        text = f"{waiting}; {recorder.rows_per_s:,.0f} rows a second are being written. The figures below are that old."
        notices.append(Notice("warning", f"The log is {duration(recorder.lag_us)} behind", text))
    if recorder.dead_letters:
        text = "They are kept aside with the error. callgate requests deadletter list shows them, retry stores them."
        notices.append(Notice("warning", f"{plural(recorder.dead_letters, 'row')} could not be stored", text))
    return notices


def of_traffic(totals: Totals, failing: Sequence[Failure], models: Sequence[Group], period: Period) -> list[Notice]:
    """What the calls of the period say: spikes of errors, calls without a price, calls cut off."""
    notices = [_spike(failure, totals, period) for failure in _by_cause(failing) if _is_spike(failure, totals)][:2]
    if totals.unpriced:
        notices.append(_unpriced(totals, models))
    if totals.interrupted:
        text = "The gateway or its machine stopped while they ran. They are booked once, with estimated tokens."
        title = f"{plural(totals.interrupted, 'call')} cut off"
        notices.append(Notice("warning", title, text, (("status", "interrupted"),), "Show"))
    return notices


def _by_cause(failing: Sequence[Failure]) -> list[Failure]:
    """One provider's trouble is one sentence, whichever of its models were asked."""
    causes: dict[tuple[str, int | None, str | None], list[Failure]] = {}
    for failure in failing:
        causes.setdefault((failure.error_type, failure.status_code, failure.provider), []).append(failure)
    merged = [
        Failure(
            error_type=error_type,
            status_code=status_code,
            provider=provider,
            model=listed(names[:3]) if (names := [each.model for each in alike if each.model]) else None,
            count=sum(each.count for each in alike),
            last_at=max(each.last_at for each in alike),
            message=alike[0].message,
            series=[sum(column) for column in zip(*(each.series for each in alike), strict=True)],
        )
        for (error_type, status_code, provider), alike in causes.items()
    ]
    return sorted(merged, key=lambda failure: -failure.count)


def _is_spike(failure: Failure, totals: Totals) -> bool:
    """Loud enough for a sentence: not a handful, and a share of all calls that someone notices, or all at once."""
    if failure.count < LEAST_FAILURES or failure.error_type == "cancelled":
        return False
    return failure.count >= totals.requests * 0.01 or _burst(failure) is not None


def _burst(failure: Failure) -> tuple[int, int] | None:
    """(first, last + 1) bucket of the part of the period in which nearly all happened; None if they did all along."""
    series = failure.series
    if len(series) < 8 or failure.count < 20:
        return None
    usual = median(series)
    loud = [index for index, number in enumerate(series) if number > max(3.0, 4 * usual)]
    if not loud or loud[-1] - loud[0] > len(series) / 3:
        return None
    return (loud[0], loud[-1] + 1) if sum(series[loud[0] : loud[-1] + 1]) > failure.count * 0.6 else None


def _spike(failure: Failure, totals: Totals, period: Period) -> Notice:
    kind = failures.kind(failure.error_type)
    where = " ".join(filter(None, [failure.provider or failure.model, kind.name.lower()]))
    burst = _burst(failure)
    when = ""
    if burst:
        start, end = (period.from_us + edge * period.width_us for edge in burst)
        when = " on " + span_of_time(start, min(end, period.to_us), period.zone)
    model = f" of {failure.model}" if failure.model else ""
    code = f" with {failure.status_code}" if failure.status_code else ""
    share = f"{rate(failure.count, totals.requests)} of all"
    text = f"{plural(failure.count, 'call')}{model} ended{code}{when}, {share}. {kind.advice}"
    link = [("status", failure.error_type)]
    link += [("provider", failure.provider)] if failure.provider else []
    return Notice(kind.tone, where[:1].upper() + where[1:], text, tuple(link), "Show")


def _unpriced(totals: Totals, models: Sequence[Group]) -> Notice:
    names = [group.key for group in models if group.key and group.totals.unpriced]
    who = f"{listed(names[:3])}{' and others' if len(names) > 3 else ''}" if names else "Their models"
    verb = "is" if len(names) == 1 else "are"
    text = (
        f"{who} {verb} not in the catalogue. They count as unpriced, not as $0; the spend of "
        f"{money_sum(totals.cost_nanousd)} is without them. Set a price under prices.overrides."
    )
    return Notice("info", f"{plural(totals.unpriced, 'call')} without a price", text, (("unpriced", "true"),), "Show")
