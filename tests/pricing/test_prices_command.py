"""`callgate prices`, as it is typed and as it answers."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import gateway.cli.prices
import pricing.refresh
from gateway.cli.prices import prices
from gateway.core.span import Span
from pricing import Usage
from pricing.edition import prices_path
from pricing.history import HISTORY_FILE

CONFIG = """
server: {{data: "{data}"}}
providers:
  openai: {{api_key: sk-test-0000000000000000}}
  local: {{dialect: openai, base_url: "http://127.0.0.1:8000/v1", api_key: none}}
models: {{fast: openai/gpt-test}}
prices:
  overrides: {{my-model: {{input_per_mtok: 0.2, output_per_mtok: 0.8}}}}
  markup_percent: {{acme: 20}}
"""


def price_file(per_mtok: float, **more: object) -> bytes:
    filler = {f"filler-{number}": {"litellm_provider": "openai", "mode": "chat"} for number in range(1000)}
    entry = {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": per_mtok / 1e6,
        "output_cost_per_token": 4 * per_mtok / 1e6,
        "max_input_tokens": 128_000,
        **more,
    }
    return json.dumps({**filler, "gpt-test": entry}).encode()


class Callgate:
    """The command with a configuration and a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.config = folder / "callgate.yaml"
        self.config.write_text(CONFIG.format(data=self.data))
        self.folder = folder

    def run(self, *arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(prices, [*arguments, "--config", str(self.config)], input=typed)

    def refresh(self, content: bytes) -> Result:
        path = self.folder / "new-prices.json"
        path.write_bytes(content)
        return self.run("refresh", "--from", str(path))


@pytest.fixture
def callgate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callgate:
    """With the price file of the first refresh in force, and the packaged one out of it."""
    monkeypatch.setattr(pricing.refresh, "packaged_file", lambda: None)
    command = Callgate(tmp_path)
    assert command.refresh(price_file(1.0)).exit_code == 0
    return command


def test_show_explains_a_price(callgate: Callgate) -> None:
    result = callgate.run("show", "gpt-test")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert lines[0] == "openai/gpt-test"
    assert "valid as far back as is known, until further notice" in lines
    assert "standard $1.00 $4.00 $0.0025" in lines
    assert "4,000 tokens cached input × $1.00 / Mtok = $0.004 priced as input" in lines
    assert "total = $0.014" in lines


@pytest.mark.parametrize("name", ["fast", "openai/gpt-test", "gpt-test-2031-01-01"])
def test_show_takes_a_model_as_a_client_would_write_it(name: str, callgate: Callgate) -> None:
    result = callgate.run("show", name)
    assert result.exit_code == 0
    assert "price id" in result.output
    assert "gpt-test@" in result.output


def test_show_says_where_a_price_is_from(callgate: Callgate) -> None:
    assert "new-prices.json, taken over on" in callgate.run("show", "gpt-test").output
    own = callgate.run("show", "my-model", "--provider", "local").output
    assert "your configuration (prices.overrides)" in own
    assert "my-model@override." in own


def test_show_at_a_time(callgate: Callgate) -> None:
    assert callgate.refresh(price_file(2.0)).exit_code == 0
    now, then = callgate.run("show", "gpt-test").output, callgate.run("show", "gpt-test", "--at", "2026-01-01").output
    assert "standard  $2.00" in now
    assert "At other times:" in now
    assert "standard  $1.00" in then


def test_show_of_an_unknown_model_names_the_way_out(callgate: Callgate) -> None:
    result = callgate.run("show", "openai/gpt-tset")
    assert result.exit_code == 1
    assert "no price is known for 'gpt-tset' of 'openai'" in result.output
    assert "Did you mean gpt-test?" in result.output
    assert "prices.overrides" in result.output


def test_refresh_reports_what_it_changes(callgate: Callgate) -> None:
    result = callgate.refresh(price_file(2.0))
    assert result.exit_code == 0
    assert "added 0, changed 1, removed 0" in result.output
    assert "gpt-test: input_cost_per_token $0.000001 → $0.000002" in result.output
    assert str(prices_path(callgate.data)) in result.output


def test_refresh_refuses_what_is_no_price_file_and_changes_nothing(callgate: Callgate) -> None:
    before = prices_path(callgate.data).read_bytes(), (callgate.data / HISTORY_FILE).read_bytes()
    result = callgate.refresh(price_file(-1.0))
    assert result.exit_code == 1
    assert "is refused, nothing was changed" in result.output
    assert "gpt-test: input_cost_per_token is negative" in result.output
    assert (prices_path(callgate.data).read_bytes(), (callgate.data / HISTORY_FILE).read_bytes()) == before


def test_refresh_from_a_file_that_is_not_there(callgate: Callgate) -> None:
    result = callgate.run("refresh", "--from", "nowhere.json")
    assert result.exit_code == 1
    assert "nowhere.json cannot be read: No such file or directory" in result.output


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its name in the base class
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "prices.json").write_bytes(price_file(3.0))
    with HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_refresh_from_an_address(callgate: Callgate, site: str) -> None:
    result = callgate.run("refresh", "--from", f"{site}/prices.json")
    assert result.exit_code == 0, result.output
    assert "standard  $3.00" in callgate.run("show", "gpt-test").output


