"""The smaller parts of a record and of the overview: bodies, bill, timing, curl, failures, notices, axes, paths."""

from __future__ import annotations

import shlex
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.core.health import JournalHealth, RecorderHealth
from gateway.core.span import Attempt, Payload, Span
from gateway.dashboard import charts, notices
from gateway.dashboard.bill import bill_of
from gateway.dashboard.bodies import MAX_NODES, body_of
from gateway.dashboard.curl import curl
from gateway.dashboard.failures import status, title
from gateway.dashboard.format import DAY, HOUR, MINUTE
from gateway.dashboard.period import parse
from gateway.dashboard.prose import json_tokens, lay_out, markdown, visible
from gateway.dashboard.series import COLORS, OTHER, Palette
from gateway.dashboard.timing import phases_of, speed_of
from gateway.dashboard.urls import is_local
from gateway.store.base import Distribution, Failure, Group, Totals
from pricing.price import Line
from pricing.usage import Billed, Usage

NOW = 1_795_206_664_977_000
UTC = ZoneInfo("UTC")


def span(**fields: Any) -> Span:
    return Span(request_id="r", kind="llm", started_at=NOW, endpoint="POST /v1/chat/completions", **fields)


# ------------------------------------------------------------------------------------------------ bodies, prose


def test_json_becomes_a_tree() -> None:
    body = body_of(b'{"a": [1, null, "x"], "b": {}}', "application/json", 30)
    assert body.kind == "json"
    assert body.tree
    assert [(node.key, node.kind, node.note) for node in body.tree.children] == [
        ("a", "array", "3 items"),
        ("b", "object", "0 keys"),
    ]
    assert [node.text for node in body.tree.children[0].children] == ["1", "null", '"x"']


def test_a_stream_becomes_its_events() -> None:
    body = body_of(b'event: x\ndata: {"a": 1}\n\ndata: [DONE]\n\n', "text/event-stream", 40)
    assert [(event.number, event.name, event.preview) for event in body.events] == [
        (1, "x", '{"a": 1}'),
        (2, "", "[DONE]"),
    ]


@pytest.mark.parametrize(
    ("data", "kind", "size", "expected"),
    [
        (None, None, 0, ("none", False, False)),
        (b"plain", "text/plain", 5, ("text", False, False)),
        (b"\xff\xfe\x00", "image/png", 3, ("binary", False, False)),
        (b'{"a": "cut of', "application/json", 900, ("text", False, True)),
        (b"[" + b"1," * (MAX_NODES + 9) + b"1]", "application/json", 1, ("json", True, False)),
        (b"[" * 5000, "application/json", 5000, ("text", False, False)),
    ],
)
def test_bodies_of_every_kind(
    data: bytes | None, kind: str | None, size: int, expected: tuple[str, bool, bool]
) -> None:
    body = body_of(data, kind, size)
    assert (body.kind, body.is_cut, body.is_partly_kept) == expected


def test_json_is_laid_out_as_a_person_would() -> None:
    assert lay_out({"a": 1, "b": [2, 3]}) == '{"a": 1, "b": [2, 3]}'
    wide = lay_out({"list": [{"name": "x" * 30, "share": 0.25}, {"name": "y" * 30, "share": 0.5}]})
    assert wide.splitlines()[:3] == ["{", '  "list": [', f'    {{"name": "{"x" * 30}", "share": 0.25}},']
    assert "".join(text for _, text in json_tokens(wide)) == wide


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>"),
        ("# Title", "<h4>Title</h4>"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("[x](data:text/html,x)", "<p>[x](data:text/html,x)</p>"),
        (
            "[x](https://a.example)",
            '<p><a href="https://a.example" rel="noopener noreferrer nofollow" target="_blank">x</a></p>',
        ),
        (
            "![x](https://a.example/b.png)",
            '<p><span class="remote">image “x” <code>https://a.example/b.png</code></span></p>',
        ),
        ("\x1b[31mred", "<p>␛[31mred</p>"),
    ],
)
def test_markdown_of_strangers(text: str, html: str) -> None:
    assert markdown(text).strip() == html


def test_what_cannot_be_seen_is_made_visible() -> None:
    assert visible("a\x00b\u202ec\nd\te") == "a␀b\N{REPLACEMENT CHARACTER}c\nd\te"


