"""`${VAR}` in the file, `CALLGATE_<PATH>` beside it, and the providers whose key is in the environment."""

from __future__ import annotations

import pytest

KEY = "k-0123456789abcdef"


@pytest.mark.parametrize(
    ("written", "environ", "host"),
    [
        ("${HOST}", {"HOST": "::1"}, "::1"),
        ("a-${HOST}-b", {"HOST": "x"}, "a-x-b"),
        ("${A}${B}", {"A": "1", "B": "2"}, "12"),
        ("${HOST:-here}", {}, "here"),
        ("${HOST:-here}", {"HOST": ""}, "here"),
        ("${HOST:-}", {}, ""),
        ("${HOST}", {"HOST": ""}, ""),
        ("$${HOST}", {"HOST": "x"}, "${HOST}"),
        ("$HOST", {"HOST": "x"}, "$HOST"),
        ("${HOST}", {"HOST": "${OTHER}", "OTHER": "x"}, "${OTHER}"),  # filled in once: a value is no program
        ("${HOST:-http://h:1/v1}", {}, "http://h:1/v1"),
    ],
)
def test_interpolation(read, written, environ, host):
    assert read(f"server: {{host: '{written}'}}", environ).settings.server.host == host


def test_interpolated_numbers_switches_and_nulls(read):
    text = """
        server: {port: "${PORT}"}
        log: {capture_stream_timing: "${TIMING}", retention_days: "${DAYS}"}
    """
    settings = read(text, {"PORT": "5001", "TIMING": "true", "DAYS": "null"}).settings
    assert settings.server.port == 5001
    assert settings.log.capture_stream_timing is True
    assert settings.log.retention_days is None


def test_interpolation_in_lists_and_keys_of_maps_stay(read):
    text = 'keys: [{name: app, key: "${KEY}", models: ["${MODEL}", b], tags: {"${x}": "${MODEL}"}}]'
    key = read(text, {"KEY": KEY, "MODEL": "a"}).settings.keys[0]
    assert (key.key, key.models, key.tags) == (KEY, ["a", "b"], {"${x}": "a"})


@pytest.mark.parametrize(
    ("variable", "value", "path", "expected"),
    [
        ("CALLGATE_LOG__FLUSH_INTERVAL_MS", "500", "log.flush_interval_ms", 500),
        ("CALLGATE_LOG__REDACTION__ENABLED", "false", "log.redaction.enabled", False),
        ("CALLGATE_LOG__REDACTION__SKIP", '["ip", "email"]', "log.redaction.skip", ["ip", "email"]),
        ("CALLGATE_LOG__REDACTION__SKIP", "[ip, email]", "log.redaction.skip", ["ip", "email"]),
        ("CALLGATE_LOG__REDACTION__RULES__DIGITS", "[0-9]+", "log.redaction.rules", {"digits": "[0-9]+"}),
        ("CALLGATE_LOG__RETENTION_DAYS", "null", "log.retention_days", None),
        ("CALLGATE_MODELS", "fast: demo/echo\nslow: demo/lorem", "models", {"fast": "demo/echo", "slow": "demo/lorem"}),
        ("CALLGATE_MODELS__FAST", "demo/echo", "models", {"fast": "demo/echo"}),
        ("CALLGATE_DEFAULT_PROVIDER", "demo", "default_provider", "demo"),
        ("CALLGATE_SERVER__HOST", "", "server.host", "127.0.0.1"),
        ("CALLGATE_SERVER", "{port: 1}", "server.port", 1),
    ],
)
def test_a_variable_for_every_setting(read, variable, value, path, expected):
    found = read(None, {variable: value}).settings
    for step in path.split("."):
        found = getattr(found, step)
    assert found == expected


def test_a_variable_finds_the_spelling_of_the_file(read):
    text = "providers: {my-vLLM: {dialect: openai, base_url: 'http://h/v1'}}"
    settings = read(text, {"CALLGATE_PROVIDERS__MY_VLLM__API_KEY": "12345"}).settings
    assert settings.providers["my-vLLM"].api_key == "12345"
    assert "my_vllm" not in settings.providers


@pytest.mark.parametrize("as_map", [True, False])
def test_a_provider_by_variables_alone(read, as_map):
    environ = (
        {"CALLGATE_PROVIDERS__LOCAL": '{"dialect": "openai", "base_url": "http://h/v1", "api_key": ["a", "b"]}'}
        if as_map
        else {
            "CALLGATE_PROVIDERS__LOCAL__DIALECT": "openai",
            "CALLGATE_PROVIDERS__LOCAL__BASE_URL": "http://h/v1",
            "CALLGATE_PROVIDERS__LOCAL__API_KEY": '["a", "b"]',
        }
    )
    local = read(None, environ).settings.providers["local"]
    assert (local.base_url, local.api_key, local.auth, local.ask_usage) == ("http://h/v1", ["a", "b"], "bearer", True)


