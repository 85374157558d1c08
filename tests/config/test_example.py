"""config.example.yaml, its schema and docs/configuration.md know every setting, with its default."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import jsonschema
import msgspec
import pytest
import yaml

from gateway.cli.schema import settings_schema
from gateway.config import load
from gateway.settings import ApiKey, PriceOverride, PriceTier, Provider, Settings
from gateway.settings.alerts import AlertRule, Notification
from gateway.settings.limits import Budget, Limit, Runaway
from gateway.settings.privacy import PrivacyPolicy, SealingKey
from gateway.settings.routes import ModelRoute, RouteTarget

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (ROOT / "config.example.yaml").read_text("utf-8")
EVERYTHING = re.sub(r"^#(?! \S|$)", "", EXAMPLE, flags=re.MULTILINE)
"""With what is switched off switched on."""
ENVIRON = {"APP_KEY": "0123456789abcdef", "ACME_PRODUCTION_KEY": "fedcba9876543210", "OPENAI_API_KEY": "sk-1"}


def settings_of(kind: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    """Each setting with its dotted path; maps and lists of sections count once, as `providers.*.dialect`."""
    below = {
        "providers": (Provider, "*"),
        "targets": (RouteTarget, "0"),
        "keys": (ApiKey, "0"),
        "overrides": (PriceOverride, "*.0"),
        "limits": (Limit, "0"),
        "budgets": (Budget, "0"),
        "notifications": (Notification, "*"),
        "policies": (PrivacyPolicy, "0"),
        "sealing_keys": (SealingKey, "0"),
    }
    for field in msgspec.structs.fields(kind):
        path = f"{prefix}{field.name}"
        yield path, field
        section = get_args(field.type)[0] if get_origin(field.type) is Annotated else field.type
        if isinstance(section, type) and issubclass(section, msgspec.Struct):
            yield from settings_of(section, f"{path}.")
        elif path == "models":
            yield from settings_of(ModelRoute, f"{path}.*.")
        elif path == "alerts.rules":
            yield from settings_of(AlertRule, "alerts.rules.0.")
        elif path == "runaway":
            yield from settings_of(Runaway, "runaway.")
        elif field.name in below:
            section, step = below[field.name]
            yield from settings_of(section, f"{path}.{step}.")
        elif field.name == "tiers":
            yield from settings_of(PriceTier, f"{path}.0.")


ALL = dict(settings_of(Settings))


def written(document: Any, path: str) -> bool:
    """Whether the example has it, in any of the entries where there are several."""
    here = [document]
    for step in path.split("."):
        below: list[Any] = []
        for node in here:
            if isinstance(node, dict):
                below += list(node.values()) if step == "*" else [node[step]] if step in node else []
            elif isinstance(node, list):
                below += node if step == "0" else []
        here = below
    return bool(here)


@pytest.mark.parametrize("path", ALL)
def test_the_example_has_every_setting(path):
    assert written(yaml.safe_load(EVERYTHING), path)


@pytest.mark.parametrize("text", [EXAMPLE, EVERYTHING], ids=["as it is", "everything switched on"])
def test_the_example_holds_together(tmp_path, text):
    (tmp_path / "callgate.yaml").write_text(text, "utf-8")
    assert load(str(tmp_path / "callgate.yaml"), environ=ENVIRON).warnings == []


def test_what_the_example_sets_is_the_default(tmp_path):
    (tmp_path / "callgate.yaml").write_text(EXAMPLE, "utf-8")
    found = load(str(tmp_path / "callgate.yaml"), environ=ENVIRON).settings
    for section in ("server", "log", "store", "prices", "metrics", "keys", "shared"):
        assert getattr(found, section) == getattr(Settings(), section)
    local = found.providers["local"]
    assert local == Provider(
        dialect="openai", base_url="http://127.0.0.1:8000/v1", api_key="none", auth="bearer", ask_usage=True
    )


@pytest.mark.parametrize("path", ALL)
def test_the_manual_has_every_setting_with_its_default(path):
    """Each is a row of a table below the heading of its section: | `port` | `4000` | what it is |."""
    section, _, name = path.rpartition(".")
    rows = _rows(section)
    assert name in rows, f"docs/configuration.md: no row for {name} below `## {_heading(section)}`"
    default = ALL[path].default
    if isinstance(default, (bool, int, float, str)):
        assert rows[name] == f"`{json.dumps(default) if isinstance(default, bool) else default}`"


def _heading(section: str) -> str:
    return section.replace(".*.0", "").replace(".*", "").replace(".0", "") or "top level"


def _rows(section: str) -> dict[str, str]:
    manual = (ROOT / "docs/configuration.md").read_text("utf-8")
    _, _, after = manual.partition(f"\n## {_heading(section)}\n")
    text = after.partition("\n## ")[0]
    return {name: default.strip() for name, default in re.findall(r"^\| `(\w+)` \|([^|]*)\|", text, re.MULTILINE)}


def test_the_schema_in_the_project_is_the_one_of_the_settings():
    assert json.loads((ROOT / "config.schema.json").read_text("utf-8")) == settings_schema(), (
        "run `callgate schema > config.schema.json`"
    )


def test_the_example_points_to_the_schema_and_satisfies_it():
    assert EXAMPLE.splitlines()[0] == "# yaml-language-server: $schema=config.schema.json"
    jsonschema.Draft202012Validator.check_schema(settings_schema())
    jsonschema.validate(yaml.safe_load(EVERYTHING), settings_schema())


@pytest.mark.parametrize(
    "text", ["{server: {prot: 1}}", "{server: {port: x}}", "{log: {payloads: some}}", "{keys: [{name: a}]}"]
)
def test_the_schema_refuses_what_the_gateway_refuses(text):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), settings_schema())


@pytest.mark.parametrize("text", ["{server: {port: '${PORT}'}}", "{log: {payloads: '${KEEP:-full}'}}"])
def test_the_schema_takes_references(text):
    jsonschema.validate(yaml.safe_load(text), settings_schema())


@pytest.mark.parametrize("path", ALL)
def test_every_setting_says_what_it_is_in_editors(path):
    assert _described(path), f"gateway/settings: {path} has no description"


def _described(path: str) -> bool:
    info = msgspec.inspect.type_info(ALL[path].type)
    schema = getattr(info, "extra_json_schema", None) or {}
    return bool(schema.get("description")) or isinstance(info, msgspec.inspect.StructType)
