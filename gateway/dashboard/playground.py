"""The playground: one's conversations with models, beside them the list of all. What it says goes through the gateway.

The page can be read as it comes; writing in it is `static/playground.js`, which makes the same HTML out of the
templates that this page brings along, and calls `/api/playground/…`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.control.conversations import Answer, Conversations, Head, Round, owner_of
from gateway.control.principal import small_form
from gateway.dashboard import urls
from gateway.dashboard.format import Figure, count, duration, moment, money
from gateway.dashboard.prose import markdown
from gateway.dashboard.render import respond
from gateway.dashboard.view import Shell, View, make_shell, open_view
from gateway.errors import ControlError, Missing

MICROSECONDS_PER_MS = 1000


@dataclass(frozen=True)
class Row:
    """Of the list."""

    title: str
    href: str
    when: str
    """The clock for today's, else the day."""
    cost: Figure | None
    is_current: bool


@dataclass(frozen=True)
class AnswerShown:
    model: str
    html: str
    """Safe as it stands."""
    reasoning: str
    tools: list[tuple[str, str, str]]
    """(name, arguments, result)"""
    error: str
    figures: list[tuple[str, Figure]]
    """(what it is, in words; the number)"""
    request: str
    """The page of the call; empty where there was none."""
    is_stopped: bool = False


@dataclass(frozen=True)
class RoundShown:
    text: str
    images: list[str]
    answers: list[AnswerShown]


@dataclass(frozen=True)
class PlaygroundPage:
    template: ClassVar[str] = "playground.html"
    shell: Shell
    rows: list[Row]
    wanted: str
    """Searched for; empty: all are shown."""
    conversation_id: str
    """Empty for one that begins with the next message."""
    title: str
    rounds: list[RoundShown]
    blank: RoundShown
    """What the script makes rounds of."""


BLANK = RoundShown("", [], [AnswerShown("", "", "", [], "", [], "")])


async def playground(request: Request) -> Response:
    view = open_view(request, path=urls.PLAYGROUND)
    conversation_id = request.path_params.get("conversation_id", "")
    title, rounds = "New conversation", []
    if conversation_id:
        try:
            kept = await _own(view).read(conversation_id)
        except Missing as exc:
            raise HTTPException(404, "This conversation is gone, or it is somebody else’s.") from exc
        title, rounds = kept.head.title, [_round(each) for each in kept.talk.rounds]
    wanted = " ".join(request.query_params.get("q", "").split())[:200]
    heads = await _own(view).heads(wanted)
    page = PlaygroundPage(
        shell=await make_shell(view, "Playground", urls.PLAYGROUND, has_period=False),
        rows=[_row(view, *each, conversation_id) for each in heads],
        wanted=wanted,
        conversation_id=conversation_id,
        title=title,
        rounds=rounds,
        blank=BLANK,
    )
    return respond(page)


async def rename_conversation(request: Request) -> Response:
    """A form: `title`."""
    view, conversation_id = open_view(request), request.path_params["conversation_id"]
    form = await small_form(request)
    try:
        await _own(view).rename(conversation_id, form.get("title", ""))
    except ControlError as exc:
        raise HTTPException(404 if isinstance(exc, Missing) else 400, str(exc)) from exc
    return RedirectResponse(urls.playground(conversation_id), 303)


async def delete_conversation(request: Request) -> Response:
    view = open_view(request)
    try:
        await _own(view).delete(request.path_params["conversation_id"])
    except Missing as exc:
        raise HTTPException(404, "This conversation is gone already.") from exc
    return RedirectResponse(urls.playground(), 303)


def _own(view: View) -> Conversations:
    return Conversations(view.state.store, owner_of(view.principal))


def _row(view: View, conversation_id: str, head: Head, current: str) -> Row:
    at, now = moment(head.updated_at, view.period.zone), moment(view.now_us, view.period.zone)
    return Row(
        title=head.title,
        href=urls.playground(conversation_id),
        when=f"{at:%H:%M}" if at.date() == now.date() else f"{at:%b} {at.day}",
        cost=None if head.cost_nanousd is None else money(head.cost_nanousd),
        is_current=conversation_id == current,
    )


def _round(each: Round) -> RoundShown:
    return RoundShown(each.text, each.images, [_answer(answer) for answer in each.answers])


def _answer(answer: Answer) -> AnswerShown:
    figures = [
        ("tokens in", count(answer.input_tokens)),
        ("tokens out", count(answer.output_tokens)),
        ("cost", money(answer.cost_nanousd)),
        ("latency", duration(_us(answer.latency_ms))),
        ("first token", duration(_us(answer.ttft_ms))),
    ]
    return AnswerShown(
        model=answer.model,
        html=markdown(answer.text),
        reasoning=answer.reasoning,
        tools=[(tool.name, tool.arguments, tool.result) for tool in answer.tools],
        error=answer.error,
        figures=figures if answer.latency_ms is not None else [],
        request=urls.request(answer.request_id) if answer.request_id else "",
        is_stopped=answer.is_stopped,
    )


def _us(ms: float | None) -> int | None:
    return None if ms is None else round(ms * MICROSECONDS_PER_MS)
