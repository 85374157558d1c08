"""What is taken out, what stays, and that the text around it is as it was."""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from collections import Counter
from itertools import chain, pairwise
from pathlib import Path
from random import Random
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.recorder.redaction import Redactor
from gateway.recorder.rules import RULES
from gateway.settings import Redaction
from tests.recorder import redaction_corpus as corpus

REDACTOR = Redactor(Redaction())
HEX = "0123456789abcdef" * 8
MIXED = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7" * 8


def redacted(text: str) -> str:
    return REDACTOR.text(text, Counter())


SECRETS = [
    ("openai_key", f"sk-{MIXED[:48]}"),
    ("openai_key", f"sk-proj-{MIXED[:60]}_{MIXED[:60]}-x"),
    ("openai_key", f"sk-{HEX[:32]}"),
    ("anthropic_key", f"sk-ant-api03-{MIXED[:80]}-AA"),
    ("openrouter_key", f"sk-or-v1-{HEX[:64]}"),
    ("google_key", f"AIza{MIXED[:35]}"),
    ("aws_key", "AKIAIOSFODNN7EXAMPLE"),
    ("aws_key", "ASIAIOSFODNN7EXAMPLE"),
    ("github_token", f"ghp_{MIXED[:36]}"),
    ("github_token", f"github_pat_{MIXED[:22]}_{MIXED[:59]}"),
    ("gitlab_token", f"glpat-{MIXED[:20]}"),
    ("slack_token", "xoxb-123456789012-1234567890123-abcdefABCDEF123456789012"),
    ("stripe_key", f"sk_live_{MIXED[:24]}"),
    ("stripe_key", f"rk_test_{MIXED[:24]}"),
    ("huggingface_token", f"hf_{MIXED[:34]}"),
    ("groq_key", f"gsk_{MIXED[:52]}"),
    ("xai_key", f"xai-{MIXED[:80]}"),
    ("replicate_token", f"r8_{MIXED[:37]}"),
    ("perplexity_key", f"pplx-{MIXED[:48]}"),
    ("sendgrid_key", f"SG.{MIXED[:22]}.{MIXED[:43]}"),
    ("twilio_key", f"SK{HEX[:32]}"),
    ("npm_token", f"npm_{MIXED[:36]}"),
    ("pypi_token", f"pypi-AgEIcHlwaS5vcmc{MIXED[:60]}"),
    ("nvidia_key", f"nvapi-{MIXED[:64]}"),
    ("fireworks_key", f"fw_{MIXED[:24]}"),
    ("cerebras_key", f"csk-{HEX[:48]}"),
    ("tavily_key", f"tvly-dev-{MIXED[:32]}"),
    ("databricks_token", f"dapi{HEX[:32]}"),
    ("digitalocean_token", f"dop_v1_{HEX[:64]}"),
    ("shopify_token", f"shpat_{HEX[:32]}"),
    ("telegram_token", f"123456789:AA{MIXED[:33]}"),
    ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"),
    ("callgate_key", f"cg-{MIXED[:32]}"),
    ("email", "jane.doe+tag@mail.example.co.uk"),
    ("email", "jürgen@example.com"),
    ("phone", "+49 151 23456789"),
    ("phone", "+1 (555) 123-4567"),
    ("phone", "+442079460958"),
    ("phone", "555-867-5309"),
    ("phone", "(415) 555-2671"),
    ("card", "4111 1111 1111 1111"),
    ("card", "5555-5555-5555-4444"),
    ("card", "378282246310005"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "GB82WEST12345698765432"),
    ("ssn", "078-05-1120"),
    ("ip", "203.0.113.77"),
    ("ip", "2001:db8:85a3::8a2e:370:7334"),
    ("ip", "fe80::1ff:fe23:4567:890a"),
]
ids = [f"{kind}-{number}" for number, (kind, _) in enumerate(SECRETS)]


@pytest.mark.parametrize(("kind", "secret"), SECRETS, ids=ids)
@pytest.mark.parametrize(
    "around", ["{}", "It is {}.", "({})", "x={}, y", "a\n{}\nb", "'{}'", "是{}。", "first {} second"], ids=repr
)
def test_a_secret_goes_and_what_is_around_it_stays(kind, secret, around):
    counts: Counter[str] = Counter()
    assert REDACTOR.text(around.format(secret), counts) == around.format(f"[redacted:{kind}]")
    assert counts == {kind: 1}


