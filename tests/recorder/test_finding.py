from __future__ import annotations

import json
import time
from collections import Counter
from random import Random

import pytest

from gateway.recorder.finding import OVERLAP_BYTES, WINDOW_BYTES, Finder, Found, merged
from gateway.recorder.redaction import Redactor
from gateway.recorder.rules import Rule
from gateway.settings import Redaction
from tests.recorder import redaction_corpus as corpus

REDACTOR = Redactor(Redaction())


def finder(*rules: tuple[str, bytes], unbounded: bool = False) -> Finder:
    finder = Finder()
    for kind, pattern in rules:
        finder.add(Rule(kind, pattern), unbounded=unbounded)
    finder.compile()
    return finder


def seconds(body: bytes) -> float:
    began = time.process_time()
    REDACTOR.body(body, Counter())
    return time.process_time() - began


@pytest.mark.parametrize("kind", ["openai", "jwt", "google ai", "aws secret", "postgres", "cohere", "pem"])
def test_a_secret_over_the_edge_of_a_window_is_found_wherever_it_is_cut(kind):
    template = corpus.SECRETS.get(kind) or next(text for name, text in corpus.SECRETS.items() if kind in name)
    text, secrets = corpus.made(template, Random(7))
    for place in range(WINDOW_BYTES - len(text) - 2, WINDOW_BYTES + 3):
        body = f"{'word ' * 4000}"[: place - 1] + f" {text} " + "word " * 4000
        assert not any(secret in REDACTOR.text(body, Counter()) for secret in secrets), place


@pytest.mark.parametrize("length", [100, OVERLAP_BYTES - 1, OVERLAP_BYTES + 1, 3 * WINDOW_BYTES])
def test_what_goes_on_is_followed_to_its_end(length):
    secret = "sk-ant-" + "a1" * (length // 2)
    body = "word " * (WINDOW_BYTES // 5 - 3) + secret + " and more"
    assert REDACTOR.text(body, Counter()).endswith("word [redacted:anthropic_key] and more")


def test_a_private_key_of_sixteen_kilobits_is_taken_out_as_one():
    lines = "\n".join("QUJD" * 16 for _ in range(200))
    pem = f"-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES\n\n{lines}\n-----END RSA PRIVATE KEY-----"
    counts: Counter[str] = Counter()
    assert REDACTOR.text(f"{'x ' * 4000}{pem} end", counts).endswith("x [redacted:private_key] end")
    assert counts == {"private_key": 1}


def test_a_word_that_a_window_begins_in_is_not_cut():
    body = b"a" * WINDOW_BYTES + b"sk-ant-0123456789abcdef"
    assert REDACTOR.body(body, Counter()) == body


def test_a_rule_of_ones_own_may_need_the_whole_text():
    found = finder(("all", rb"(?s)BEGIN.*END"), unbounded=True).find(b"x" * 9000 + b"BEGIN" + b"-" * 50_000 + b"END")
    assert found == [Found(9000, 9000 + 5 + 50_000 + 3, "all")]


def test_a_rule_that_matches_nothing_comes_to_an_end():
    assert finder(("empty", rb"x*")).find(b"axxb") == [Found(1, 3, "empty")]
    assert finder(("empty group", rb"a(x*)")).find(b"aaxa") == [Found(2, 3, "empty group")]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([(5, 9, "b"), (0, 2, "a")], [(0, 2, "a"), (5, 9, "b")]),
        ([(0, 4, "first"), (2, 8, "second")], [(0, 8, "first")]),
        ([(2, 8, "first"), (0, 4, "second"), (8, 9, "third")], [(0, 8, "first"), (8, 9, "third")]),
        ([(4, 6, "a"), (0, 5, "b"), (5, 9, "c")], [(0, 9, "a")]),
    ],
)
def test_of_what_overlaps_the_earliest_names_all(found, expected):
    assert merged([Found(*each) for each in found]) == [Found(*each) for each in expected]


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([f"+4930{number:07}" for number in range(30_000)]).encode(),
        json.dumps([4111111111111111] * 30_000).encode(),
        json.dumps([f"jane{number}@example.com" for number in range(30_000)]).encode(),
        b"-----BEGIN PRIVATE KEY-----\n" * 10_000,
        b"".join(b'data: {"delta":"+49301234567 "}\n\n' for _ in range(20_000)),
    ],
    ids=["phones", "bare numbers", "addresses", "beginnings", "events"],
)
def test_many_findings_cost_what_they_are_many(body):
    """Twice the text is not four times the time: of a few megabytes full of addresses a minute could come otherwise."""
    seconds(body[:1000])
    assert seconds(body) < 5


def test_pieces_and_findings_of_a_stream_are_not_multiplied():
    text = "call +49 30 1234567 or " * 1500
    events = (
        json.dumps({"choices": [{"index": 0, "delta": {"content": text[at : at + 3]}}]})
        for at in range(0, len(text), 3)
    )
    stream = b"".join(b"data: %s\n\n" % event.encode() for event in events)
    counts: Counter[str] = Counter()
    began = time.process_time()
    REDACTOR.stream(stream, counts)
    assert time.process_time() - began < 5
    assert counts["phone"] == 1500


def test_code_full_of_names_of_secrets_is_read_as_fast_as_other_text():
    body = b"    token = tokens[3]\n    key = self._key(token)\n    if password == None: secret=other_secret\n" * 20_000
    seconds(body)
    assert len(body) / 1e6 / seconds(body) > 60