# ------------------------------------------------------------------------------------------------ bill, timing, curl


def catalog(*lines: Line, price_id: str = "m@2026-07-01") -> Any:
    price = SimpleNamespace(price_id=price_id, valid_from="2026-07-01", explain=lambda usage, tier: list(lines))
    return SimpleNamespace(find=lambda provider, model, at: price)


INPUT = Line("input", "input", Decimal(1684), Decimal(3), 1_000_000, "token", 5_052_000)
OUTPUT = Line("output", "output", Decimal(524), Decimal(15), 1_000_000, "token", 7_860_000)


def test_a_bill_is_tokens_times_price() -> None:
    call = span(
        provider="p",
        model="m",
        usage=Usage(input_tokens=1684, output_tokens=524),
        usage_source="reported",
        cost_nanousd=12_912_000,
        cost_source="catalog",
        price_id="m@2026-07-01",
    )
    bill = bill_of(call, catalog(OUTPUT, INPUT))
    assert [(line.label, str(line.quantity), line.price, str(line.amount)) for line in bill.lines] == [
        ("Input", "1,684", "3.00", "$0.00505"),
        ("Output", "524", "15.00", "$0.00786"),
    ]
    assert bill.total == "$0.012912"
    assert bill.note == "from the catalogue, valid since 2026-07-01. Tokens as reported by the provider."


def test_a_bill_has_other_models_and_failed_attempts_as_lines_of_their_own() -> None:
    failed = Attempt("p", "m", 200, "upstream_error", 1, 10, 1_000)
    call = span(
        provider="p",
        model="m",
        usage=Usage(input_tokens=1684, output_tokens=524),
        also=[Billed("advisor", Usage(input_tokens=1684, output_tokens=524))],
        attempts=[failed, Attempt("p", "m", 200, None, 2, 10, 12_912_000)],
        cost_nanousd=2 * 12_912_000 + 1_000,
        cost_source="catalog",
        price_id="m@2026-07-01",
    )
    bill = bill_of(call, catalog(OUTPUT, INPUT))
    assert [(line.label, line.note, str(line.amount)) for line in bill.lines] == [
        ("Input", "", "$0.00505"),
        ("Output", "", "$0.00786"),
        ("Input", "advisor", "$0.00505"),
        ("Output", "advisor", "$0.00786"),
        ("Attempts before it", "as they were booked", "$0.00000100"),
    ]
    assert bill.differs == ""


def test_a_bill_that_was_booked_at_another_price_says_so() -> None:
    call = span(
        provider="p", model="m", usage=Usage(input_tokens=1), cost_nanousd=1, cost_source="catalog", price_id="m@2025"
    )
    bill = bill_of(call, catalog(INPUT))
    assert bill.lines == []
    assert "m@2025" in bill.differs


@pytest.mark.parametrize(
    ("fields", "shown", "words"),
    [
        ({"usage": Usage(input_tokens=5), "cost_source": "none"}, "unpriced", "has no price in the catalogue"),
        ({"cost_source": "none"}, "$0.00", "Nothing was used"),
        (
            {"cost_nanousd": 5, "cost_source": "provider", "usage": Usage(input_tokens=1)},
            "$0.000000005",
            "The provider itself",
        ),
        ({"cost_nanousd": 0, "cache": "hit"}, "$0.00", "own cache"),
    ],
)
def test_costs_without_a_price_say_why(fields: dict[str, Any], shown: str, words: str) -> None:
    bill = bill_of(span(provider="p", model="m", **fields), catalog())
    assert str(bill.shown) == shown
    assert words in bill.note


def test_time_is_told_in_phases() -> None:
    attempts = [
        Attempt("a", "m", 529, "upstream_error", NOW, 900_000),
        Attempt("b", "m", 200, None, NOW + 1_200_000, 800_000),
    ]
    call = span(latency_us=2_000_000, overhead_us=40, ttft_us=1_500_000, attempts=attempts)
    assert [(phase.label, phase.left, phase.width, phase.tone) for phase in phases_of(call)] == [
        ("Gateway", "0%", "0%", ""),
        ("Attempt 1", "0%", "45%", "error"),
        ("waited to retry", "45%", "15%", ""),
        ("Attempt 2", "60%", "40%", "success"),
        ("first token", "60%", "15%", ""),
        ("answer", "75%", "25%", ""),
    ]
    assert phases_of(span()) == []