@pytest.mark.parametrize(("kind", "secret"), SECRETS, ids=ids)
@pytest.mark.parametrize(
    "dump",
    [
        lambda text: json.dumps({"content": text}),
        lambda text: json.dumps({"content": text}, ensure_ascii=False),
        lambda text: json.dumps({"arguments": json.dumps({"text": text})}),
        lambda text: json.dumps({"a": json.dumps({"b": json.dumps([text])})}),
        lambda text: json.dumps({"content": text}).replace("/", "\\/"),
        lambda text: (
            json.dumps({"content": text}).replace("@", "\\u0040").replace("+", "\\u002b").replace("-", "\\u002D")
        ),
    ],
    ids=["ascii", "utf-8", "nested", "nested twice", "PHP", "escaped"],
)
@pytest.mark.parametrize("before", ["\n", "\t", '"', "/ ", "ü ", "你", "\\ ", "\U0001f600", "\u2028", ""], ids=ascii)
def test_escapes_of_json_hide_nothing_and_stay_whole(kind, secret, dump, before):
    body = dump(f"see:{before}{secret}\nand so on")
    counts: Counter[str] = Counter()
    out = REDACTOR.body(body.encode(), counts)
    assert counts == {kind: 1}
    assert json.loads(out) == json.loads(dump(f"see:{before}[redacted:{kind}]\nand so on"))


IN_CONTEXT = [
    ("Authorization: Bearer abcdef0123456789abcdef", "Authorization: Bearer [redacted:bearer_token]"),
    ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "Authorization: Basic [redacted:basic_credentials]"),
    ("postgres://admin:hunter2@db.internal/app", "postgres://[redacted:url_password]@db.internal/app"),
    ("api_key=abc123def456", "api_key=[redacted:secret]"),
    ('{"api_key": "abc123def456"}', '{"api_key": "[redacted:secret]"}'),
    ('{"clientSecret": "abc123def456", "a": 1}', '{"clientSecret": "[redacted:secret]", "a": 1}'),
    ("ACCESS_TOKEN: abc123def456", "ACCESS_TOKEN: [redacted:secret]"),
    ("my password: hunter2", "my password: [redacted:password]"),
    ('{"password": "correct horse battery"}', '{"password": "[redacted:password]"}'),
    ("DB_PASSWORD='letmein'", "DB_PASSWORD='[redacted:password]'"),
    (
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "aws_secret_access_key = [redacted:aws_secret]",
    ),
    (
        "https://hooks.slack.com/services/T00000000/B00000000/abcdefABCDEF123456789012",
        "https://hooks.slack.com/services/[redacted:slack_webhook]",
    ),
    (
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIEpAIBAAKCA\n-----END EC PRIVATE KEY-----\nthen",
        "[redacted:private_key]\nthen",
    ),
    (
        f"-----BEGIN PRIVATE KEY-----\n{MIXED[:64]}\n{MIXED[:64]}\n{MIXED[:10]}",
        f"[redacted:private_key]\n{MIXED[:10]}",
    ),
    ("a@example.com,b@example.com;c@example.com", "[redacted:email],[redacted:email];[redacted:email]"),
]


@pytest.mark.parametrize(("text", "expected"), IN_CONTEXT)
def test_secrets_known_by_their_context(text, expected):
    assert redacted(text) == expected


