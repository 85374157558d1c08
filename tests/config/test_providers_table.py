"""The rows of providers: a wrong one would misroute calls or leak a key to the wrong host."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.config import load
from gateway.core.document import interpolate, missing_variables
from gateway.core.providers import DEMO, DIALECTS, KNOWN, auth_of, known, nearest

ROWS = pytest.mark.parametrize("row", KNOWN.values(), ids=KNOWN)


def test_at_least_forty_and_the_routing_services():
    assert len(KNOWN) >= 40
    named = "openrouter litellm portkey vercel cloudflare azure groq together fireworks deepinfra huggingface vertex"
    assert set(named.split()) <= set(KNOWN)
    assert {"gemini", "gemini-openai", "vllm", "ollama", "llamacpp", "lmstudio", DEMO} <= set(KNOWN)


@ROWS
def test_a_row_holds_together(row):
    assert known(row.name) is row
    assert row.dialect in DIALECTS
    assert row.auth in {"bearer", "x-api-key", "x-goog-api-key", "api-key"}
    assert row.auth == auth_of(row.dialect) or row.name.startswith(("azure", "vertex"))
    assert row.dialect == "openai" or not row.ask_usage
    assert all(variable == variable.upper() for variable in row.key_variables)
    assert row.name == row.name.lower()
    assert "/" not in row.name


@ROWS
def test_keys_travel_encrypted_unless_at_home(row):
    filled = dict.fromkeys(missing_variables(row.base_url, {}), "https://account.example")
    if not row.base_url.startswith("$"):
        filled = dict.fromkeys(filled, "account")
    url = urlsplit(str(interpolate(row.base_url, filled, [])))
    assert url.scheme == "https" or url.hostname in {"127.0.0.1", "demo.invalid"}
    assert not url.path.endswith("/")


@ROWS
def test_its_key_alone_configures_it_if_it_may(row):
    environ = dict.fromkeys(missing_variables(row.base_url, {}), "account")
    if row.base_url.startswith("$"):
        environ = dict.fromkeys(environ, "https://account.example")
    for variable in row.key_variables:
        providers = load("/dev/null", environ={**environ, variable: "k"}).settings.providers
        assert (row.name in providers) == row.from_environment
        if row.from_environment:
            assert providers[row.name].api_key == "k"
            assert providers[row.name].auth == row.auth
            assert providers[row.name].ask_usage == row.ask_usage


def test_one_variable_adds_one_provider():
    taken: dict[str, str] = {}
    for row in KNOWN.values():
        for variable in row.key_variables if row.from_environment else ():
            assert taken.setdefault(variable, row.name) == row.name


@pytest.mark.parametrize(("name", "near"), [("OpenAI", "openai"), ("opnrouter", "openrouter"), ("qqq", None)])
def test_nearest(name, near):
    assert nearest(name) == near


@ROWS
def test_the_manual_has_it(row):
    manual = (Path(__file__).resolve().parents[2] / "docs" / "providers.md").read_text("utf-8")
    assert row.name == DEMO or f"| `{row.name}` | {row.title} | `{row.base_url}` | {row.dialect} |" in manual


VERTEX = {"VERTEX_PROJECT": "p", "VERTEX_LOCATION": "europe-west4", "GOOGLE_APPLICATION_CREDENTIALS": "/sa.json"}


def test_google_s_credentials_configure_vertex_where_its_project_is_known():
    settings = load("/dev/null", environ=VERTEX).settings
    assert settings.providers["vertex"].google_credentials == "/sa.json"
    assert settings.providers["vertex"].base_url == (
        "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4/endpoints/openapi"
    )
    assert "vertex" not in load("/dev/null", environ={"GOOGLE_APPLICATION_CREDENTIALS": "/sa.json"}).settings.providers
    own = load("/dev/null", environ={**VERTEX, "VERTEX_ACCESS_TOKEN": "t"}).settings.providers["vertex"]
    assert (own.api_key, own.google_credentials) == ("t", None)


def test_the_global_location_of_vertex_has_a_host_without_one():
    settings = load("/dev/null", environ={**VERTEX, "VERTEX_LOCATION": "global"}).settings
    assert settings.providers["vertex"].base_url == (
        "https://aiplatform.googleapis.com/v1/projects/p/locations/global/endpoints/openapi"
    )
