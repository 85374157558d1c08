"""Presidio as one more finder, by a stand-in that knows one name: loaded only where it is configured, offsets in bytes,
refused in words where it is not installed."""

from __future__ import annotations

import json
import sys
from collections import Counter
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from gateway.errors import ConfigError
from gateway.recorder.redaction import Redactor
from gateway.settings import OwnPattern, Redaction
from gateway.settings.privacy import Presidio

NAME = "Zoë Müller"


class Analyzer:
    def __init__(self, supported_languages: list[str]) -> None:
        self.languages = supported_languages

    def analyze(self, text: str, language: str, entities: list[str] | None, score_threshold: float) -> list[Any]:
        at = text.find(NAME)
        return [] if at < 0 else [SimpleNamespace(start=at, end=at + len(NAME), entity_type="PERSON")]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("presidio_analyzer")
    module.AnalyzerEngine = Analyzer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "presidio_analyzer", module)


@pytest.mark.usefixtures("installed")
def test_names_go_beside_everything_else():
    redactor, counts = Redactor(Redaction(), Presidio()), Counter[str]()
    body = json.dumps({"c": f"Grüße, {NAME} <zoe@example.com>"}, ensure_ascii=False)
    assert json.loads(redactor.text(body, counts)) == {"c": "Grüße, [redacted:person] <[redacted:email]>"}
    assert counts == {"person": 1, "email": 1}


@pytest.mark.usefixtures("installed")
def test_a_name_in_pieces_of_a_stream():
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in ("I am Zoë", " Mül", "ler.")]
    stream = b"".join(b"data: %s\n\n" % json.dumps(event, ensure_ascii=False).encode() for event in events)
    out = Redactor(Redaction(), Presidio()).stream(stream, Counter())
    said = "".join(json.loads(line[6:])["choices"][0]["delta"]["content"] for line in out.splitlines() if line)
    assert said == "I am [redacted:person]."


def test_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(ConfigError, match="Install presidio-analyzer"):
        Redactor(Redaction(), Presidio())


def test_a_rule_of_ones_own_with_its_replacement():
    rules = {"case": OwnPattern(pattern=r"CASE-\d+", replacement="CASE-#"), "badge": OwnPattern(pattern=r"badge (\d+)")}
    text = Redactor(Redaction(rules=rules)).text('{"c": "CASE-12 of badge 77"}', Counter())
    assert json.loads(text) == {"c": "CASE-# of badge [redacted:badge]"}