ORDINARY = [
    "The meeting is on 2026-11-20 at 14:30:00+02:00, see you there.",
    "2026-11-20T21:46:25.123456Z INFO started in 1234567890 ns",
    "created: 1790000000, created_ms: 1790000000123, created_us: 1790000000123456, ns 1790000000123456789",
    "id 01a02c4e-61f1-7c3b-9d52-8e1f40b7c9a6 and 550e8400-e29b-41d4-a716-446655440000",
    "chatcmpl-9xKJd82kLmNq0PzXcV3bT7aW req_011CSHoEeqs5C35K2UUqR7Fy toolu_01A09q90qw90lq917835lq9 call_abc123DEF456",
    "order 4001234567890124, invoice 20261120-0042, part 12-3456-7890, ISBN 978-3-16-148410-0",
    "version 1.2.3.4, Chrome/120.0.6099.71, v10.0.19041.1, Python 3.11.7, numpy==1.26.4",
    "127.0.0.1:8000 and 0.0.0.0 and ::1 and std::vector<int> and a::b::c and 12:34:56",
    "sk-learn and task-based risk-averse disk-encryption-at-rest, sk-folding-cube-wrapper-large",
    "def login(password: str, token: str | None = None) -> None: password = password or get_password()",
    'api_key=os.environ["OPENAI_API_KEY"] api_key="YOUR_API_KEY" api_key: ${API_KEY}',
    '{"token": "international", "logprob": -0.41111111111111111, "bytes": [105, 110]}',
    '{"max_tokens": 4096, "prompt_tokens": 1234, "token": " Regensburg", "password": {"type": "string"}}',
    "lodash@4.17.21 @types/node@20.1.0 icon@2x.png git@github.com:callgate/callgate.git user@localhost",
    "The basic understanding of bearer bonds, the secret: nobody knows. A password is required.",
    "pi 3.14159265358979323846, -4.9e-324, 0x7fffffffffffffff, 18446744073709551615, 1,000,000,000.00",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 commit 2e36f15",
    "+1234 is not a phone number, +20240101 neither, 1 + 234567890123 is a sum",
    "Der Preis beträgt 1.234.567,89 € (ca. 25 %), Kundennummer 0815-4711-99.",
    "日本語のテキスト、メール。 12345 円",
    "sk-... is a placeholder; so is sk-xxxxxxxxxxxxxxxxxxxxxxxx and <your-api-key>",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text):
    counts: Counter[str] = Counter()
    assert REDACTOR.text(text, counts) == text
    assert counts == {}
    assert REDACTOR.body(json.dumps({"content": text}).encode(), counts) == json.dumps({"content": text}).encode()


def test_a_bare_number_becomes_a_string_so_that_json_stays_json():
    body = b'{"card": 4111111111111111, "note": "4111111111111111", "list": [4111111111111111]}'
    assert json.loads(REDACTOR.body(body, Counter())) == {
        "card": "[redacted:card]",
        "note": "[redacted:card]",
        "list": ["[redacted:card]"],
    }


texts = st.lists(
    st.one_of(st.text(max_size=12), st.sampled_from([secret for _, secret in SECRETS]), st.sampled_from('\\"\n/ü')),
    max_size=6,
).map("".join)
values = st.recursive(
    st.one_of(texts, st.integers(), st.floats(allow_nan=False), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)
bodies = st.one_of(st.lists(values, max_size=4), st.dictionaries(texts, values, max_size=4))


@settings(max_examples=300, deadline=None)
@example([4896364768189978.0], False, False)
@given(bodies, st.booleans(), st.booleans())
def test_any_json_stays_json_of_the_same_shape(value, ascii_only, nested):
    def dump(value: object) -> bytes:
        return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    body = dump({"x": dump(value).decode("utf-8", "surrogatepass")} if nested else value)
    out = REDACTOR.body(body, Counter())
    assert shape(json.loads(out.decode("utf-8", "surrogatepass"))) == shape(json.loads(body))


def shape(value: object) -> object:
    if isinstance(value, dict):
        return [shape(inner) for inner in value.values()]
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return "text" if isinstance(value, str | int | float) and not isinstance(value, bool) else value


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_at_all(body):
    REDACTOR.body(body, Counter())
    REDACTOR.stream(body, Counter())


# ---------------------------------------------------------------------------------------------- streams


def chat_stream(pieces: list[str], index: int = 0) -> bytes:
    events = [
        json.dumps({"id": "c1", "choices": [{"index": index, "delta": {"content": piece}, "finish_reason": None}]})
        for piece in pieces
    ]
    return "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode()


def said(stream: bytes) -> str:
    events = [line[6:] for line in stream.decode().split("\n") if line.startswith("data: {")]
    return "".join(json.loads(event)["choices"][0]["delta"]["content"] for event in events)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SECRETS), st.sets(st.integers(0, 200), max_size=12))
def test_a_secret_cut_over_any_events_of_a_stream(case, cuts):
    kind, secret = case
    text = f'Sure: "\n{secret}"\nDone.'
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    stream = chat_stream([text[start:end] for start, end in pairwise(edges)])
    counts: Counter[str] = Counter()
    assert said(REDACTOR.stream(stream, counts)) == f'Sure: "\n[redacted:{kind}]"\nDone.'
    assert counts == {kind: 1}