def test_a_misspelt_variable_is_a_problem_within_a_section_and_a_warning_outside(problems, read):
    assert problems("{}", {"CALLGATE_SERVER__PROT": "1"}) == ["server.prot: is no setting; did you mean port?"]
    assert read("{}", {"CALLGATE_SEVER__PORT": "1"}).warnings == [
        "CALLGATE_SEVER__PORT: there is no section sever; did you mean CALLGATE_SERVER__…?"
    ]


def test_variables_that_kubernetes_sets_beside_a_service_of_that_name(read):
    environ = {"CALLGATE_PORT": "tcp://10.0.0.1:4000", "CALLGATE_SERVICE_HOST": "10.0.0.1"}
    assert read(None, environ).warnings == []


def test_every_provider_whose_key_is_there_and_the_openai_default(read):
    settings = read(None, {"GROQ_API_KEY": "gsk", "OPENAI_API_KEY": "sk\n", "ANTHROPIC_API_KEY": "  "}).settings
    assert list(settings.providers) == ["openai", "groq", "demo"]
    assert settings.providers["openai"].api_key == "sk"
    assert settings.default_provider == "openai"


@pytest.mark.parametrize(
    ("text", "environ", "default"),
    [
        (None, {}, None),
        (None, {"GROQ_API_KEY": "k"}, "groq"),
        (None, {"GROQ_API_KEY": "k", "MISTRAL_API_KEY": "k"}, None),
        ("default_provider: null", {"OPENAI_API_KEY": "k"}, None),
        ("default_provider: groq", {"OPENAI_API_KEY": "k", "GROQ_API_KEY": "k"}, "groq"),
        ("providers: {ollama: {}}", {"OPENAI_API_KEY": "k"}, None),  # who configures, says so
    ],
)
def test_the_default_provider_of_nothing_configured(read, text, environ, default):
    assert read(text, environ).settings.default_provider == default


def test_a_configured_provider_takes_its_key_from_the_environment(read):
    environ = {"OPENAI_API_KEY": "from-environment"}
    keys = {
        "{}": "from-environment",
        "": "from-environment",
        "{api_key: }": "from-environment",
        '{api_key: "${UNSET:-}"}': "from-environment",
        "{api_key: mine}": "mine",
        "{api_key: none}": "none",
        '{api_key: [a, "${UNSET:-}", b]}': ["a", "b"],
    }
    found = {
        written: read(f"providers: {{openai: {written}}}", environ).settings.providers["openai"].api_key
        for written in keys
    }
    assert found == keys


def test_addresses_that_depend_on_an_account(read):
    environ = {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://acme.openai.azure.com/"}
    azure = read(None, environ).settings.providers["azure"]
    assert (azure.base_url, azure.auth) == ("https://acme.openai.azure.com/openai/v1", "api-key")
    assert "azure" not in read(None, {"AZURE_OPENAI_API_KEY": "k"}).settings.providers


def test_what_a_row_knows_gives_way_to_what_is_written(read):
    text = """
        providers:
          mistral: {}
          anthropic: {api_key: k, base_url: "http://h/"}
          openai: {dialect: anthropic, api_key: k, base_url: "http://h"}
          litellm: {metadata: strip, base_url: "http://h/v1/", api_key: k}
    """
    providers = read(text).settings.providers
    assert (providers["mistral"].base_url, providers["mistral"].ask_usage) == ("https://api.mistral.ai/v1", False)
    assert (providers["anthropic"].base_url, providers["anthropic"].auth) == ("http://h", "x-api-key")
    assert (providers["openai"].auth, providers["openai"].ask_usage) == ("x-api-key", False)
    assert (providers["litellm"].metadata, providers["litellm"].base_url) == ("strip", "http://h/v1")
    assert read("providers: {litellm: {}}").settings.providers["litellm"].metadata == "forward"


def test_warnings(read):
    text = """
        providers:
          mistral: {}
          ollama: {}
          mine: {dialect: openai, base_url: "http://h"}
    """
    assert read(text, {"ALL_PROXY": "socks5://h:1"}).warnings == [
        "ALL_PROXY: socks5 proxies are not supported; http connections go direct",
        "ALL_PROXY: socks5 proxies are not supported; https connections go direct",
        "providers.mistral: no key; set MISTRAL_API_KEY or api_key (`none` if it needs none)",
        "providers.mine: no key; api_key (`none` if it needs none)",
        "providers.mine.base_url: has no path; OpenAI-compatible servers mostly want …/v1",
    ]


def test_no_repr_shows_a_secret(read):
    text = f"""
        providers: {{openai: {{api_key: [sk-one, sk-two], headers: {{x-key: sk-three}}}}}}
        keys: [{{name: app, key: {KEY}}}]
    """
    loaded = read(text, {"HTTPS_PROXY": "http://user:sk-four@proxy:3128"})
    for shown in (repr(loaded), repr(loaded.settings.providers), str(loaded.settings.keys[0])):
        assert "sk-" not in shown
        assert KEY not in shown
