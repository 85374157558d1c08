"""An export reads keys and rows in parts of its own: what comes out is the list, whatever the parts are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.store.base import Batch, SpanFilter
from gateway.store.sqlite import keyset, lists
from gateway.store.sqlite.store import SqliteStore
from tests.store.naive import make_write


@pytest.mark.parametrize("keys", [1, 7, 20, 40, 41])
@pytest.mark.parametrize("which", [SpanFilter(), SpanFilter(q="no call says this"), SpanFilter(model=("none",))])
def test_every_row_once_and_in_order(
    keys: int, which: SpanFilter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "EXPORTED_KEYS", keys)
    monkeypatch.setattr(keyset, "SEARCHED", 9)

    async def work() -> tuple[list[str], list[str]]:
        store = SqliteStore(tmp_path / "callgate.db")
        await store.connect()
        await store.write(Batch(spans=[make_write(n) for n in range(40)]))
        listed = [span.request_id for span in (await store.spans(which, limit=100)).items]
        exported = [span.request_id async for page in store.export(which, page=6) for span in page]
        await store.close()
        return listed, exported

    listed, exported = asyncio.run(work())
    assert exported == listed
    assert len(exported) == (40 if which == SpanFilter() else 0)
