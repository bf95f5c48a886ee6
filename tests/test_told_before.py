"""With -qq a trouble that goes on is told once a day, whichever command meets it, and nothing new is kept back."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socap_cli.cli.app import execute
from socap_cli.cli.run import AGAIN_AFTER, FILE, PARTLY_DONE, Run, new_lines

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AWAY = "error: the database cannot be reached: localhost:27017"

Told = pytest.CaptureFixture[str]


def test_an_outage_is_told_once_however_often_it_is_met(tmp_path: Path) -> None:
    told = [new_lines(tmp_path, [AWAY], NOW + timedelta(minutes=5 * run)) for run in range(40)]
    assert told == [[AWAY], *[[]] * 39]


def test_runs_without_it_do_not_end_it_at_once(tmp_path: Path) -> None:
    told = [
        new_lines(tmp_path, lines, NOW + timedelta(hours=hour))
        for hour, lines in ((0, [AWAY]), (1, []), (5, [AWAY]))
    ]
    assert told == [[AWAY], [], []]


def test_one_that_was_not_met_for_hours_is_told_anew(tmp_path: Path) -> None:
    told = [new_lines(tmp_path, [AWAY], NOW + timedelta(hours=hour)) for hour in (0, 5, 12)]
    assert told == [[AWAY], [], [AWAY]]


def test_another_figure_is_the_same_trouble_and_another_word_is_not(tmp_path: Path) -> None:
    new_lines(tmp_path, ["warning: 3 of 1,200 jobs failed"], NOW)
    assert new_lines(tmp_path, ["warning: 4 of 1,200 jobs failed", "error: no key"], NOW) == ["error: no key"]


def test_what_is_said_to_do_about_it_makes_it_no_other_trouble(tmp_path: Path) -> None:
    outage = "error: the provider has not answered for 600 s – {}; nothing is lost; the next run goes on"
    new_lines(tmp_path, [outage.format("/twitter/tweets: HTTP 503")], NOW)
    assert new_lines(tmp_path, [outage.format("/twitter/replies: no answer in time")], NOW) == []


def test_what_goes_on_is_told_again_after_a_day(tmp_path: Path) -> None:
    told = [bool(new_lines(tmp_path, [AWAY], NOW + timedelta(hours=hour))) for hour in range(0, 72, 3)]
    assert told == [hour % 24 == 0 for hour in range(0, 72, 3)]


def test_what_runs_once_a_day_tells_it_each_time(tmp_path: Path) -> None:
    jitter = (0.0, 2.0, -3.0, 1.0)
    days = [NOW + timedelta(days=day, seconds=late) for day, late in enumerate(jitter)]
    assert [new_lines(tmp_path, [AWAY], day) for day in days] == [[AWAY]] * 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"x": 1}',
        b'{"x": ["y", "z"]}',
        b'{"x": []}',
        b"\xff",
        b'{"x": ["0001-01-01", "2026-01-01"]}',
        b"null",
    ],
)
def test_a_file_that_cannot_be_read_keeps_nothing_back(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert new_lines(tmp_path, [AWAY], NOW) == [AWAY]
    assert new_lines(tmp_path, [AWAY], NOW) == []


def test_a_folder_that_cannot_be_made_keeps_nothing_back(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert [new_lines(tmp_path / "file", [AWAY], NOW) for _ in range(2)] == [[AWAY], [AWAY]]


lines = st.lists(st.sampled_from(["a", "b 1", "b 2", "c"]), unique=True)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(lines, st.integers(0, 30))))
def test_whatever_is_met_was_told_within_a_day(history: list[tuple[list[str], int]]) -> None:
    now, told = NOW, dict[str, datetime]()
    with tempfile.TemporaryDirectory() as folder:
        for met, hours in history:
            now += timedelta(hours=hours)
            new = new_lines(Path(folder), met, now)
            assert set(new) <= set(met)
            told |= {line[0]: now for line in new}
            assert all(now - told[line[0]] < AGAIN_AFTER for line in met)


def test_a_run_that_fails_the_same_way_is_silent_the_second_time_and_has_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    monkeypatch.setenv("SOCAP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SOCAP_DATABASE__NAME", "no.such/name")
    ended = []
    for words in (["-qq", "enqueue"], ["work", "-qq"], ["-qq", "enqueue"], ["-q", "enqueue"]):
        code = execute(words)
        out, err = capsys.readouterr()
        ended.append((code, out, err.count("error:")))
    assert ended == [(2, "", 1), (2, "", 0), (2, "", 0), (2, "", 1)]
    assert (tmp_path / FILE).exists()


def test_what_a_partial_run_shows_comes_once(tmp_path: Path, capsys: Told) -> None:
    told = []
    for failed in (3, 4):
        run = Run(quiet=2, data_dir=tmp_path, command="work")
        run.done({}, text=f"{failed} failed", warnings=[f"{failed} jobs failed"], exit_code=PARTLY_DONE)
        assert run.finish() == PARTLY_DONE
        told.append(tuple(capsys.readouterr()))
    assert told == [("3 failed\n", "warning: 3 jobs failed\n"), ("", "")]


def test_what_a_failure_shows_without_a_warning_is_shown_each_time(tmp_path: Path, capsys: Told) -> None:
    for said in ("the disk is full", "no run for a day"):
        run = Run(quiet=2, data_dir=tmp_path, command="status")
        run.done({}, text=said, exit_code=1)
        assert run.finish() == 1
        assert capsys.readouterr().out == f"{said}\n"
