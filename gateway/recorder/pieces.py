"""Where in an event stream the pieces of one text are: what a model writes token by token, field by field."""

from __future__ import annotations

import re

import msgspec

_FIELDS = (
    rb'"(content|text|delta|outputText|generation|arguments|reasoning|reasoning_content|thinking|partial_json|refusal'
    rb'|transcript|input|summary)"'
    rb'\s*:\s*"([^"]*)"'
)
_FIELD = re.compile(_FIELDS)
_INDEXES = rb'"(?:index|output_index|content_index|summary_index|contentBlockIndex)"\s*:\s*(\d+)'
_TOKEN = re.compile(rb"(\n)|" + _INDEXES + rb"|" + _FIELDS)
_SEVERAL_CHOICES = re.compile(rb'"index"\s*:\s*[1-9]')


class Piece(msgspec.Struct, frozen=True, gc=False):
    """The inside of one JSON string, by its offsets in the stream."""

    start: int
    end: int


def texts(view: bytes) -> list[bytes]:
    """The texts of a stream, roughly: quick to get, to see whether there is anything in them. Choices that come
    interleaved are not told apart, so for these the answer is exact."""
    if _SEVERAL_CHOICES.search(view) and b'"choices"' in view:
        return [b"".join([view[piece.start : piece.end] for piece in pieces]) for pieces in texts_in_pieces(view)]
    fields: dict[bytes, list[bytes]] = {}
    for field, value in _FIELD.findall(view):
        fields.setdefault(field, []).append(value)
    return [b"".join(values) for values in fields.values() if len(values) > 1]


def texts_in_pieces(view: bytes) -> list[list[Piece]]:
    """The texts of a stream that come in two pieces or more: strings under the same field of events with the same
    indexes (choice, part, tool call). `view` is the stream with its escapes blanked, so that quotes end strings."""
    found: dict[tuple[bytes, ...], list[Piece]] = {}
    indexes: list[bytes] = []
    fields: list[tuple[bytes, Piece]] = []
    for token in _TOKEN.finditer(view + b"\n"):
        if token[2] is not None:
            indexes.append(token[2])
        elif token[3] is not None:
            fields.append((token[3], Piece(*token.span(4))))
        else:
            for field, piece in fields:
                if piece.start < piece.end:
                    found.setdefault((field, *indexes), []).append(piece)
            indexes, fields = [], []
    return [pieces for pieces in found.values() if len(pieces) > 1]