def test_refresh_from_an_address_that_has_no_prices(callgate: Callgate, site: str) -> None:
    result = callgate.run("refresh", "--from", f"{site}/nothing.json")
    assert result.exit_code == 1
    assert "answered 404; the prices stay as they are" in result.output


def test_refresh_stops_reading_what_is_no_price_file(
    callgate: Callgate, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.cli.prices, "_LARGEST_FILE", 1000)
    result = callgate.run("refresh", "--from", f"{site}/prices.json")
    assert result.exit_code == 1
    assert "is larger than any price file" in result.output


def test_refresh_trusts_https_only(callgate: Callgate) -> None:
    result = callgate.run("refresh", "--from", "http://prices.example/prices.json")
    assert result.exit_code == 1
    assert "only https is trusted" in result.output


def test_refresh_from_an_address_that_does_not_answer(callgate: Callgate) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        result = callgate.run("refresh", "--from", f"http://127.0.0.1:{unused.getsockname()[1]}/prices.json")
    assert result.exit_code == 1
    assert "cannot be reached" in result.output


def test_refresh_from_an_address_that_is_none(callgate: Callgate) -> None:
    result = callgate.run("refresh", "--from", "https://[prices/prices.json")
    assert result.exit_code == 1
    assert "is no address" in result.output


@pytest.fixture
def store(fake_store: Any, callgate: Callgate, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two calls of gpt-test: one without a cost, one with the right cost."""
    fields: dict[str, Any] = {
        "kind": "llm",
        "started_at": 1_790_000_000_000_000,
        "provider": "openai",
        "tenant": "acme",
    }
    usage = Usage(input_tokens=1_000, output_tokens=500)
    right = {"cost_nanousd": 3_000_000, "input_cost_nanousd": 1_000_000, "output_cost_nanousd": 2_000_000}
    opened = fake_store(
        [
            Span(request_id="unpriced", model="gpt-test", usage=usage, **fields),
            Span(request_id="right", model="gpt-test", usage=usage, **right, **fields),
        ]
    )
    monkeypatch.setattr(gateway.cli.prices, "open_store", lambda url, data: opened)
    return opened


def test_reprice_shows_the_difference_and_asks(callgate: Callgate, store: Any) -> None:
    result = callgate.run("reprice", "--since", "2026-01-01", typed="n\n")
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert lines[0] == "2 calls with usage; another cost for 1 of them."
    assert "openai/gpt-test 1 $0.00 $0.003 +$0.003 1" in lines
    assert "total 1 $0.00 $0.003 +$0.003 1" in lines
    assert lines[-1] == "Nothing was written."
    assert store.batches == []
    assert not store.open


def test_reprice_writes_after_a_yes(callgate: Callgate, store: Any) -> None:
    result = callgate.run("reprice", "--since", "2026-01-01", typed="y\n")
    assert result.output.endswith("New costs written: 1 call.\n")
    assert store.spans["unpriced"].cost_nanousd == 3_000_000
    assert store.spans["unpriced"].charge_nanousd == 3_600_000
    [entry] = store.entries
    assert (entry.action, entry.kind, entry.id[:13]) == ("repriced", "costs", "2026-01-01 to")
    assert entry.after == b'{"calls":1,"models":[]}'


def test_reprice_does_not_ask_with_yes_and_has_nothing_to_do_twice(callgate: Callgate, store: Any) -> None:
    assert "New costs written: 1 call." in callgate.run("reprice", "--since", "2026-01-01", "--yes").output
    again = callgate.run("reprice", "--since", "2026-01-01", "--yes").output
    assert "2 calls with usage; another cost for 0 of them." in again
    assert store.batches == [1]


def test_reprice_asks_the_store_for_the_period_and_the_model(callgate: Callgate, store: Any) -> None:
    callgate.run("reprice", "--since", "2026-01-01", "--until", "2026-02-01T12:00", "--model", "gpt-test", typed="n\n")
    (which,) = store.asked
    assert (which.from_us, which.to_us, which.model) == (1_767_225_600_000_000, 1_769_947_200_000_000, ("gpt-test",))


def test_reprice_without_a_date_is_refused(callgate: Callgate, store: Any) -> None:
    assert callgate.run("reprice").exit_code == 2
    assert store.asked == []


def test_the_page_shows_what_the_command_prints(tmp_path: Path) -> None:
    """docs/pricing.md quotes a real run; prices change with litellm, the words and the arithmetic must not."""
    page = (Path(__file__).parents[2] / "docs" / "pricing.md").read_text("utf-8")
    quoted = page.split("```\n")[1]
    printed = Callgate(tmp_path).run("show", "claude-sonnet-4-5").output
    assert shape(printed) == shape(quoted)


def shape(text: str) -> list[str]:
    """The text without its numbers and the spaces that align them."""
    return [" ".join(re.sub(r"\$?[\d.,]*\d", "#", line).split()) for line in text.strip().splitlines()]
