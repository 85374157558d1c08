"""Microsoft's Presidio as one more finder: names and places, which no pattern knows. Loaded only where it is
configured, in the recorder's process; it reads a few hundred kilobytes a second."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from gateway.errors import ConfigError
from gateway.settings.privacy import Presidio

PIECE_CHARACTERS = 100_000
"""Its language models refuse more than a million at a time, and their memory grows with it."""


class Recogniser:
    """Raises ConfigError where it is not installed, or cannot load a language."""

    def __init__(self, settings: Presidio) -> None:
        self._settings = settings
        try:
            self._engine: Any = import_module("presidio_analyzer").AnalyzerEngine(
                supported_languages=settings.languages
            )
        except (ImportError, OSError, ValueError) as exc:
            problem = f"privacy.presidio: it cannot be used ({exc}). Install presidio-analyzer and its models."
            raise ConfigError("", [problem]) from exc

    def find(self, view: bytes) -> list[tuple[int, int, str]]:
        """(start, end, kind) in bytes; kinds in lower case, as `person`."""
        text = view.decode("utf-8", "surrogateescape")
        found: list[tuple[int, int, str]] = []
        for at in range(0, len(text), PIECE_CHARACTERS):
            piece = text[at : at + PIECE_CHARACTERS]
            before = len(text[:at].encode("utf-8", "surrogateescape"))
            for language in self._settings.languages:
                for hit in self._engine.analyze(
                    text=piece,
                    language=language,
                    entities=self._settings.entities or None,
                    score_threshold=self._settings.score,
                ):
                    start = before + len(piece[: hit.start].encode("utf-8", "surrogateescape"))
                    length = len(piece[hit.start : hit.end].encode("utf-8", "surrogateescape"))
                    found.append((start, start + length, str(hit.entity_type).lower()))
        return found
