"""What this worker has seen paid: a response fetched twice, or a batch's results, cost a budget once.

The store has the last word (`billed`); this knows a few thousand bills, of one worker, since it began.
"""

from __future__ import annotations

from gateway.dialects import Answer

_MOST = 10_000


class Bills:
    def __init__(self) -> None:
        self._seen: dict[str, None] = {}

    def settle_once(self, provider: str, answer: Answer) -> None:
        """Makes the bill's id the provider's own, or takes the usage out of an answer whose bill was seen before.
        What it reported stays in `usage_raw`."""
        if answer.bill_id is None or answer.usage is None:
            answer.bill_id = None
            return
        bill_id = f"{provider}:{answer.bill_id}"
        if bill_id in self._seen and not answer.bill_is_own:
            answer.usage = answer.cost_nanousd = answer.bill_id = None
            answer.also = []
            return
        self._remember(bill_id)
        answer.bill_id = bill_id
        for name, part in answer.shared.items():
            shared_id = f"{provider}:{name}"
            if shared_id in self._seen:
                answer.also.remove(part)
            self._remember(shared_id)

    def _remember(self, bill_id: str) -> None:
        if len(self._seen) >= _MOST:
            del self._seen[next(iter(self._seen))]
        self._seen[bill_id] = None
