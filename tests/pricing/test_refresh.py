"""A newer price file: checked, compared, taken over, and nothing of the past forgotten."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

import pricing.edition
import pricing.refresh
from pricing import Catalog, Usage
from pricing.edition import current_edition, packaged_is_newer, prices_path, version_key
from pricing.history import HISTORY_FILE, History, Source, read_history
from pricing.refresh import Changes, adopt_packaged, check, commit, prepare

THOUSAND = Usage(input_tokens=1_000, output_tokens=0)

Prices = Mapping[str, float | None]
"""Dollars per million input tokens by model."""


def us(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000_000


def price_file(prices: Prices) -> bytes:
    """A price file with these models of OpenAI's, and enough others to be one."""
    entries: dict[str, object] = {f"filler-{number}": entry(1.0) for number in range(1000)}
    entries |= {model: entry(dollars) for model, dollars in prices.items() if dollars is not None}
    return json.dumps(entries).encode()


def entry(per_mtok: float, **more: object) -> dict[str, object]:
    return {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": per_mtok / 1e6,
        "output_cost_per_token": 0,
        **more,
    }


@pytest.fixture(autouse=True)
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packaged file stays out of it, but for tests that bring one."""
    for module in (pricing.edition, pricing.refresh):
        monkeypatch.setattr(module, "packaged_file", lambda: None)
        monkeypatch.setattr(module, "installed_litellm", lambda: "1.100.0")


def take(folder: Path, day: str, prices: Prices) -> Changes:
    taken = prepare(folder, price_file(prices), f"https://prices.example/{day}", us(day))
    commit(folder, taken)
    return taken.changes


def nanousd(folder: Path, model: str, at: str | None) -> int | None:
    price = Catalog.load(prices_path(folder)).find("openai", model, us(at) if at else None)
    cost = price.cost(THOUSAND) if price else None
    return cost.total_nanousd if cost else None


def price_id(folder: Path, model: str, at: str | None = None) -> str | None:
    price = Catalog.load(prices_path(folder)).find("openai", model, us(at) if at else None)
    return price.price_id if price else None


def test_the_price_valid_at_the_call_s_time_decides(tmp_path: Path) -> None:
    take(tmp_path, "2026-01-01", {"gpt": 3.0, "same": 1.0})
    take(tmp_path, "2026-02-01", {"gpt": 2.0, "same": 1.0})
    take(tmp_path, "2026-03-01", {"gpt": 1.0, "same": 1.0})
    assert [nanousd(tmp_path, "gpt", at) for at in ("2025-06-01", "2026-01-31", "2026-02-01", "2026-02-28", None)] == [
        3_000_000,
        3_000_000,
        2_000_000,
        2_000_000,
        1_000_000,
    ]
    assert price_id(tmp_path, "gpt", "2026-01-15") == "gpt@2026-01-01"
    assert price_id(tmp_path, "gpt", "2026-02-15") == "gpt@2026-02-01"
    assert price_id(tmp_path, "gpt") == "gpt@2026-03-01"
    assert price_id(tmp_path, "same") == "same@2026-01-01"


def test_a_price_says_from_when_until_when(tmp_path: Path) -> None:
    take(tmp_path, "2026-01-01", {"gpt": 3.0})
    take(tmp_path, "2026-02-01", {"gpt": 2.0})
    periods = Catalog.load(prices_path(tmp_path)).periods("openai", "gpt")
    assert [(period.price.valid_from, period.price.valid_from_us, period.price.valid_to_us) for period in periods] == [
        (None, None, us("2026-02-01")),
        ("2026-02-01", us("2026-02-01"), None),
    ]


def test_a_model_that_is_added_has_its_price_for_earlier_calls_too(tmp_path: Path) -> None:
    take(tmp_path, "2026-01-01", {})
    changes = take(tmp_path, "2026-02-01", {"gpt": 2.0})
    assert changes.added == ["gpt"]
    assert nanousd(tmp_path, "gpt", "2025-12-24") == 2_000_000
    assert price_id(tmp_path, "gpt") == "gpt@2026-02-01"


def test_a_model_that_is_removed_keeps_its_price_for_the_past_and_has_none_now(tmp_path: Path) -> None:
    take(tmp_path, "2026-01-01", {"gpt": 2.0})
    changes = take(tmp_path, "2026-02-01", {})
    assert changes.removed == ["gpt"]
    assert nanousd(tmp_path, "gpt", "2026-01-31") == 2_000_000
    assert nanousd(tmp_path, "gpt", "2026-02-01") is None
    assert nanousd(tmp_path, "gpt", None) is None


def test_a_model_that_comes_back_has_no_price_in_between(tmp_path: Path) -> None:
    take(tmp_path, "2026-01-01", {"gpt": 2.0})
    take(tmp_path, "2026-02-01", {})
    take(tmp_path, "2026-03-01", {"gpt": 5.0})
    assert [nanousd(tmp_path, "gpt", at) for at in ("2026-01-31", "2026-02-15", "2026-03-01")] == [
        2_000_000,
        None,
        5_000_000,
    ]


def test_two_changes_on_one_day_are_two_prices(tmp_path: Path) -> None:
    take(tmp_path, "2026-01-01", {"gpt": 1.0})
    take(tmp_path, "2026-02-01T08:00", {"gpt": 2.0})
    take(tmp_path, "2026-02-01T09:00", {"gpt": 3.0})
    assert price_id(tmp_path, "gpt", "2026-02-01T08:30") == "gpt@2026-02-01"
    assert price_id(tmp_path, "gpt", "2026-02-01T09:30") == "gpt@2026-02-01T09:00:00.000000Z"


def test_what_is_no_price_is_no_change(tmp_path: Path) -> None:
    commit(tmp_path, prepare(tmp_path, _with(supports_vision=False), "a", us("2026-01-01")))
    taken = prepare(tmp_path, _with(supports_vision=True), "b", us("2026-02-01"))
    assert not taken.changes.any


def test_a_change_is_reported_by_field(tmp_path: Path) -> None:
    commit(tmp_path, prepare(tmp_path, _with(), "a", us("2026-01-01")))
    taken = prepare(tmp_path, _with(cache_read_input_token_cost=5e-7), "b", us("2026-02-01"))
    (change,) = taken.changes.changed
    assert (change.key, change.field, change.old, str(change.new)) == (
        "gpt",
        "cache_read_input_token_cost",
        None,
        "5E-7",
    )


def _with(**more: object) -> bytes:
    return json.dumps({**json.loads(price_file({})), "gpt": entry(1.0, **more)}).encode()


def test_nothing_is_written_before_the_commit(tmp_path: Path) -> None:
    prepare(tmp_path, price_file({}), "a", us("2026-01-01"))
    assert list(tmp_path.iterdir()) == []


def test_the_history_is_only_appended_to(tmp_path: Path) -> None:
    take(tmp_path, "2026-01-01", {"gpt": 3.0})
    before = (tmp_path / HISTORY_FILE).read_bytes()
    take(tmp_path, "2026-02-01", {"gpt": 2.0})
    assert (tmp_path / HISTORY_FILE).read_bytes().startswith(before)
    sources = read_history(tmp_path).sources
    assert [(source.source, source.models, source.litellm) for source in sources] == [
        ("https://prices.example/2026-01-01", 1001, "1.100.0"),
        ("https://prices.example/2026-02-01", 1001, "1.100.0"),
    ]


def test_a_crash_between_history_and_file_loses_nothing(tmp_path: Path) -> None:
    take(tmp_path, "2026-01-01", {"gpt": 3.0})
    old = prices_path(tmp_path).read_bytes()
    take(tmp_path, "2026-02-01", {"gpt": 2.0})
    prices_path(tmp_path).write_bytes(old)
    assert nanousd(tmp_path, "gpt", None) == 3_000_000
    take(tmp_path, "2026-03-01", {"gpt": 2.0})
    assert [nanousd(tmp_path, "gpt", at) for at in ("2026-01-15", "2026-02-15", "2026-03-15")] == [
        3_000_000,
        3_000_000,
        2_000_000,
    ]


def test_half_a_line_of_a_crash_is_dropped(tmp_path: Path) -> None:
    take(tmp_path, "2026-01-01", {"gpt": 3.0})
    with (tmp_path / HISTORY_FILE).open("ab") as file:
        file.write(b'{"kind":"was","key":"gp')
    assert len(read_history(tmp_path).sources) == 1
    take(tmp_path, "2026-02-01", {"gpt": 2.0})
    assert nanousd(tmp_path, "gpt", "2026-01-15") == 3_000_000


def test_a_damaged_history_is_said_and_the_packaged_file_used(tmp_path: Path) -> None:
    take(tmp_path, "2026-01-01", {"gpt": 3.0})
    history = tmp_path / HISTORY_FILE
    history.write_bytes(b"damage\n" + history.read_bytes())
    catalog = Catalog.load(prices_path(tmp_path))
    assert catalog.problem is not None
    assert f"{history}:1:" in catalog.problem


@pytest.mark.parametrize("damage", [b"", b"[]", b"{", b'{"a": '])
def test_a_damaged_file_is_said(damage: bytes, tmp_path: Path) -> None:
    take(tmp_path, "2026-01-01", {"gpt": 3.0})
    prices_path(tmp_path).write_bytes(damage)
    catalog = Catalog.load(prices_path(tmp_path))
    assert catalog.problem is not None
    assert catalog.problem.endswith("run `callgate prices refresh`")
    take(tmp_path, "2026-02-01", {"gpt": 2.0})
    assert Catalog.load(prices_path(tmp_path)).problem is None


def test_a_file_without_a_word_about_its_origin_is_not_trusted(tmp_path: Path) -> None:
    prices_path(tmp_path).write_bytes(price_file({"gpt": 9.0}))
    edition = current_edition(prices_path(tmp_path))
    assert edition.entries == {}


REFUSED = {
    "not JSON": (b"<html>", "it is not a price file"),
    "a list": (b"[]", "it is not a price file"),
    "too short": (b"{}", "it lists 0 models; a price file lists at least 1000"),
    "negative": (_with(input_cost_per_token=-1e-6), "gpt: input_cost_per_token is negative: -0.000001"),
    "a price in words": (_with(input_cost_per_image=True), "gpt: input_cost_per_image is True, not a number"),
    "per million in the field per token": (
        _with(input_cost_per_token=2.5),
        "gpt: input_cost_per_token is $2.5 for a single token",
    ),
    "an entry that is none": (
        json.dumps({**json.loads(price_file({})), "gpt": 5}).encode(),
        "gpt: cannot be read",
    ),
    "hours that are none": (_with(off_peak_pricing={"windows": [{"hours_utc": "late"}]}), "gpt: cannot be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_right_is_refused(case: str, tmp_path: Path) -> None:
    data, message = REFUSED[case]
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        prepare(tmp_path, data, "a", 0)


def test_many_problems_are_cut_short() -> None:
    entries = {f"m{number}": {"input_cost_per_token": -1} for number in range(1000)}
    with pytest.raises(ValueError, match=r"… and 990 more$"):
        check(json.dumps(entries).encode())


def test_a_file_that_lost_half_its_models_is_refused(tmp_path: Path) -> None:
    take(tmp_path, "2026-01-01", {f"model-{number}": 1.0 for number in range(1002)})
    with pytest.raises(ValueError, match="it lists 1000 models, less than half of the 2002 known now"):
        take(tmp_path, "2026-02-01", {})


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The price file of an installed package; its version is in `installed`."""
    path = tmp_path / "site-packages.json"
    for module in (pricing.edition, pricing.refresh):
        monkeypatch.setattr(module, "packaged_file", lambda: path)
    return path


