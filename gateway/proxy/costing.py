"""What a finished call was: its failure's category, its cost, its size where nobody reported one."""

from __future__ import annotations

from gateway.dialects import Answer
from gateway.proxy.table import Table, Target
from pricing import charge

_ERROR_TYPES = {
    400: "invalid_request",
    401: "authentication",
    402: "authentication",
    403: "authentication",
    404: "invalid_request",
    408: "timeout",
    413: "invalid_request",
    422: "invalid_request",
    429: "rate_limit",
    504: "timeout",
}

_CONTEXT_LENGTH = ("context_length", "context length", "maximum context", "too many tokens", "prompt is too long")
_CONTENT_FILTER = ("content_filter", "content filter", "content management policy", "safety system")


def error_type_of(status: int, message: str | None) -> str | None:
    """The category of a provider's answer, from its status and message; None for one that succeeded."""
    if status < 400:
        return None
    if status == 400 and message:
        lower = message.lower()
        if any(mark in lower for mark in _CONTEXT_LENGTH):
            return "context_length"
        if any(mark in lower for mark in _CONTENT_FILTER):
            return "content_filter"
    return _ERROR_TYPES.get(status, "upstream_error" if status >= 500 else "invalid_request")


class Cost:
    """What a call cost, in nano-dollars; all None where there is no price or nothing to price."""

    __slots__ = ("charge", "input", "output", "price_id", "source", "total")

    def __init__(self) -> None:
        self.total: int | None = None
        self.input: int | None = None
        self.output: int | None = None
        self.charge: int | None = None
        self.source = "none"
        self.price_id: str | None = None


def cost_of(answer: Answer, target: Target, table: Table, tenant: str | None, at_us: int) -> Cost:
    """The model that answered is what is priced; the one asked for only where the answer names none."""
    booked = Cost()
    model = answer.model or target.model
    if answer.usage is None or model is None:
        return booked
    price = table.catalog.find(target.upstream.price_provider, model, at_us)
    cost = price.cost(answer.usage, answer.service_tier) if price is not None else None
    if price is None or cost is None:
        return booked
    markup = table.markup_percent(tenant)
    booked.total = cost.total_nanousd
    booked.input = cost.input_nanousd
    booked.output = cost.output_nanousd
    booked.charge = charge(cost.total_nanousd, markup) if markup else cost.total_nanousd
    booked.source = price.source
    booked.price_id = price.price_id
    return booked


def estimated_tokens(text_bytes: int) -> int:
    """A rough count for a call nobody will report: four bytes a token, at least one."""
    return max(1, (text_bytes + 3) // 4)


def dollars(nanousd: int) -> bytes:
    """Nano-dollars as a plain decimal number of dollars, exact: 2850 is 0.00000285."""
    whole, rest = divmod(nanousd, 1_000_000_000)
    fraction = f"{rest:09d}".rstrip("0")
    return f"{whole}.{fraction or '0'}".encode()
