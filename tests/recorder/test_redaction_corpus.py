"""What share of made-up secrets and personal data is found, and how often ordinary text is taken for it. The numbers
are in docs/redaction.md."""

from __future__ import annotations

import json
import sysconfig
import time
from collections import Counter
from pathlib import Path
from random import Random
from urllib.parse import quote, unquote

import pytest

from gateway.recorder.redaction import Redactor
from gateway.settings import Redaction
from tests.recorder import redaction_corpus as corpus

REDACTOR = Redactor(Redaction())
ROOT = Path(__file__).resolve().parents[2]
RECALL = 0.99

WRAPPED = {
    "prose": (lambda text: f"Look: {text} and more", lambda out: out),
    "a JSON string": (lambda text: json.dumps({"c": f"Look:\n{text}\n"}), lambda out: json.loads(out)["c"]),
    "JSON within JSON": (
        lambda text: json.dumps({"arguments": json.dumps({"c": text})}),
        lambda out: json.loads(json.loads(out)["arguments"])["c"],
    ),
    "a line of its own": (lambda text: f"first\n{text}\nlast", lambda out: out),
}


def kept(template: str, random: Random, wrapping: str) -> bool:
    wrap, unwrap = WRAPPED[wrapping]
    text, secrets = corpus.made(template, random)
    out = unwrap(REDACTOR.text(wrap(text), Counter()))
    return any(secret in out for secret in secrets)


def test_there_are_two_hundred_kinds():
    assert len(corpus.SECRETS) >= 200


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_recall_of_secrets(wrapping):
    random = Random(f"recall {wrapping}")
    missed = Counter(kind for kind in corpus.SECRETS for _ in range(5) if kept(corpus.SECRETS[kind], random, wrapping))
    assert missed.total() <= (1 - RECALL) * 5 * len(corpus.SECRETS), missed
    assert all(count < 5 for count in missed.values()), f"kinds never found: {missed}"


def test_recall_of_secrets_that_are_percent_encoded():
    random, missed = Random(3), []
    for kind in corpus.SECRETS.keys() - corpus.NOT_IN_PROSE - {"json password"}:
        text, secrets = corpus.made(corpus.SECRETS[kind], random)
        out = unquote(REDACTOR.text("q=" + quote(text, safe=""), Counter()))
        if any(secret in out for secret in secrets):
            missed.append(kind)
    assert len(missed) <= (1 - RECALL) * len(corpus.SECRETS), missed


@pytest.mark.parametrize("language", corpus.PERSONAL)
@pytest.mark.parametrize("ascii_only", [False, True], ids=["utf-8", "escaped"])
def test_personal_data_in_ten_languages(language, ascii_only):
    for text, personal in corpus.PERSONAL[language]:
        out = json.loads(REDACTOR.text(json.dumps({"c": text}, ensure_ascii=ascii_only), Counter()))["c"]
        assert personal not in out


def test_a_secret_in_any_two_events_of_a_stream():
    random, missed = Random(5), []
    for kind in corpus.SECRETS.keys() - corpus.NOT_IN_PROSE:
        text, secrets = corpus.made(corpus.SECRETS[kind], random)
        cut = text.index(secrets[0]) + max(1, len(secrets[0]) // 2)
        parts = [f"Look: {text[:cut]}", f"{text[cut:]} and more"]
        events = [json.dumps({"choices": [{"index": 0, "delta": {"content": part}}]}) for part in parts]
        out = REDACTOR.stream(b"".join(b"data: %s\n\n" % event.encode() for event in events), Counter())
        said = "".join(json.loads(line[6:])["choices"][0]["delta"]["content"] for line in out.splitlines() if line)
        if any(secret in said for secret in secrets):
            missed.append(kind)
    assert len(missed) <= (1 - RECALL) * len(corpus.SECRETS), missed


def false_alarms(files: list[Path]) -> tuple[Counter[str], float]:
    """(what was taken out, megabytes): addresses are left out, they are what they look like."""
    counts: Counter[str] = Counter()
    size = 0
    for file in files:
        body = file.read_bytes()
        size += len(body)
        REDACTOR.body(body, counts)
    for kind in ("email", "ip"):
        counts.pop(kind, None)
    return counts, size / 1e6


def test_ordinary_code_is_left_alone():
    library = Path(sysconfig.get_paths()["stdlib"])
    counts, megabytes = false_alarms(sorted(library.glob("*.py")) + sorted(library.glob("asyncio/*.py")))
    assert megabytes > 4
    assert counts.total() <= 2 * megabytes, counts


def test_ordinary_prose_is_left_alone():
    pages = [page for page in sorted((ROOT / "docs").rglob("*.md")) if "redaction" not in page.name]
    counts, megabytes = false_alarms(pages)
    assert megabytes > 0.1
    assert counts.total() <= 40 * megabytes, counts


def test_text_without_anything_in_it_is_read_at_a_hundred_megabytes_a_second():
    body = b"The king wrote 27 letters in 1843, and the clerk filed each of them under its number. " * 120_000
    REDACTOR.body(body, Counter())
    began = time.process_time()
    assert REDACTOR.body(body, Counter()) is body
    assert len(body) / 1e6 / (time.process_time() - began) > 100
