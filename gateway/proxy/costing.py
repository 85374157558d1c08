"""What a finished call was: its failure's category, its cost, its size where nobody reported one."""

from __future__ import annotations

from gateway.dialects import Answer
from gateway.proxy.table import Table
from gateway.proxy.target import Target
from pricing import billed, charge

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

    __slots__ = ("attempt", "charge", "input", "output", "price_id", "source", "total")

    def __init__(self) -> None:
        self.total: int | None = None
        self.input: int | None = None
        self.output: int | None = None
        self.charge: int | None = None
        self.source = "none"
        self.price_id: str | None = None
        self.attempt: int | None = None
        """Of the last attempt alone; `total` has what failed ones before it cost as well."""

    def add(self, nanousd: int, markup_percent: float) -> None:
        """What earlier attempts of the same call cost; charged as the call is."""
        self.total = (self.total or 0) + nanousd
        self.charge = charge(self.total, markup_percent) if markup_percent else self.total


def cost_of(answer: Answer, target: Target, table: Table, tenant: str | None, at_us: int) -> Cost:
    """The model that answered is what is priced; the one asked for only where the answer names none.

    A price of the user's own comes first, then what the provider says it charges, then the catalogue.
    """
    booked = Cost()
    model = answer.priced_as or answer.model or target.model
    if answer.usage is None and (answer.model is None or answer.error is not None or answer.usage_raw is not None):
        return booked  # nothing was answered, or reported, or it was booked before
    found = None
    if model is not None:
        provider = target.upstream.price_provider
        found = billed(table.catalog, provider, model, answer.usage, answer.service_tier, answer.also, at_us)
    if answer.cost_nanousd is not None and (found is None or found[0].source != "override"):
        booked.total, booked.source = answer.cost_nanousd, "provider"
        if found is not None and found[1].total_nanousd == booked.total:
            booked.input, booked.output = found[1].input_nanousd, found[1].output_nanousd
    elif found is not None:
        price, cost = found
        booked.total, booked.input, booked.output = cost.total_nanousd, cost.input_nanousd, cost.output_nanousd
        booked.source, booked.price_id = price.source, price.price_id
    else:
        return booked
    markup = table.markup_percent(tenant)
    booked.attempt = booked.total
    booked.charge = charge(booked.total, markup) if markup else booked.total
    return booked


def estimated_tokens(text_bytes: int) -> int:
    """A rough count for a call nobody will report: four bytes a token, at least one."""
    return max(1, (text_bytes + 3) // 4)


def dollars(nanousd: int) -> bytes:
    """Nano-dollars as a plain decimal number of dollars, exact: 2850 is 0.00000285."""
    whole, rest = divmod(nanousd, 1_000_000_000)
    fraction = f"{rest:09d}".rstrip("0")
    return f"{whole}.{fraction or '0'}".encode()
