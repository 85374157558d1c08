from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.check import aligned, check
from gateway.errors import ConfigError

TEXT = """
server: {port: 5000, workers: 2, data: /srv/gate}
providers:
  openai: {api_key: [sk-one, sk-two]}
  ollama: {models: [llama3.3]}
  mistral: {}
default_provider: openai
models:
  fast: openai/gpt-4o-mini
  smart:
    targets: [{model: openai/gpt-5, weight: 9, region: us}, ollama/llama3.3, {model: fast, share: 0.05}]
    fallbacks: [spare]
    sticky: session
  spare: {targets: [demo/echo, demo/lorem], strategy: latency, retries: 1}
keys: [{name: app, key: "k-0123456789abcdef", tenant: acme, models: ["gpt-*"]}]
tenants: [{slug: acme, name: Acme Inc.}, {slug: globex, suspended: true}]
environments: [{name: production, tenant: acme, key: "e-0123456789abcdef", note: ask Ann}]
"""

EXPECTED = """\
callgate.yaml: holds together

server
  listens on  127.0.0.1:5000
  workers     2
  data        /srv/gate
  store       sqlite:///callgate.db

providers
  openai   openai  https://api.openai.com/v1  2 keys in rotation, through http://proxy:3128
  ollama   openai  http://127.0.0.1:11434/v1  needs no key
  mistral  openai  https://api.mistral.ai/v1  no key, through http://proxy:3128
  demo     openai  built in

models
  fast            → openai/gpt-4o-mini
  smart           weighted, sticky by session, 2 retries
                  → openai/gpt-5  (85.5 %, in us)
                  → ollama/llama3.3  (9.5 %)
                  → openai/gpt-4o-mini  (5 %)
                  → demo/echo  (fallback 1)
                  → demo/lorem  (fallback 1)
  spare           latency, 1 retry
                  → demo/echo
                  → demo/lorem
  llama3.3        → ollama/llama3.3
  PROVIDER/MODEL  → that provider
  others          → the provider that has it in the price catalogue
  unclaimed       → openai, as they are

keys
  app  app  tenant acme  models gpt-*

tenants
  acme    Acme Inc.
  globex             suspended

environments
  acme/production  ask Ann
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def run(text: str | None, *arguments: str, **environ: str) -> Result:
        monkeypatch.setattr("os.environ", environ)
        if text is not None:
            (tmp_path / "callgate.yaml").write_text(text)
        return CliRunner().invoke(check, arguments)

    return run


def test_what_a_configuration_comes_to(run):
    shown = run(TEXT, HTTPS_PROXY="http://user:hunter2@proxy:3128")
    assert shown.stdout == EXPECTED
    assert (
        shown.stderr == "warning: providers.mistral: no key; set MISTRAL_API_KEY or api_key (`none` if it needs none)\n"
    )
    assert shown.exit_code == 0


def test_without_a_default_provider(run):
    assert "unclaimed       → 404 model_not_found" in run(None).stdout


def test_what_does_not_hold_together(run):
    shown = run("server: {prot: 1}")
    assert isinstance(shown.exception, ConfigError)
    assert str(shown.exception) == "callgate.yaml:server.prot: is no setting; did you mean port? (line 1)"
    assert shown.stdout == ""


def test_columns():
    assert aligned([("a", "bbb", ""), ("aa", "b", "c")]) == ["a   bbb", "aa  b    c"]
    assert aligned([]) == []
