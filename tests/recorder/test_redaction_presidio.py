"""Presidio as one more finder, by a stand-in that knows one name: loaded only where it is configured, offsets in bytes,
refused in words where it is not installed."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from gateway.errors import ConfigError
from gateway.recorder.redaction import Redactor
from gateway.settings import OwnPattern, Redaction
from gateway.settings.privacy import Presidio

NAME = "Zoë Müller"


class Provider:
    def __init__(self, nlp_configuration: dict[str, Any]) -> None:
        self.models = {each["lang_code"]: each["model_name"] for each in nlp_configuration["models"]}

    def create_engine(self) -> dict[str, str]:
        return self.models


class Analyzer:
    def __init__(self, nlp_engine: dict[str, str], supported_languages: list[str]) -> None:
        assert list(nlp_engine) == supported_languages
        self.models = nlp_engine

    def analyze(self, text: str, language: str, entities: list[str] | None, score_threshold: float) -> list[Any]:
        assert language in self.models
        at = text.find(NAME)
        return [] if at < 0 else [SimpleNamespace(start=at, end=at + len(NAME), entity_type="PERSON")]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("presidio_analyzer")
    module.AnalyzerEngine = Analyzer  # type: ignore[attr-defined]
    engines = ModuleType("presidio_analyzer.nlp_engine")
    engines.NlpEngineProvider = Provider  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "presidio_analyzer", module)
    monkeypatch.setitem(sys.modules, "presidio_analyzer.nlp_engine", engines)


@pytest.fixture
def settings(tmp_path: Path) -> Presidio:
    """Two languages, whose models are folders."""
    return Presidio(models={"en": str(tmp_path), "de": str(tmp_path)})


@pytest.mark.usefixtures("installed")
def test_names_go_beside_everything_else(settings):
    redactor, counts = Redactor(Redaction(), settings), Counter[str]()
    body = json.dumps({"c": f"Grüße, {NAME} <zoe@example.com>"}, ensure_ascii=False)
    assert json.loads(redactor.text(body, counts)) == {"c": "Grüße, [redacted:person] <[redacted:email]>"}
    assert counts == {"person": 1, "email": 1}


@pytest.mark.usefixtures("installed")
def test_a_name_in_pieces_of_a_stream(settings):
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in ("I am Zoë", " Mül", "ler.")]
    stream = b"".join(b"data: %s\n\n" % json.dumps(event, ensure_ascii=False).encode() for event in events)
    out = Redactor(Redaction(), settings).stream(stream, Counter())
    said = "".join(json.loads(line[6:])["choices"][0]["delta"]["content"] for line in out.splitlines() if line)
    assert said == "I am [redacted:person]."


def test_it_is_not_installed(monkeypatch, settings):
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(ConfigError, match="Install presidio-analyzer"):
        Redactor(Redaction(), settings)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("model", ["en_core_web_lg", "no/such/folder", "a.b", ""])
def test_a_model_that_is_not_there_is_not_fetched(model):
    with pytest.raises(ConfigError, match="there is no model"):
        Redactor(Redaction(), Presidio(models={"en": model}))


def test_a_rule_of_ones_own_with_its_replacement():
    rules = {"case": OwnPattern(pattern=r"CASE-\d+", replacement="CASE-#"), "badge": OwnPattern(pattern=r"badge (\d+)")}
    text = Redactor(Redaction(rules=rules)).text('{"c": "CASE-12 of badge 77"}', Counter())
    assert json.loads(text) == {"c": "CASE-# of badge [redacted:badge]"}