def test_two_choices_that_come_interleaved():
    one = chat_stream(["jane@", "example.com"], 0).split(b"\n\n")
    two = chat_stream(["0815 ", "4711"], 1).split(b"\n\n")
    stream = b"\n\n".join([one[0], two[0], one[1], two[1]])
    assert said(REDACTOR.stream(stream, Counter())) == "[redacted:email]0815 4711"


def test_a_stream_without_secrets_is_the_same_bytes():
    stream = chat_stream(["Hel", "lo ", "Wor", "ld"])
    assert REDACTOR.stream(stream, Counter()) is stream


# ---------------------------------------------------------------------------------------------- settings, headers, time


def test_rules_can_be_left_out_and_added():
    redactor = Redactor(Redaction(skip=["email"], rules={"ticket": r"\bACME-\d+\b", "badge": r"badge (\d+)"}))
    assert redactor.text("jane@example.com ACME-123 badge 77", Counter()) == (
        "jane@example.com [redacted:ticket] badge [redacted:badge]"
    )


def test_a_rule_of_ones_own_never_breaks_json():
    redactor = Redactor(Redaction(rules={"greedy": r"secret.*"}))
    body = b'{"a": "the secret \\u00fc \\"x\\"", "b": "more secret"}'
    assert json.loads(redactor.body(body, Counter())) == {"a": "the [redacted:greedy]", "b": "more secret"}


def test_redaction_can_be_switched_off():
    assert Redactor(Redaction(enabled=False)).text("jane@example.com", Counter()) == "jane@example.com"


@pytest.mark.parametrize(
    ("redaction", "message"),
    [
        (Redaction(skip=["emial"]), "log.redaction.skip: 'emial' is no built-in pattern"),
        (Redaction(rules={"mine": "("}), "log.redaction.rules.mine: not a pattern of RE2"),
    ],
)
def test_settings_that_are_wrong_are_named(redaction, message):
    with pytest.raises(ConfigError, match=message):
        Redactor(redaction)


def test_headers_with_credentials_are_left_out():
    counts: Counter[str] = Counter()
    headers = [
        (b"Authorization", b"Bearer x"),
        (b"cookie", b"a=b"),
        (b"x-api-key", b"x"),
        (b"x-my-secret-thing", b"x"),
        (b"x-ratelimit-remaining-tokens", b"149984"),
        (b"x-forwarded-for", b"203.0.113.77"),
        (b"user-agent", b"OpenAI/Python 1.99.1"),
    ]
    assert REDACTOR.headers(headers, counts) == [
        ("x-ratelimit-remaining-tokens", "149984"),
        ("x-forwarded-for", "[redacted:ip]"),
        ("user-agent", "OpenAI/Python 1.99.1"),
    ]


def test_url_escaped_addresses_in_endpoints_are_found():
    assert redacted(f"GET /v1/files/{quote('jane@example.com', safe='@')}") == "GET /v1/files/[redacted:email]"


def test_a_large_image_costs_milliseconds_and_gives_nothing():
    image = b64encode(os.urandom(6_000_000)).decode()
    body = json.dumps({"image_url": {"url": f"data:image/png;base64,{image}"}}).encode()
    counts: Counter[str] = Counter()
    began = time.process_time()
    assert REDACTOR.body(body, counts) is body
    assert time.process_time() - began < 2
    assert counts == {}


@pytest.mark.parametrize(
    "text", ["a@" * 200_000, "1 " * 200_000, "+1 " * 200_000, '"' * 400_000, "\\" * 400_001, "key=" * 100_000]
)
def test_no_text_makes_it_slow(text):
    began = time.process_time()
    redacted(text)
    assert time.process_time() - began < 5


def test_every_rule_has_a_case():
    masks = {part.partition("]")[0] for _, text in IN_CONTEXT for part in text.split("[redacted:")[1:]}
    counts: Counter[str] = Counter()
    for template in corpus.SECRETS.values():
        REDACTOR.text(corpus.made(template, Random(1))[0], counts)
    for text, _ in chain.from_iterable(corpus.PERSONAL.values()):
        REDACTOR.text(text, counts)
    assert {rule.kind for rule in RULES} - {kind for kind, _ in SECRETS} - masks - set(counts) == set()


def test_every_rule_is_documented():
    page = (Path(__file__).resolve().parents[2] / "docs" / "redaction.md").read_text()
    assert [rule.kind for rule in RULES if f"`{rule.kind}`" not in page] == []
