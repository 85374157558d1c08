"""Every wrong setting is named with its path, what it is, and the way out; all at once; and no secret is shown."""

from __future__ import annotations

import pytest

from gateway.errors import ConfigError
from gateway.settings import Settings

KEY = "k-0123456789abcdef"

CASES = {
    # not YAML at all
    "server: [1": ": is not YAML: expected ',' or ']', but got '<stream end>' (line 1)",
    "server: {host: ${HOST}}": ": is not YAML: expected ',' or '}', but got '{' (line 1);"
    ' within { } or [ ] write "${VAR}" in quotes',
    "a: !!python/object/apply:os.system [id]": ": is not YAML: could not determine a constructor for the tag "
    "'tag:yaml.org,2002:python/object/apply:os.system' (line 1)",
    "- server": ": must be a map of settings, like `server: {port: 4000}`",
    "server: {port: 1}\nserver: {port: 2}": "server: is written twice; keep one (line 2)",
    "? [a]\n: 1": ": has a name that is not text (line 1)",
    # shapes
    "sever: {}": "sever: is no setting; did you mean server? (line 1)",
    "qqq: 1": f"qqq: is no setting; there are: {', '.join(Settings.__struct_fields__)} (line 1)",
    "server:\n  prot: 1": "server.prot: is no setting; did you mean port? (line 2)",
    "server: 4000": "server: the value is not a map of settings (line 1)",
    "server: {port: http}": "server.port: 'http' is not a whole number from 0 to 65535 (line 1)",
    "server: {port: 70000}": "server.port: 70000 is not a whole number from 0 to 65535 (line 1)",
    "server: {port: null}": "server.port: null is not a whole number from 0 to 65535 (line 1)",
    "server: {workers: 0}": "server.workers: 0 is not a whole number of at least 1 (line 1)",
    "server: {keep_alive_s: -1}": "server.keep_alive_s: -1 is not a number above 0 (line 1)",
    "server: {host: [a]}": "server.host: a list is not text (line 1)",
    "server: {host: 127}": "server.host: 127 is not text; write it in quotes (line 1)",
    "log: {capture_stream_timing: maybe}": "log.capture_stream_timing: 'maybe' is not true or false (line 1)",
    "log: {payloads: fulll}": "log.payloads: 'fulll' is not one of full, hash, none, preview; did you mean full? "
    "(line 1)",
    "log: {retention_days: 0}": "log.retention_days: 0 is not a whole number of at least 1 or null (line 1)",
    "log: {redaction: {skip: ip}}": "log.redaction.skip: 'ip' is not a list (of text) (line 1)",
    # providers
    "providers: {openai: hunter2}": "providers.openai: the value is not a map of settings (line 1)",
    "providers: {mine: {base_url: 'http://h/v1'}}": "providers.mine.dialect: is missing: mine is not known by name, "
    "so set what it speaks: openai, anthropic, gemini, cohere, bedrock, ollama, mcp (line 1)",
    "providers: {mine: {dialect: openai}}": "providers.mine.base_url: is missing: mine is not known by name, "
    "so set its address, as its own SDK takes it (line 1)",
    "providers: {mistrl: {dialect: openai}}": "providers.mistrl.base_url: is missing: mistrl is not known by name, "
    "so set its address, as its own SDK takes it; or did you mean mistral? (line 1)",
    "providers: {openai: {dialect: opnai}}": "providers.openai.dialect: 'opnai' is no dialect; did you mean openai? "
    "(line 1)",
    "providers: {openai: {base_url: api.openai.com}}": "providers.openai.base_url: is not an address like "
    "https://host/v1 (line 1)",
    "providers: {openai: {base_url: 'http://h:99999'}}": "providers.openai.base_url: is not an address like "
    "https://host/v1 (line 1)",
    "providers: {openai: {base_url: 'http://h/v1?a=b'}}": "providers.openai.base_url: has a ? or # part; put what "
    "follows it into `headers` or leave it out (line 1)",
    "providers: {openai: {base_url: 'http://u:hunter2@h/v1'}}": "providers.openai.base_url: has a user or password in "
    "it; use `api_key` or `headers` (line 1)",
    'providers: {openai: {api_key: "sk 1"}}': "providers.openai.api_key: has white space, a line break or a non-ASCII "
    "character in it (line 1)",
    "providers: {openai: {api_key: {a: hunter2}}}": "providers.openai.api_key: the value is not text or a list "
    "(of text) or null (line 1)",
    "providers: {openai: {auth: basic}}": "providers.openai.auth: 'basic' is not one of api-key, bearer, "
    "x-api-key, x-goog-api-key or null (line 1)",
    "providers: {openai: {headers: {'x y': a}}}": "providers.openai.headers.x y: is no header name: letters, digits, "
    "- and _ (line 1)",
    "providers: {openai: {headers: {Host: a}}}": "providers.openai.headers.Host: belongs to the connection and is set "
    "by the gateway; leave it out (line 1)",
    'providers: {openai: {headers: {x: "a\\r\\nb: c"}}}': "providers.openai.headers.x: has a line break in its value "
    "(line 1)",
    "providers: {openai: {timeout: {total_s: 0}}}": "providers.openai.timeout.total_s: 0 is not a number above 0 "
    "(line 1)",
    "providers: {azure: {api_key: k}}": "providers.azure.base_url: is missing; set it, or AZURE_OPENAI_ENDPOINT in "
    "the environment (line 1)",
    "providers: {a/b: {dialect: openai, base_url: 'http://h/v1'}}": "providers.a/b: is no name for a provider: "
    "`provider/model` is split at the first slash (line 1)",
    # names that point somewhere
    "default_provider: openai": "default_provider: points to openai, which is not configured; set OPENAI_API_KEY or "
    "add it under providers (line 1)",
    "default_provider: ollama": "default_provider: points to ollama, which is not configured; add `ollama: {}` under "
    "providers (line 1)",
    "default_provider: dmo": "default_provider: points to dmo, which is no provider; did you mean demo? (line 1)",
    "default_provider: zzzzzz": "default_provider: points to zzzzzz, which is no provider; there are: demo (line 1)",
    "models: {fast: anthropic/claude}": "models.fast: points to anthropic, which is not configured; set "
    "ANTHROPIC_API_KEY or add it under providers (line 1)",
    "models: {fast: demoo/echo}": "models.fast: points to demoo, which is no provider; did you mean demo? (line 1)",
    "models: {fast: demo}": "models.fast: 'demo' is a provider; write demo/MODEL (line 1)",
    "models: {fast: demo/}": "models.fast: 'demo/' is not a model; write provider/model (line 1)",
    "models: {a: b, b: a, c: b}": "models.a: goes in a circle: a → b → a; let one of them be provider/model (line 1)",
    "models: {a: demo/*}": "models.a: 'demo/*' has a *, but a has none that it could take over (line 1)",
    "models: {'a*b*': demo/echo}": "models.a*b*: is no name for a model; a pattern has one *, as in "
    "anthropic/* (line 1)",
    "models: {a: {targets: [demo/echo, dmo/echo]}}": "models.a.targets[1]: points to dmo, which is no provider; did "
    "you mean demo? (line 1)",
    "models: {a: {targets: []}}": "models.a.targets: have no weight at all; give one of them more than 0 (line 1)",
    "models: {a: {targets: [demo/echo], fallbacks: [demo/echo]}}": "models.a.fallbacks[0]: demo/echo is there twice; "
    "keep one, with the weight of both (line 1)",
    "models: {a: {targets: [{model: demo/echo, share: 0.7}, {model: demo/lorem, share: 0.6}]}}": "models.a.targets: "
    "have shares of 1.3 together; they are parts of all calls, at most 1 (line 1)",
    "models: {a: {targets: [demo/echo], region: eu}}": "models.a.region: is eu, where no target is; add `region: eu` "
    "to one (line 1)",
    "models: {a: {targets: [demo/echo]}, b: {targets: [a]}}": "models.b.targets: a is a route; a target is a model, a "
    "route may stand under `fallbacks` (line 1)",
    "models: {a: {targets: [demo/echo], strategy: cheap}}": "models.a.strategy: 'cheap' is not one of cost, latency, "
    "ordered, weighted (line 1)",
    "models: {a: {targets: [demo/echo], retires: 2}}": "models.a.retires: is no setting; did you mean "
    "retries? (line 1)",
    # keys
    "keys: [{name: app}]": "keys[0].key: is missing; it is text of at least 16 characters (line 1)",
    "keys: [{name: app, key: hunter2}]": "keys[0].key: the value is not text of at least 16 characters (line 1)",
    f"keys: [{{name: app, key: {KEY}}}, {{name: web, key: {KEY}}}]": "keys[1].key: is the same as that of 'app'; each "
    "needs its own (line 1)",
    f"keys: [{{name: app, key: {KEY}}}, {{name: app, key: {KEY}2}}]": "keys[1].name: 'app' is taken; the log could "
    "not tell the two apart (line 1)",
    f"keys: [{{name: app, key: {KEY}, role: root}}]": "keys[0].role: 'root' is not one of admin, app, viewer (line 1)",
    # the rest
    "log: {redaction: {rules: {x: '(?=a)'}}}": "log.redaction.rules.x: is no regular expression that RE2 takes: "
    "invalid perl operator: (?= (line 1)",
    "log: {redaction: {rules: {x: 'a*'}}}": "log.redaction.rules.x: matches nothing at all (the empty text), so it "
    "would match everywhere (line 1)",
    "log: {redaction: {skip: [emial]}}": "log.redaction.skip[0]: 'emial' is no built-in pattern; did you mean email? "
    "(line 1)",
    "store: {url: 'postgresql://u:hunter2@h/d'}": "store.url: is no address of a store; this version takes "
    "sqlite:///file.db (line 1)",
    "store: {url: 'sqlite://'}": "store.url: names no file; sqlite:///callgate.db is relative to server.data (line 1)",
    "prices: {overrides: {m: {input_per_1k: 1, input_per_mtok: 1}}}": "prices.overrides.m: both "
    "input_per_mtok and input_per_1k; state the price of input once (line 1)",
    "prices: {overrides: {m: [{per_image: 1, valid_from: soon}]}}": "prices.overrides.m[0].valid_from: must be a date "
    "such as 2026-11-01, is 'soon' (line 1)",
    "prices: {overrides: {m: {}}}": "prices.overrides.m: states no price; give it input_per_mtok and output_per_mtok, "
    "or a per_… price (line 1)",
    "prices: {overrides: {m: {input_per_mtok: -1}}}": "prices.overrides.m.input_per_mtok: -1 is not a number of at "
    "least 0 or null (line 1)",
}


