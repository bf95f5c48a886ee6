"""How runs of one host get along: with each other, and with a database that another unit runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.terminal import Cli

from socap_cli.cli.app import execute
from socap_cli.cli.setup import unit_of
from socap_cli.cli.work import LOCK, alone
from socap_cli.errors import LockHeld
from socap_cli.simulator.server import Simulator

HELD_BY = ("join", "skip", "fail")


@pytest.mark.parametrize("first", HELD_BY)
def test_a_run_beside_another_one_joins_it_is_skipped_or_fails(tmp_path: Path, first: str) -> None:
    with alone(tmp_path, first) as works:
        assert works
        with alone(tmp_path, "join") as joins:
            assert joins
        with alone(tmp_path, "skip") as goes_on:
            assert not goes_on
        with pytest.raises(LockHeld, match="is running on this host"), alone(tmp_path, "fail"):
            pass
    with alone(tmp_path, "fail") as free:
        assert free


def test_a_skipped_run_says_so_and_is_in_order(cli: Cli, simulator: Simulator, tmp_path: Path) -> None:
    with alone(tmp_path, "join"):
        done = cli("work", "--if-running", "skip", "--data-dir", str(tmp_path))["result"]
        assert (done["gave_way"], done["completed"]) == (True, 0)
        failed = cli("work", "--if-running", "fail", "--data-dir", str(tmp_path), code=5)
    assert failed["error"]["type"] == "LockHeld"
    assert "gave_way" not in cli("work", "--if-running", "skip", "--data-dir", str(tmp_path))["result"]


def test_an_unknown_choice_is_told(cli: Cli, simulator: Simulator) -> None:
    assert "--if-running" in cli("work", "--if-running", "wait", code=2)["error"]["message"]


def test_a_folder_that_cannot_be_locked_matters_only_to_who_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / LOCK).symlink_to(tmp_path / "elsewhere")
    with alone(tmp_path, "join") as joins:
        assert joins
    with pytest.raises(Exception, match="cannot lock"), alone(tmp_path, "skip"):
        pass


def test_a_command_leaves_a_database_alone_that_a_unit_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOCAP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SOCAP_DATABASE__AUTOSTART", "false")
    assert execute(["status"]) == 7
    assert "systemctl start socap-db" in capsys.readouterr().err
    assert not (tmp_path / "data" / "db").exists()
    try:
        assert execute(["db", "start"]) == 0
        assert execute(["-q", "status"]) == 0
    finally:
        assert execute(["db", "stop"]) == 0
    assert execute(["status"]) == 7


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/socap-cycle.service\n", "socap-cycle.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/n8n.service\n", "n8n.service"),
        ("0::/user.slice/user-1000.slice/session-4.scope\n", ""),
        ("12:pids:/system.slice/cron.service\n1:name=systemd:/system.slice/cron.service\n", "cron.service"),
        ("0::/\n", ""),
        ("", ""),
    ],
)
def test_the_unit_of_a_process_is_read_from_its_control_group(tmp_path: Path, text: str, unit: str) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(text)
    assert unit_of(7, tmp_path) == unit
    assert unit_of(8, tmp_path) == ""


def test_status_has_an_exit_code_for_monitoring_and_a_file_for_prometheus(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "socap.prom"
    result = cli("status", "--check", "--prometheus", str(file))["result"]
    assert result["troubles"] == []
    assert "socap_tweets 0.0" in file.read_text()
    out, _ = cli.text("status", "--prometheus", "-")
    assert out.startswith("# HELP socap_written_timestamp_seconds")
    assert cli("status", "--watch", "2", code=2)["error"]["type"] == "UsageError"
