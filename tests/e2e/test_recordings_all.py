"""Every recorded exchange of every provider, at its own path below `/p/{provider}` and by the gateway's own paths: the
client gets the provider's bytes however they were cut, the log what they mean and what they cost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pricing import Catalog
from tests.dialects import recorded
from tests.dialects.recorded import Record, each
from tests.e2e.playing import RECORDS, Played, means, named, native, playing, reports_usage, same_bytes
from tests.pricing.second_opinion import their_nanousd

SPLITS = ("random", "line", "byte", "gzip")
NAMED = {record["id"]: request for record in RECORDS if (request := named(record)) is not None}
OF_THE_HOUR = "+"
"""In the id of a price that holds at this time of the day; the other list knows but one."""

pytestmark = recorded.needs_recordings


@pytest.fixture(scope="module", params=SPLITS)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    requests = {record["id"]: native(record) for record in RECORDS}
    with playing(tmp_path_factory.mktemp(request.param), request.param, requests) as all_of_them:
        yield all_of_them


@pytest.fixture(scope="module")
def by_name(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with playing(tmp_path_factory.mktemp("named"), "random", NAMED) as all_of_them:
        yield all_of_them


@each(RECORDS)
def test_the_client_gets_the_providers_bytes_and_the_log_what_they_mean(record: Record, played: Played) -> None:
    same_bytes(played.answers[record["id"]], record, played.split)
    means(played.row(record), record)


@each([record for record in RECORDS if record["id"] in NAMED])
def test_the_same_by_the_gateways_own_paths(record: Record, by_name: Played) -> None:
    same_bytes(by_name.answers[record["id"]], record, by_name.split)
    means(by_name.row(record), record)


def test_both_price_lists_come_to_the_same_bill(played: Played) -> None:
    catalog, compared = Catalog.load(), set()
    for record in RECORDS:
        row = played.row(record)
        if not reports_usage(record) or row["cost_source"] != "catalog" or OF_THE_HOUR in row["price_id"]:
            continue
        theirs = their_nanousd(catalog.find(row["provider"], row["model"]), record)
        if theirs is not None and not row["billed_also"]:
            assert row["cost_nanousd"] == theirs, (record["id"], row["price_id"])
            compared.add(record["id"])
    assert len(compared) >= 250
