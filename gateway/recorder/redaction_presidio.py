"""Microsoft's Presidio as one more finder: names and places, which no pattern knows. Loaded only where it is
configured, in the recorder's process; it reads a hundred kilobytes a second, more or less."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gateway.errors import ConfigError
from gateway.settings.privacy import Presidio

PIECE_CHARACTERS = 100_000
"""Its language models refuse more than a million at a time, and their memory grows with it."""


class Recogniser:
    """Raises ConfigError where it is not installed, or a model is not."""

    def __init__(self, settings: Presidio) -> None:
        self._settings = settings
        missing = [model for model in settings.models.values() if not _is_there(model)]
        if missing:  # it would fetch them from the network itself
            problem = f"there is no model {', '.join(missing)}; `python -m spacy download NAME` installs one"
            raise _unusable(problem)
        try:
            self._engine = _engine(settings.models)
        except (ImportError, OSError, ValueError) as exc:
            raise _unusable(str(exc)) from exc

    def find(self, view: bytes) -> list[tuple[int, int, str]]:
        """(start, end, kind) in bytes; kinds in lower case, as `person`."""
        text = view.decode("utf-8", "surrogateescape")
        found: list[tuple[int, int, str]] = []
        before = 0
        for at in range(0, len(text), PIECE_CHARACTERS):
            piece = text[at : at + PIECE_CHARACTERS]
            for language in self._settings.models:
                for hit in self._engine.analyze(
                    text=piece,
                    language=language,
                    entities=self._settings.entities or None,
                    score_threshold=self._settings.score,
                ):
                    start = before + _size(piece[: hit.start])
                    found.append((start, start + _size(piece[hit.start : hit.end]), str(hit.entity_type).lower()))
            before += _size(piece)
        return found


def _engine(models: dict[str, str]) -> Any:
    provider = import_module("presidio_analyzer.nlp_engine").NlpEngineProvider(
        nlp_configuration={
            "nlp_engine_name": "spacy",
            "models": [{"lang_code": language, "model_name": model} for language, model in models.items()],
        }
    )
    analyzer = import_module("presidio_analyzer").AnalyzerEngine
    return analyzer(nlp_engine=provider.create_engine(), supported_languages=list(models))


def _is_there(model: str) -> bool:
    """As a folder, or as a package."""
    return bool(model) and (Path(model).is_dir() or (model.isidentifier() and find_spec(model) is not None))


def _unusable(why: str) -> ConfigError:
    return ConfigError("", [f"privacy.presidio: it cannot be used: {why}. Install presidio-analyzer and its models."])


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))
