"""Conversations: kept, titled, found, changed by one window at a time, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from gateway.control import conversations
from gateway.control.conversations import Answer, ChatSettings, Conversations, Round, Talk
from gateway.errors import Conflict, ControlError, Missing
from gateway.store import open_store

IMAGE = "data:image/png;base64,iVBORw0KGgo="


def talk(*texts: str, cost: int | None = None, images: tuple[str, ...] = ()) -> Talk:
    answers = [Answer("demo/echo", "An answer.", cost_nanousd=cost)]
    return Talk(["demo/echo"], ChatSettings(), [Round(text, list(images), answers) for text in texts])


def on_a_store(folder: Path, act: Callable[[Conversations, Conversations], Coroutine[Any, Any, None]]) -> None:
    """With the conversations of two people on one store."""

    async def run() -> None:
        store = open_store("sqlite:///talks.db", folder)
        await store.connect()
        try:
            await act(Conversations(store, "anna"), Conversations(store, "ann"))
        finally:
            await store.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("What is a span?", "What is a span?"),
        ("  Two   words\n\nand lines ", "Two words"),
        ("## Of `spans`, **briefly**", "Of spans, briefly"),
        ("word " * 30, ("word " * 15).strip() + "…"),
        ("", "New conversation"),
    ],
)
def test_the_first_words_are_the_title(tmp_path: Path, text: str, title: str) -> None:
    async def act(anna: Conversations, ann: Conversations) -> None:
        assert (await anna.make(talk(text))).head.title == title

    on_a_store(tmp_path, act)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    async def act(anna: Conversations, ann: Conversations) -> None:
        made = await anna.make(talk("One", cost=5))
        after = await anna.write(made.id, talk("One", "Two", cost=5, images=(IMAGE,)), made.version)
        read = await anna.read(made.id)
        assert read == after
        assert read.talk.rounds[1].images == [IMAGE]
        assert (read.head.rounds, read.head.cost_nanousd, read.head.title) == (2, 10, "One")

    on_a_store(tmp_path, act)


def test_a_cost_nobody_knows_is_none(tmp_path: Path) -> None:
    async def act(anna: Conversations, ann: Conversations) -> None:
        assert (await anna.make(talk("One"))).head.cost_nanousd is None

    on_a_store(tmp_path, act)


def test_two_windows_do_not_overwrite_each_other(tmp_path: Path) -> None:
    async def act(anna: Conversations, ann: Conversations) -> None:
        made = await anna.make(talk("One"))
        await anna.write(made.id, talk("One", "from the first window"), made.version)
        with pytest.raises(Conflict):
            await anna.write(made.id, talk("One", "from the second"), made.version)
        assert (await anna.read(made.id)).talk.rounds[1].text == "from the first window"

    on_a_store(tmp_path, act)


def test_nobody_has_anothers(tmp_path: Path) -> None:
    """Even of somebody whose id begins like theirs."""

    async def act(anna: Conversations, ann: Conversations) -> None:
        made = await anna.make(talk("Mine"))
        assert await ann.heads() == []
        for attempt in (ann.read(made.id), ann.rename(made.id, "theirs"), ann.write(made.id, talk("x"), made.version)):
            with pytest.raises(Missing):
                await attempt
        with pytest.raises(Missing):
            await ann.delete(made.id)
        assert (await anna.read(made.id)).head.title == "Mine"

    on_a_store(tmp_path, act)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("", {"Tea", "Coffee"}), ("TEA", {"Tea"}), ("water kettle", {"Tea"}), ("kettle beans", set()), ("%", set())],
)
def test_they_are_found_by_title_and_words(tmp_path: Path, wanted: str, found: set[str]) -> None:
    async def act(anna: Conversations, ann: Conversations) -> None:
        await anna.make(talk("Tea", "The kettle has water."))
        await anna.make(talk("Coffee", "Grind the beans."))
        assert {head.title for _, head in await anna.heads(wanted)} == found

    on_a_store(tmp_path, act)


def test_the_last_talked_in_comes_first_and_a_deleted_one_is_gone(tmp_path: Path) -> None:
    async def act(anna: Conversations, ann: Conversations) -> None:
        first, second = await anna.make(talk("First")), await anna.make(talk("Second"))
        await anna.write(first.id, talk("First", "again"), first.version)
        assert [conversation_id for conversation_id, _ in await anna.heads()] == [first.id, second.id]
        await anna.delete(first.id)
        assert [conversation_id for conversation_id, _ in await anna.heads()] == [second.id]
        with pytest.raises(Missing):
            await anna.read(first.id)

    on_a_store(tmp_path, act)


def test_a_title_is_shortened_and_never_empty(tmp_path: Path) -> None:
    async def act(anna: Conversations, ann: Conversations) -> None:
        made = await anna.make(talk("One"))
        assert (await anna.rename(made.id, " Of  spans ")).title == "Of spans"
        assert len((await anna.rename(made.id, "x" * 500)).title) == conversations.LONGEST_TITLE
        with pytest.raises(ControlError, match="needs a title"):
            await anna.rename(made.id, "  ")

    on_a_store(tmp_path, act)


@pytest.mark.parametrize("image", ["https://example.test/x.png", "data:image/svg+xml;base64,PHN2Zz4=", "javascript:1"])
def test_an_image_is_bytes_of_an_image(tmp_path: Path, image: str) -> None:
    async def act(anna: Conversations, ann: Conversations) -> None:
        with pytest.raises(ControlError, match="is no image"):
            await anna.make(talk("Look", images=(image,)))
        assert await anna.heads() == []

    on_a_store(tmp_path, act)


def test_there_is_an_end_to_their_size_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "MOST_BYTES", 2**20)
    monkeypatch.setattr(conversations, "MOST", 1)

    async def act(anna: Conversations, ann: Conversations) -> None:
        with pytest.raises(ControlError, match="1 MB"):
            await anna.make(talk("x" * 2**20))
        await anna.make(talk("One"))
        with pytest.raises(ControlError, match="1 conversations"):
            await anna.make(talk("Two"))
        await ann.make(talk("Another's do not count"))

    on_a_store(tmp_path, act)


def test_none_of_it_is_in_the_audit_log(tmp_path: Path) -> None:
    """Which is kept for ever."""

    async def run() -> None:
        store = open_store("sqlite:///talks.db", tmp_path)
        await store.connect()
        made = await Conversations(store, "anna").make(talk("A secret"))
        await Conversations(store, "anna").delete(made.id)
        assert await store.audit() == []
        await store.close()

    asyncio.run(run())
