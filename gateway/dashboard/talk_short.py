"""Calls that are no conversation and yet can be read as one: embeddings, rerankings, counts of tokens."""

from __future__ import annotations

from typing import Any

from gateway.dashboard.talk import Conversation, Part, Turn, json_part, listed, text_part
from gateway.dashboard.talk_openai import texts


def inputs(body: dict[str, Any]) -> Conversation:
    """What is to be embedded or counted, under any of its names."""
    given = body.get("input", body.get("texts", body.get("text")))
    if given is None:
        mixed = [each.get("content") for each in listed(body.get("inputs")) if isinstance(each, dict)]
        given = [piece for content in mixed for piece in listed(content)]
    return Conversation(turns=[Turn("user", "Input", parts=texts(given))])


def query(body: dict[str, Any]) -> Conversation:
    found = Conversation(turns=[Turn("user", "Query", parts=texts(body.get("query")))])
    documents = listed(body.get("documents"))
    if documents:
        plain = [each.get("text", each) if isinstance(each, dict) else each for each in documents]
        parts = [text_part(each, "plain") if isinstance(each, str) else json_part(each) for each in plain[:50]]
        more = [Part("note", f"{len(documents) - 50:,} more")] if len(documents) > 50 else []
        found.turns.append(Turn("user", "Documents", parts=parts + more))
    return found


def vectors(body: dict[str, Any]) -> Part:
    """How many and of what size; nobody reads the numbers."""
    found = _vectors(body)
    if not found:
        return Part("note", "No vectors are kept of this answer.")
    first = found[0]
    size = f" of {len(first):,} numbers" if isinstance(first, list) else ", base64"
    return Part("note", f"{len(found):,} vector{'s' if len(found) > 1 else ''}{size}")


def _vectors(body: dict[str, Any]) -> list[Any]:
    """OpenAI's `data[].embedding`, Google's `embedding.values`, `embeddings[].values` and `predictions`, Cohere's
    `embeddings.float`, or in version 1 the bare list."""
    one, many = body.get("embedding"), body.get("embeddings")
    if isinstance(many, dict):
        many = next((each for each in many.values() if isinstance(each, list)), [])
    found = listed(body.get("data")) or listed(body.get("predictions")) or listed(many) or ([one] if one else [])
    return [_numbers(each) for each in found]


def _numbers(each: Any) -> Any:
    while isinstance(each, dict):
        each = each.get("embedding", each.get("embeddings", each.get("values")))
    return each


def ranking(body: dict[str, Any]) -> Part:
    results = listed(body.get("results")) or listed(body.get("data"))
    return json_part(results) if results else Part("note", "No ranking is kept of this answer.")


def count(body: dict[str, Any]) -> Part:
    """Anthropic's `input_tokens`, Google's `totalTokens`, Cohere's list."""
    tokens = body.get("input_tokens", body.get("totalTokens", body.get("tokens")))
    number = len(tokens) if isinstance(tokens, list) else tokens
    if not isinstance(number, int):
        return text_part(body["text"]) if isinstance(body.get("text"), str) else json_part(body)
    return Part("note", f"{number:,} token{'' if number == 1 else 's'}")