def test_speed_needs_a_captured_stream() -> None:
    assert speed_of(None) is None
    assert speed_of([(0, 5), (0, 5), (0, 5)]) is None
    assert speed_of([(0, 10), (10, 20), (90, 30)], slices=2) == ([30, 30], 80)


def test_curl_is_a_command_that_a_shell_reads_back() -> None:
    body = """{"model": "m", "content": "it's $HOME `x`"}"""
    text = curl(span(), Payload(request_body=body.encode()), "http://localhost:4000")
    words = shlex.split(text.replace("\\\n", " "))
    assert words[:4] == ["curl", "-X", "POST", "http://localhost:4000/v1/chat/completions"]
    assert words[words.index("--data-binary") + 1] == body
    assert "Authorization: Bearer $CALLGATE_KEY" in words
    long = curl(span(), Payload(request_body=b"x" * 200_000), "http://localhost:4000")
    assert "--data-binary @request.json" in long


# ------------------------------------------------------------------------------------------------ failures, notices


@pytest.mark.parametrize(
    ("code", "error_type", "text", "tone"),
    [
        (200, None, "200", "success"),
        (None, None, "ok", "success"),
        (402, "budget", "402 budget", "warning"),
        (429, "rate_limit", "429", "warning"),
        (499, "cancelled", "499 left", "warning"),
        (504, "timeout", "504 timeout", "error"),
        (529, "upstream_error", "529", "error"),
        (200, "upstream_error", "200", "error"),
        (None, "network", "network", "error"),
        (400, "context_length", "400 too long", "warning"),
        (418, None, "418", "warning"),
        (500, "something_new", "500", "error"),
    ],
)
def test_how_a_call_ended(code: int | None, error_type: str | None, text: str, tone: str) -> None:
    found = status(code, error_type)
    assert (found.text, found.tone) == (text, tone)


def test_causes_have_names() -> None:
    assert title("upstream_error", 529) == "Overloaded (529)"
    assert title("timeout", None) == "Timeout"


OK = RecorderHealth(state="running", updated_at=NOW)


@pytest.mark.parametrize(
    ("journal", "recorder", "titles"),
    [
        (JournalHealth(), OK, []),
        (JournalHealth(state="refusing"), OK, ["The journal cannot be written"]),
        (JournalHealth(state="dropping_bodies"), OK, ["The journal is full"]),
        (JournalHealth(), RecorderHealth(state="store_down", updated_at=NOW), ["The store does not answer"]),
        (JournalHealth(), RecorderHealth(state="running", updated_at=NOW - MINUTE), ["The recorder is not running"]),
        (
            JournalHealth(),
            RecorderHealth(state="running", updated_at=NOW, lag_us=2 * MINUTE),
            ["The log is 2m 00s behind"],
        ),
        (
            JournalHealth(),
            RecorderHealth(state="running", updated_at=NOW, dead_letters=1),
            ["1 row could not be stored"],
        ),
    ],
)
def test_trouble_of_the_gateway_is_a_sentence(
    journal: JournalHealth, recorder: RecorderHealth, titles: list[str]
) -> None:
    assert [notice.title for notice in notices.of_parts(journal, recorder, now_us=NOW)] == titles


def failure(count: int, series: list[int], **fields: Any) -> Failure:
    values = {"error_type": "upstream_error", "status_code": 529, "provider": "anthropic", "model": "sonnet"} | fields
    return Failure(**values, count=count, last_at=NOW, message="Overloaded", series=series)


def test_one_providers_trouble_is_one_sentence() -> None:
    period = parse({}, now_us=NOW, zone=UTC)
    burst = [0] * 10 + [60] * 2 + [0] * 13
    found = notices.of_traffic(
        Totals(requests=100_000), [failure(120, burst), failure(120, burst, model="haiku")], [], period
    )
    assert [notice.title for notice in found] == ["Anthropic upstream error"]
    assert "240 calls of sonnet and haiku ended with 529 on Fri 20 Nov, 06:00 – 08:00, 0.24% of all" in found[0].text
    assert found[0].link == (("status", "upstream_error"), ("provider", "anthropic"))


