"""Where in an event stream the pieces of one text are: what a model writes token by token, field by field."""

from __future__ import annotations

import re

import msgspec

_TOKEN = re.compile(
    rb"(?P<line>\n)"
    rb'|"(?:index|output_index|content_index|summary_index)"\s*:\s*(?P<index>\d+)'
    rb'|"(?P<field>content|text|delta|arguments|reasoning|reasoning_content|thinking|partial_json|refusal|transcript'
    rb'|input|summary)"\s*:\s*"(?P<value>[^"]*)"'
)


class Piece(msgspec.Struct, frozen=True, gc=False):
    """The inside of one JSON string, by its offsets in the stream."""

    start: int
    end: int


def texts_in_pieces(view: bytes) -> list[list[Piece]]:
    """The texts of a stream that come in two pieces or more: strings under the same field of events with the same
    indexes (choice, part, tool call). `view` is the stream with its escapes blanked, so that quotes end strings."""
    texts: dict[tuple[bytes, ...], list[Piece]] = {}
    indexes: list[bytes] = []
    fields: list[tuple[bytes, Piece]] = []
    for token in _TOKEN.finditer(view):
        if token["index"] is not None:
            indexes.append(token["index"])
        elif token["field"] is not None:
            fields.append((token["field"], Piece(*token.span("value"))))
        elif fields or indexes:
            _file(texts, fields, indexes)
            indexes, fields = [], []
    _file(texts, fields, indexes)
    return [pieces for pieces in texts.values() if len(pieces) > 1]


def _file(texts: dict[tuple[bytes, ...], list[Piece]], fields: list[tuple[bytes, Piece]], indexes: list[bytes]) -> None:
    for field, piece in fields:
        if piece.start < piece.end:
            texts.setdefault((field, *indexes), []).append(piece)