@pytest.mark.parametrize(("text", "message"), CASES.items(), ids=range(len(CASES)))
def test_one_problem(problems, text, message):
    assert problems(text) == [message]


@pytest.mark.parametrize("text", [text for text in CASES if "hunter2" in text or KEY in text])
def test_no_message_shows_a_secret(problems, text):
    shown = "\n".join(problems(text))
    assert "hunter2" not in shown
    assert KEY not in shown


def test_all_problems_are_reported_at_once(problems):
    text = """
        server: {port: x}
        providers:
          openai: {metadata: frward, timeout: {connect_s: -1}}
          local: {}
        default_provider: nowhere
        keys: [{name: a}, {name: b, key: short}]
        log: {redaction: {rules: {x: "("}}}
    """
    assert sorted(problem.partition(": ")[0] for problem in problems(text)) == [
        "default_provider",
        "keys[0].key",
        "keys[1].key",
        "log.redaction.rules.x",
        "providers.local.base_url",
        "providers.local.dialect",
        "providers.openai.metadata",
        "providers.openai.timeout.connect_s",
        "server.port",
    ]


def test_an_undefined_variable_is_one_problem_not_two(problems):
    assert problems('keys: [{name: app, key: "${APP_KEY}"}]') == [
        "keys[0].key: ${APP_KEY} is not set; export APP_KEY, or write ${APP_KEY:-default} (line 1)"
    ]


def test_a_value_of_a_variable_is_never_shown(problems):
    environ = {"SECRET": "hunter2", "CALLGATE_LOG__PAYLOADS": "hunter3"}
    assert problems('server: {port: "${SECRET}"}', environ) == [
        "server.port: the value of ${SECRET} is not a whole number from 0 to 65535 (line 1)",
        "log.payloads: the value of CALLGATE_LOG__PAYLOADS is not one of full, hash, none, preview",
    ]


def test_the_whole_message_is_one_line_a_problem(read):
    with pytest.raises(ConfigError) as raised:
        read("server: {port: x, prot: 1}")
    assert str(raised.value).splitlines() == [
        "callgate.yaml:server.port: 'x' is not a whole number from 0 to 65535 (line 1)",
        "callgate.yaml:server.prot: is no setting; did you mean port? (line 1)",
    ]