def install(monkeypatch: pytest.MonkeyPatch, package: Path, version: str, prices: Prices) -> None:
    package.write_bytes(price_file(prices))
    for module in (pricing.edition, pricing.refresh):
        monkeypatch.setattr(module, "installed_litellm", lambda: version)


def test_an_upgrade_of_the_package_leaves_the_old_price_in_the_history(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    install(monkeypatch, package, "1.100.0", {"gpt": 3.0})
    assert adopt_packaged(folder, us("2026-01-01")) is not None
    assert adopt_packaged(folder, us("2026-01-02")) is None
    install(monkeypatch, package, "1.101.0", {"gpt": 2.0})
    changes = adopt_packaged(folder, us("2026-02-01"))
    assert changes is not None
    assert [change.key for change in changes.changed] == ["gpt"]
    assert nanousd(folder, "gpt", "2026-01-15") == 3_000_000
    assert nanousd(folder, "gpt", None) == 2_000_000


def test_an_older_package_does_not_undo_a_refresh(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    install(monkeypatch, package, "1.100.0", {"gpt": 3.0})
    take(folder, "2026-02-01", {"gpt": 2.0})
    install(monkeypatch, package, "1.99.3", {"gpt": 9.0})
    assert adopt_packaged(folder, us("2026-03-01")) is None
    assert nanousd(folder, "gpt", None) == 2_000_000


def test_a_newer_package_is_used_even_before_it_is_adopted(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    install(monkeypatch, package, "1.100.0", {"gpt": 3.0})
    take(folder, "2026-02-01", {"gpt": 2.0})
    install(monkeypatch, package, "1.100.1", {"gpt": 1.0})
    assert nanousd(folder, "gpt", None) == 1_000_000
    assert price_id(folder, "gpt") == "gpt@2026-02-01"


@pytest.mark.parametrize(
    ("installed", "taken_with", "newer"),
    [("1.10.0", "1.9.9", True), ("1.9.9", "1.10.0", False), ("1.10.0", "1.10.0", False), ("1.0", None, True)],
)
def test_which_package_is_newer(installed: str, taken_with: str | None, newer: bool) -> None:
    sources = (Source(1, "a", "0", 1, taken_with),) if taken_with else ()
    assert packaged_is_newer(History(sources), installed) is newer


def test_versions_are_compared_by_their_numbers() -> None:
    assert version_key("1.106.2") > version_key("1.99.10") > version_key("1.99.rc1")


def test_numbers_survive_the_history_exactly(tmp_path: Path) -> None:
    tiny = 8.39233e-08
    commit(tmp_path, prepare(tmp_path, _with(cache_read_input_token_cost=tiny), "a", us("2026-01-01")))
    commit(tmp_path, prepare(tmp_path, _with(), "b", us("2026-02-01")))
    old = Catalog.load(prices_path(tmp_path)).find("openai", "gpt", us("2026-01-15"))
    assert old is not None
    cost = old.cost(Usage(input_tokens=10**9, cached_input_tokens=10**9))
    assert cost is not None
    assert cost.total_nanousd == 83_923_300_000