def test_everyday_failures_are_no_news() -> None:
    period = parse({}, now_us=NOW, zone=UTC)
    assert notices.of_traffic(Totals(requests=100_000), [failure(98, [2] * 49)], [], period) == []
    assert notices.of_traffic(Totals(requests=10), [failure(4, [4])], [], period) == []


def test_calls_without_a_price_and_calls_cut_off() -> None:
    period = parse({}, now_us=NOW, zone=UTC)
    models = [Group("new-model", Totals(unpriced=412), Distribution(0))]
    found = notices.of_traffic(Totals(requests=900, unpriced=412, interrupted=3), [], models, period)
    assert [notice.title for notice in found] == ["412 calls without a price", "3 calls cut off"]
    assert "new-model is not in the catalogue" in found[0].text


# ------------------------------------------------------------------------------------------------ charts, colours, urls


@pytest.mark.parametrize(
    ("highest", "top", "labels"),
    [
        (0, 1, ["0", "1"]),
        (1, 1, ["0", "1"]),
        (3, 3, ["0", "1", "2", "3"]),
        (37, 40, ["0", "10", "20", "30", "40"]),
        (5869, 6000, ["0", "2k", "4k", "6k"]),
        (14_800_000, 15_000_000, ["0", "5M", "10M", "15M"]),
    ],
)
def test_axes_have_round_steps(highest: float, top: float, labels: list[str]) -> None:
    found, ticks = charts.y_axis(highest, charts.count_label)
    assert (found, [tick.label for tick in ticks]) == (top, labels)
    assert (ticks[0].at, ticks[-1].at) == ("100%", "0%")


def test_labels_of_axes() -> None:
    assert [charts.money_label(v) for v in (0, 5e8, 2.5e8, 20e9, 1500e9, 3e6)] == [
        "$0",
        "$0.50",
        "$0.25",
        "$20",
        "$1.5k",
        "$0.003",
    ]
    assert [charts.duration_label(v) for v in (0, 40, 2500, 2.5e6, 75e6, 120e6)] == [
        "0",
        "40 µs",
        "2.5 ms",
        "2.5 s",
        "75 s",
        "2 min",
    ]


@pytest.mark.parametrize(
    ("length", "zone", "labels"),
    [
        (HOUR, "UTC", ["19:40", "19:50", "20:00", "20:10", "20:20"]),
        (DAY, "UTC", ["00:00", "04:00", "08:00", "12:00", "16:00"]),
        (DAY, "Asia/Kolkata", ["04:00", "08:00", "12:00", "16:00", "20:00", "00:00"]),
        (7 * DAY, "UTC", ["15 Nov", "17 Nov", "19 Nov"]),
    ],
)
def test_time_labels_are_round_in_the_shown_zone(length: int, zone: str, labels: list[str]) -> None:
    ticks = charts.x_axis(NOW - length, NOW, ZoneInfo(zone))
    assert [tick.label for tick in ticks] == labels


def test_sparks_leave_gaps_and_need_two_points() -> None:
    assert charts.spark([None, 5]) is None
    drawn = charts.spark([1, None, 3, 2])
    assert drawn
    assert drawn.line.count("M") == 2
    assert drawn.area == ""
    assert charts.spark_bars([0, 0]) == ""
    assert charts.spark_bars([0, 4]).count("M") == 1


def test_names_keep_their_colour() -> None:
    palette = Palette()
    palette.see(["a", "b"])
    palette.see(["b", "c", "a", *"defgh"])
    assert [palette.color(name) for name in "abc"] == list(COLORS[:3])
    assert palette.color("h") == OTHER
    assert palette.color(None) == OTHER


@pytest.mark.parametrize(
    ("target", "is_ours"),
    [
        ("/", True),
        ("/requests?a=b", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("https://x", False),
        ("", False),
        ("/a\n", False),
    ],
)
def test_where_one_may_be_sent_after_signing_in(target: str, is_ours: bool) -> None:
    assert is_local(target) is is_ours
