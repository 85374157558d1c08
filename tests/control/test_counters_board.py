"""Processes that really share a board: what they count together, what a killed one leaves, what a restart finds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.control.counters import board as board_file
from gateway.control.counters.board import Board, Record
from gateway.core.limits.purse import Purse
from gateway.core.limits.window import Window

NOW = 1_795_000_000_000_000
SECOND = NOW // 1_000_000
DAY = 86_400_000_000
PERIOD = NOW // DAY * DAY

WORKER = """
import sys
from pathlib import Path
from gateway.control.counters.board import Board
from gateway.core.limits.purse import Purse, fits
from gateway.core.limits.window import Window

folder, number, limit, rounds, now, period = Path(sys.argv[1]), *map(int, sys.argv[2:7])
board = Board(folder, 4, number, now)
window = Window(board.region, board.claim("rate", 2, now).at, 2)
purse = Purse(board.region, board.claim("purse", 0, now).at)
print("ready", flush=True)
sys.stdin.readline()
admitted = highest = bought = 0
for _ in range(rounds):
    second = now // 1_000_000
    if window.add(second, 10)[0] > limit:
        window.release(second, 10)
    else:
        admitted += 1
        window.settle(second, 0, 0, second)
    if fits(purse.reserve(period, 1_000, 0), 1_000, 1_000_000, 10_000):
        purse.settle(period, 1_000, 0, 900)
        bought += 1
    else:
        purse.settle(period, 1_000, 0, 0)
print(admitted, bought, flush=True)
window.add(now // 1_000_000, 10)
purse.reserve(period, 500, 0)
print("holding", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Four processes on one board, ready to go."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), str(n), "5000", "4000", str(NOW), str(PERIOD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        for n in range(4)
    ]
    for each in started:
        assert each.stdout
        assert each.stdout.readline() == "ready\n"
    yield started
    for each in started:
        each.kill()
        each.wait()
        assert each.stdin
        assert each.stdout
        each.stdin.close()
        each.stdout.close()


def say(worker: subprocess.Popen[str], line: str = "\n") -> None:
    assert worker.stdin
    worker.stdin.write(line)
    worker.stdin.flush()


def opened(folder: Path, areas: int = 4, preferred: int = 0, now: int = NOW) -> tuple[Board, Window, Purse, Record]:
    board = Board(folder, areas, preferred, now)
    rate, purse = board.claim("rate", 2, now), board.claim("purse", 0, now)
    assert rate
    assert purse
    return board, Window(board.region, rate.at, 2), Purse(board.region, purse.at), purse


def test_four_processes_never_go_over_a_limit_together_and_kill_9_loses_nothing(workers, tmp_path):
    for each in workers:
        say(each)
    counted = [tuple(map(int, each.stdout.readline().split())) for each in workers]
    for each in workers:
        assert each.stdout.readline() == "holding\n"
    admitted, bought = sum(a for a, _ in counted), sum(b for _, b in counted)
    assert 4990 <= admitted <= 5000
    assert 990_000 <= bought * 900 <= 1_000_000 + 1_000
    for each in workers:
        os.kill(each.pid, signal.SIGKILL)
        each.wait()
    board, window, purse, _ = opened(tmp_path)
    used, money = window.used(SECOND), purse.money(PERIOD)
    assert used.requests == admitted + 4  # those that were under way are counted, but not as under way: see below
    assert money.spent == bought * 900
    assert (used.in_flight, money.reserved, money.orphaned) == (3, 1500, 500)
    board.close()
    # The areas of the others are taken over when their workers come again.
    for number in (1, 2, 3):
        board, window, purse, _ = opened(tmp_path, preferred=number)
        board.close()
    board, window, purse, _ = opened(tmp_path)
    assert window.used(SECOND).in_flight == 0
    assert (purse.money(PERIOD).reserved, purse.money(PERIOD).orphaned) == (0, 2000)
    board.close()


def test_another_number_of_workers_finds_what_was_counted(tmp_path):
    board, window, purse, _ = opened(tmp_path, areas=4, preferred=3)
    for _ in range(7):
        window.add(SECOND, 10)
        window.settle(SECOND, 5, 0, SECOND)
        purse.reserve(PERIOD, 100, 0)
        purse.settle(PERIOD, 100, 0, 60)
    board.close()
    board, window, purse, record = opened(tmp_path, areas=1, now=NOW + 30_000_000)
    assert (window.used(SECOND + 30).requests, window.used(SECOND + 30).tokens) == (7, 105)
    assert purse.money(PERIOD).spent == 420
    assert record.created_us == NOW
    board.close()


def test_a_second_gateway_on_the_same_folder_is_refused(tmp_path, workers):
    with pytest.raises(OSError, match="all 4 areas"):
        Board(tmp_path, 4, 0, NOW)


def test_a_level_is_reached_by_one_worker_only(tmp_path):
    board, _, _, record = opened(tmp_path)
    assert [board.first_to(record, PERIOD, level) for level in (1, 1, 2, 1)] == [True, False, True, False]
    assert board.first_to(record, PERIOD + DAY, 1)
    board.close()
    board, _, _, record = opened(tmp_path)
    assert not board.first_to(record, PERIOD + DAY, 1)
    board.close()


@pytest.mark.parametrize("damage", [b"", b"x" * 4096])
def test_a_file_that_is_no_board_is_made_anew(tmp_path, damage):
    (tmp_path / "board").write_bytes(damage)
    board, window, _, _ = opened(tmp_path)
    assert window.used(SECOND).requests == 0
    board.close()


def test_a_full_board_keeps_some_room_for_what_counts_together(tmp_path, monkeypatch):
    monkeypatch.setattr(board_file, "RECORDS", board_file.SPARE + 2)
    board = Board(None, 1, 0, NOW)
    claimed = [board.claim(f"value {n}", 1, NOW) for n in range(4)]
    assert [record is not None for record in claimed] == [True, True, False, False]
    assert board.claim("others", 1, NOW, spare=True) is not None
    assert {record.name for record in board.records()} == {"value 0", "value 1", "others"}
    board.close()
