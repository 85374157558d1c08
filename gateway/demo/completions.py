"""`POST /v1/completions` of the demo provider: text in, text out."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.demo.answer import Answer, Ask
from gateway.demo.chat import StreamOptions, usage
from gateway.demo.surface import Body, Piece, openai_error, sse


class CompletionBody(Body):
    prompt: str | list[str | int | list[int]] = ""
    max_tokens: int | None = None
    stream_options: StreamOptions | None = None


class Completions:
    body = CompletionBody
    error = staticmethod(openai_error)

    def ask(self, body: CompletionBody, model: str) -> Ask:
        given = body.prompt if isinstance(body.prompt, list) else [body.prompt]
        prompt = "\n".join(map(str, given))
        return Ask(model=model, prompt=prompt, said=prompt, max_tokens=body.max_tokens)

    def whole(self, body: CompletionBody, answer: Answer) -> dict[str, object]:
        whole = _head(answer) | {"choices": [_choice(answer.text, answer.finish)]}
        return whole | {"usage": usage(answer)} if answer.reports_usage else whole

    def events(self, body: CompletionBody, answer: Answer) -> Iterator[Piece]:
        head, generated = _head(answer), answer.reasoning_tokens
        for piece in answer.pieces:
            generated += 1
            yield Piece(sse(head | {"choices": [_choice(piece, None)]}), generated)
        yield Piece(sse(head | {"choices": [_choice("", answer.finish)]}), generated)
        if body.stream_options and body.stream_options.include_usage and answer.reports_usage:
            yield Piece(sse(head | {"choices": [], "usage": usage(answer)}), generated)
        yield Piece(b"data: [DONE]\n\n", generated)

    def error_event(self, message: str) -> bytes:
        return sse(openai_error(500, message))


def _head(answer: Answer) -> dict[str, object]:
    return {"id": f"cmpl-{answer.id}", "object": "text_completion", "created": answer.created, "model": answer.model}


def _choice(text: str, finish: str | None) -> dict[str, object]:
    return {"text": text, "index": 0, "logprobs": None, "finish_reason": finish}
