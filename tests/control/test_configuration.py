"""Versions of the configuration: kept when something changed, in order, whoever keeps them, and never a secret."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from gateway.control.configuration import ConfigurationLog, differences, masked, remember, version, versions
from gateway.errors import StoreError
from gateway.settings import ApiKey, Log, Provider, Settings
from tests.store.memory_documents import MemoryControl

SECRET = "sk-this-is-secret"
FIRST = Settings(
    providers={
        "openai": Provider(api_key=[SECRET, SECRET], headers={"x-extra": SECRET}),
        "local": Provider(base_url=f"http://me:{SECRET}@host/v1?api_key={SECRET}"),
    },
    keys=[ApiKey(name="app", key=SECRET)],
)
SECOND = msgspec.structs.replace(FIRST, log=Log(retention_days=90))


def test_no_secret_is_left() -> None:
    shown = masked(FIRST)
    assert SECRET not in msgspec.json.encode(shown).decode()
    assert shown["providers"]["openai"]["api_key"] == ["***", "***"]
    assert shown["providers"]["openai"]["headers"] == {"x-extra": "***"}
    assert shown["providers"]["local"]["base_url"] == "http://me:***@host/v1?api_key=***"
    assert shown["keys"][0]["name"] == "app"


def test_a_version_is_kept_when_something_changed() -> None:
    store = MemoryControl()

    async def work() -> None:
        for at, settings in enumerate((FIRST, FIRST, SECOND, SECOND)):
            await remember(store, settings, "callgate.yaml", "1.0", at)
        found = await versions(store)
        assert [(each.number, each.at) for each in found] == [(2, 2), (1, 0)]
        changes = differences(await version(store, 1), found[0])
        assert [(each.path, each.before, each.after) for each in changes] == [("log.retention_days", "30", "90")]
        assert differences(None, found[1]) == []
        assert await version(store, 3) is None

    asyncio.run(work())


def test_workers_that_start_together_keep_one() -> None:
    store = MemoryControl()

    async def work() -> None:
        await asyncio.gather(*(remember(store, FIRST, "callgate.yaml", "1.0", at) for at in range(8)))
        assert [each.number for each in await versions(store)] == [1]

    asyncio.run(work())


def test_a_store_that_was_down_gets_it_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.control.configuration.RETRY_AFTER_S", 0.0)

    class Down(MemoryControl):
        asked = 0

        async def documents(self, *args: Any, **options: Any) -> Any:
            self.asked += 1
            if self.asked < 3:
                raise StoreError("down")
            return await super().documents(*args, **options)

    store = Down()

    async def work() -> None:
        log = ConfigurationLog(store, "1.0")
        task = asyncio.create_task(log.run())
        log.took_effect(FIRST, "callgate.yaml")
        async with asyncio.timeout(10):
            while not await MemoryControl.documents(store, "configuration"):
                await asyncio.sleep(0)
        task.cancel()

    asyncio.run(work())
    assert store.asked == 3
