"""docs/api.md has every endpoint, field, parameter, error and metric, and none that is not there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.api import RULES
from gateway.api.access import Rule
from gateway.api.filters import NAMES, ORDERS, PERIODS
from gateway.api.record import FIELDS
from gateway.core.health import ProviderHealth
from gateway.core.span import ERROR_TYPES
from gateway.store.base import GROUPS
from tests.api.fakes import FakeStore, ask, make_app, make_state

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "api.md").read_text("utf-8")


def rows_below(heading: str) -> list[str]:
    """The names in the first column of the first table after a heading."""
    table = TEXT.partition(f"\n{heading}\n")[2].partition("|---|---|\n")[2].partition("\n\n")[0]
    return [name for line in table.splitlines() for name in re.findall(r"`([^`]+)`", line.split("|")[1])]


def test_the_record() -> None:
    assert rows_below("## The record") == list(FIELDS)


def test_the_error_types() -> None:
    assert rows_below("### Error types") == list(ERROR_TYPES)


def test_the_filters() -> None:
    assert {name.partition("=")[0] for name in rows_below("## Filters")} == set(NAMES)


def test_the_metrics(tmp_path: Path) -> None:
    state = replace(make_state(FakeStore(), tmp_path), provider_health=lambda: {"openai": ProviderHealth()})
    families = text_string_to_metric_families(ask(make_app(state), "/metrics", None).text)
    served = [f"{family.name}_total" if family.type == "counter" else family.name for family in families]
    assert sorted(rows_below("### GET /metrics")) == sorted(served)


@pytest.mark.parametrize("word", [*PERIODS, *ORDERS, *GROUPS])
def test_every_choice_is_named(word: str) -> None:
    assert re.search(rf"\b{word}\b", TEXT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.path)
def test_every_endpoint_is_there(rule: Rule) -> None:
    path = rule.path.replace(":path", "").replace("{request_id}", "{id}")
    assert all(f"{method} {path}" in TEXT for method in rule.methods if method != "HEAD")


def test_every_error_code_is_there_and_none_else() -> None:
    own = [path for path in (ROOT / "gateway" / "api").glob("*.py") if path.name != "models.py"]  # model traffic
    own.append(ROOT / "gateway" / "annex" / "way.py")
    sources = "\n".join(path.read_text("utf-8") for path in own)
    raised = set(re.findall(r'CallError\(\s*\d{3},\s*"([a-z_]+)"', sources))
    raised |= {"invalid_parameter", "unknown_parameter", "key_revoked", "key_expired"}
    table = TEXT.partition("\n## Errors\n")[2].partition("|---|---|---|\n")[2]
    cells = [line.split("|")[3].partition(";")[0] for line in table.splitlines()]
    assert {code for cell in cells for code in re.findall(r"`([a-z_]+)`", cell)} == raised
