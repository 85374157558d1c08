"""Where the configuration comes from, and what wins."""

from __future__ import annotations

import pickle
from pathlib import Path

import msgspec
import pytest

from gateway.config import RESTART_SETTINGS, load, restart_needed
from gateway.errors import ConfigError
from gateway.settings import Settings


def test_nothing_configured_is_the_defaults_and_the_demo(read, tmp_path):
    loaded = read()
    assert loaded.source == "defaults"
    assert loaded.path is None
    assert loaded.data == tmp_path / "callgate-data"
    assert list(loaded.settings.providers) == ["demo"]
    assert msgspec.structs.replace(loaded.settings, providers={}) == Settings()


def test_the_file_in_the_working_folder(read, tmp_path):
    loaded = read("server: {port: 5001}")
    assert (loaded.source, loaded.path) == ("callgate.yaml", tmp_path / "callgate.yaml")
    assert loaded.settings.server.port == 5001


def test_a_named_file_wins_over_the_variable_and_the_variable_over_the_folder(read, tmp_path):
    for port, name in ((1, "callgate.yaml"), (2, "variable.yaml"), (3, "named.yaml")):
        (tmp_path / name).write_text(f"server: {{port: {port}}}")
    environ = {"CALLGATE_CONFIG": "variable.yaml"}
    assert load(environ={}).settings.server.port == 1
    assert load(environ=environ).settings.server.port == 2
    assert load("named.yaml", environ=environ).settings.server.port == 3


def test_command_line_over_variables_over_file_over_defaults(read):
    environ = {"CALLGATE_SERVER__PORT": "5002", "CALLGATE_SERVER__WORKERS": "2"}
    server = read("server: {port: 5001, workers: 3, host: 0.0.0.0}", environ, overrides={"server": {"port": 0}})
    assert (server.settings.server.port, server.settings.server.workers) == (0, 2)
    assert server.settings.server.host == "0.0.0.0"
    assert server.settings.server.drain_s == 30


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "server:\nproviders:\nlog:\n  redaction:\n"])
def test_empty_files_and_sections_are_the_defaults(read, text):
    assert read(text).settings == read("{}").settings


def test_bom_is_no_part_of_the_first_setting(read, tmp_path):
    (tmp_path / "callgate.yaml").write_bytes(b"\xef\xbb\xbfserver: {port: 5001}")
    assert read().settings.server.port == 5001


def test_a_missing_named_file(read):
    with pytest.raises(ConfigError, match=r"^nowhere\.yaml: there is no such file"):
        read(path="nowhere.yaml")


def test_a_folder_for_a_file(read, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match=r"^folder: cannot be read: "):
        read(path="folder")


def test_not_utf8(read, tmp_path):
    (tmp_path / "callgate.yaml").write_bytes(b"server: {host: \xff}")
    with pytest.raises(ConfigError, match=r"^callgate.yaml: is not UTF-8 \(byte 15\)"):
        read()


def test_data_is_absolute_and_knows_the_home_folder(read, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert read("server: {data: ~/gate}").data == tmp_path / "home" / "gate"
    assert read("server: {data: /srv/gate}").data == Path("/srv/gate")


def test_what_was_loaded_can_go_to_a_worker_process(read):
    loaded = read('providers: {openai: {api_key: "sk-1"}}', {"HTTPS_PROXY": "http://proxy:3128"})
    assert pickle.loads(pickle.dumps(loaded)) == loaded
    assert msgspec.json.decode(msgspec.json.encode(loaded.settings), type=Settings) == loaded.settings


def test_what_takes_a_restart(read):
    old = read("log: {payloads: full}").settings
    new = read("{server: {port: 1, max_body_mb: 5}, store: {url: 'sqlite:///b.db'}, log: {journal_max_mb: 5}}").settings
    assert restart_needed(old, old) == []
    assert restart_needed(old, new) == ["server.port", "store.url", "log.journal_max_mb"]


@pytest.mark.parametrize("name", RESTART_SETTINGS)
def test_the_manual_says_what_takes_a_restart(name):
    manual = (Path(__file__).resolve().parents[2] / "docs" / "configuration.md").read_text("utf-8")
    assert f"`{name}`" in manual.partition("These take a restart")[2].partition("**Proxies.**")[0]
