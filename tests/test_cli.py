"""The commands as a person, cron or n8n types them: results, errors, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.terminal import Cli

from socap_cli.channels import CHANNELS
from socap_cli.cli.app import execute
from socap_cli.cli.cycle import STAGES
from socap_cli.simulator.server import Simulator
from socap_cli.store import Db

ROOT = Path(__file__).parent.parent


def test_the_story_by_hand(
    cli: Cli, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCAP_ALERT_SLACK_WEBHOOK", f"{simulator.url}/sim/slack")
    monkeypatch.setenv("SOCAP_ALERTS__WEBHOOK_HOSTS", simulator.url.removeprefix("http://"))
    (tmp_path / "tweets.csv").write_text(simulator.tweets_csv() + "https://x.com/ada,client\n")
    tree = {"following_index": simulator.world.following_index, "important_people": simulator.world.important}
    (tmp_path / "people.json").write_text(json.dumps(tree))

    assert cli("init")["result"]["written"]
    assert cli("importance", "import", str(tmp_path / "people.json"))["result"]["important_people"] == 40
    added = cli(
        "campaign", "add", "launch", "--from", str(tmp_path / "tweets.csv"), "--threshold", "1", code=4
    )
    assert added["result"]["tweets_added"] == 8
    assert [r["line"] for r in added["result"]["rejected"]] == [10]
    assert cli("enqueue")["result"]["jobs_armed"] == 32
    assert cli("enqueue")["result"] == {
        "campaigns": 1, "jobs_armed": 0, "jobs_already_open": 32, "campaigns_completed": 0,
        "engagements_rescored": 0,
    }  # fmt: skip
    worked = cli("work", "--concurrency", "50")["result"]
    assert worked["completed"] + worked["unchanged"] == 32
    assert cli("work")["result"]["requests"] == 0
    port = simulator.url.rsplit(":", 1)[1]
    check = cli("simulate", "--check", "--port", port)["result"]
    assert (check["missing"], check["not_in_truth"], check["twice"]) == (0, 0, 0)
    assert check["stored"] == worked["engagements_new"] > 15
    sent = cli("alerts", "send")["result"]
    assert set(sent) == {
        "planned", "sent", "held", "later", "next_due", "failed", "dead", "unknown", "disabled",
    }  # fmt: skip
    assert sent["sent"] == len(simulator.slack.messages) == 1  # one summary of what was there before
    rendered = cli("report", "render", "--out", str(tmp_path / "pages"))["result"]
    assert [Path(p).name for p in rendered["pages"]] == ["launch.html", "index.html"]
    assert cli("report", "render", "--out", str(tmp_path / "pages"))["result"]["unchanged"] == 2
    status = cli("status")["result"]
    assert status["jobs"]["metrics"] == {"completed": 8}
    assert status["coverage"]["collected"] == worked["engagements_new"]
    usage = cli("usage", "--by", "endpoint")["result"]
    assert usage["requests"] == sum(simulator.ledger.requests.values())
    assert usage["cost"] == simulator.ledger.credits
    for words in (
        ("campaign", "list"), ("campaign", "show", "launch"), ("campaign", "estimate", "launch"), ("jobs", "list"),
        ("alerts", "list"), ("metrics", "series", "launch", "--granularity", "hour"),
        ("engagements", "list", "launch", "--limit", "3"), ("usage", "--by", "campaign"), ("status",),
    ):  # fmt: skip
        out, _ = cli.text(*words)
        assert out.strip(), words
    states = {c["check"]: c["state"] for c in cli("doctor")["result"]["checks"]}
    assert states == {
        "configuration": "ok", "database": "ok", "indexes": "ok", "importance": "ok", "clock": "ok",
        "disk": "ok", "data folder": "ok", "outage": "ok", "campaigns": "ok", "runs": "ok", "jobs": "ok",
        "alerts": "ok", "coverage": "ok", "budget": "ok", "provider": "ok",
        **dict.fromkeys(CHANNELS, "skip"), "slack": "ok",
    }  # fmt: skip
    cli("campaign", "pause", "launch")
    assert cli("enqueue")["result"]["campaigns"] == 0
    cli("campaign", "resume", "launch")
    cli("campaign", "edit", "launch", "--threshold", "3", "--days", "2")
    cli("campaign", "delete", "launch", "--yes")
    assert cli("campaign", "list")["result"]["campaigns"] == []


def test_one_cycle_runs_every_stage_as_by_itself(
    cli: Cli, db: Db, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tweets.csv").write_text(simulator.tweets_csv())
    cli("campaign", "add", "launch", "--from", "tweets.csv")
    planned = cli("run", "--dry-run")["result"]["stages"]
    assert list(planned) == ["enqueue", "alerts send", "report render"]
    assert not (tmp_path / "socap-report").exists()
    stages = cli("run", "--skip", "render")["result"]["stages"]
    assert list(stages) == ["enqueue", "work", "alerts send"]
    assert stages["enqueue"]["result"]["jobs_armed"] == 32
    worked = stages["work"]["result"]
    assert worked["completed"] + worked["unchanged"] == 32
    assert not (tmp_path / "socap-report").exists()
    lines = cli.text("run")[0].splitlines()
    assert lines[0].startswith("1 campaign: 32 jobs queued")
    assert lines[-1] == "enqueue done, work done, alerts send done, report render done"
    assert list((tmp_path / "socap-report").rglob("launch.html"))
    assert set(db.runs.distinct("command")) == set(STAGES.values())
    assert cli("run", "--skip", "sleep", code=2)["error"]["type"] == "UsageError"


def test_a_stage_that_fails_stops_no_other_and_the_worst_exit_code_counts(
    cli: Cli, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tweets.csv").write_text(simulator.tweets_csv())
    cli("campaign", "add", "launch", "--from", "tweets.csv")
    monkeypatch.setenv("TWITTER_API_KEY", "")
    answer = cli("run", code=2)
    codes = {command: stage["exit_code"] for command, stage in answer["result"]["stages"].items()}
    assert codes == {"enqueue": 0, "work": 2, "alerts send": 0, "report render": 0}
    assert answer["error"]["message"].startswith("work: ")


@pytest.mark.parametrize("form", ["csv", "jsonl", "xlsx"])
def test_an_export_runs_nothing_in_a_spreadsheet(
    cli: Cli, simulator: Simulator, tmp_path: Path, form: str
) -> None:
    for account in simulator.world.accounts:
        account.name = '=HYPERLINK("https://evil.invalid","x")'
    (tmp_path / "t.csv").write_text(simulator.tweets_csv())
    cli("campaign", "add", "launch", "--from", str(tmp_path / "t.csv"))
    cli("enqueue")
    cli("work")
    out = tmp_path / f"out.{form}"
    rows = cli("engagements", "export", "launch", "--format", form, "--out", str(out))["result"]["rows"]
    assert rows > 15
    if form == "csv":
        text = out.read_text(encoding="utf-8-sig")
        assert "'=HYPERLINK" in text
        assert ',"=HYPERLINK' not in text
        assert text.count("\r\n") == rows + 1 or '"' in text
    if form == "xlsx":
        from openpyxl import load_workbook

        sheet = load_workbook(out).active
        assert sheet.max_row == rows + 1
        assert {cell.data_type for cell in sheet["F"]} == {"s"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["campaign", "show", "nope"], 1, "campaign 'nope' not found"),
        (["enqueue", "--campaign", "nope"], 1, "campaign 'nope' not found"),
        (["report", "render", "nope"], 1, "campaign 'nope' not found"),
        (["work"], 2, "no provider key"),
        (["campaign", "add", "launch", "--tweet", "123"], 2, "no provider key"),
        (["campaign", "add", "Not A Slug"], 2, "invalid campaign slug"),
        (["campaign", "add", "launch", "--no-verify", "--tweet", "https://x.com/ada"], 1, "no usable tweet"),
        (["campaign", "add", "launch", "--from", "missing.csv"], 2, "cannot read missing.csv"),
        (["campaign", "add", "launch", "--start", "soon"], 2, "--start 'soon': not an ISO time"),
        (["campaign", "add", "launch", "--end", "2020-01-01"], 2, "before it starts"),
        (["campaign", "add", "launch", "--channel", "pigeon"], 2, "no channel 'pigeon'"),
        (["campaign", "add", "launch", "--slack-webhook", "https://evil.example/x"], 2, "may not go to"),
        (["campaign", "add", "launch", "--threshold", "much"], 2, "Invalid value"),
        (["campaign", "delete", "launch"], 2, "deletes campaign"),
        (["frobnicate"], 2, "No such command"),
        (["campaign", "ad", "launch"], 2, "No such command 'ad'"),
        (["jobs", "show", "nope"], 1, "job 'nope' not found"),
        (["jobs", "list", "--status", "odd"], 2, "no job status 'odd'"),
        (["alerts", "test", "slack"], 2, "no Slack webhook"),
        (["importance", "import", "missing.json"], 2, "cannot read missing.json"),
        (["engagements", "export", "x", "--format", "pdf", "--out", "x"], 2, "no format 'pdf'"),
        (["db", "start"], 2, "MONGODB_URI is set"),
        (["--config"], 2, "--config needs a value"),
        (["--config", "nope.toml", "status"], 2, "cannot read nope.toml: No such file"),
        (["simulate", "--provider", "y"], 2, "no wire format 'y'"),
    ],
)
def test_bad_input_is_one_clear_line_with_the_right_code(
    cli: Cli, words: list[str], code: int, said: str
) -> None:
    _, err = cli.text(*words, code=code)
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert said in err
    answer = cli(*words, code=code) if words != ["--config"] else None
    if answer is not None:
        assert said in answer["error"]["message"]


def test_a_wrong_command_of_a_group_leads_to_the_help_of_the_group(cli: Cli) -> None:
    assert cli("campaign", "ad", "launch", code=2)["error"]["hint"] == "see: socap campaign --help"
    assert cli("frobnicate", "launch", code=2)["error"]["hint"] == "see: socap --help"


def test_words_to_choose_from_are_taken_in_letters_of_any_case(cli: Cli) -> None:
    tweet = "https://x.com/ada/status/1996518988151706110=Client"
    channel = "Email=a@b.example,min=5"
    cli("campaign", "add", "launch", "--no-verify", "--tweet", tweet, "--channel", channel)
    assert cli("campaign", "show", "launch")["result"]["campaign"]["channels"] == ["email=a@b.example,min=5"]
    assert len(cli("campaign", "list", "--status", "Active")["result"]["campaigns"]) == 1
    cli("engagements", "list", "launch", "--action-type", "Reply", "--category", "CLIENT")
    assert "no Slack webhook" in cli("alerts", "test", "Slack", code=2)["error"]["message"]


def test_a_broken_line_of_the_configuration_is_named(cli: Cli) -> None:
    Path("socap.toml").write_text("[worker]\nconcurency = 3\n")
    _, err = cli.text("status", code=2)
    assert "socap.toml: [worker] concurency: no such setting" in err
    Path("socap.toml").write_text("[worker\n")
    assert "socap.toml: Expected" in cli.text("status", code=2)[1]


def test_an_unreachable_database_is_told_without_its_password(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = "mongodb://somebody:s3cr3tword@127.0.0.1:1/?serverSelectionTimeoutMS=300"
    monkeypatch.setenv("MONGODB_URI", uri)
    _, err = cli.text("status", code=7)
    assert err.startswith("error: the database cannot be reached")
    assert "s3cr3tword" not in err
    assert err.count("\n") == 1
    monkeypatch.setenv("MONGODB_URI", "postgres://x")
    assert "MONGODB_URI: should begin with mongodb://" in cli.text("status", code=2)[1]


def test_a_webhook_that_answers_410_loses_no_alert(
    cli: Cli, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCAP_ALERT_SLACK_WEBHOOK", f"{simulator.url}/sim/slack?token=hush")
    monkeypatch.setenv("SOCAP_ALERTS__WEBHOOK_HOSTS", simulator.url.removeprefix("http://"))
    (tmp_path / "t.csv").write_text(simulator.tweets_csv())
    cli("campaign", "add", "launch", "--from", str(tmp_path / "t.csv"), "--threshold", "0")
    cli("enqueue")
    cli("work")
    simulator.slack.status = 410
    _, err = cli.text("alerts", "send", code=4)
    assert "slack (webhook at 127.0.0.1) is disabled" in err
    assert "hush" not in err
    simulator.slack.status = 200
    tried_again = cli("alerts", "retry")["result"]["deliveries"]
    assert tried_again >= 1
    assert cli("alerts", "send")["result"]["sent"] == tried_again


def test_a_dead_provider_key_ends_work_with_a_reason_and_status_tells_it_until_it_is_mended(
    cli: Cli, simulator: Simulator, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(simulator.tweets_csv())
    cli("campaign", "add", "launch", "--from", str(tmp_path / "t.csv"))
    cli("enqueue")
    simulator.key = "another"
    _, err = cli.text("work", code=1)
    assert "the key was refused" in err
    assert "check TWITTER_API_KEY" in err
    out, _ = cli.text("status", "--check", code=1)
    assert "the key was refused: Invalid API key – check TWITTER_API_KEY" in out
    simulator.key = None
    assert cli("work")["result"]["failed"] == 0
    cli.text("status", "--check")


def test_exit_zero_and_quiet_are_heeded_wherever_they_stand(cli: Cli) -> None:
    assert execute(["--exit-zero", "campaign", "show", "nope"]) == 0
    assert execute(["campaign", "show", "nope", "--exit-zero"]) == 0
    cli.capsys.readouterr()
    assert cli.text("campaign", "list", "-q") == ("", "")
    assert cli.text("enqueue", "-q")[1].startswith("warning: there is no campaign in ")


def test_no_command_at_all_shows_the_help_and_says_so(cli: Cli) -> None:
    out, err = cli.text(code=2)
    assert "Usage: socap" in out
    assert err == "error: a command is needed – see: socap --help\n"


def test_a_provider_that_is_down_is_named_when_work_gives_up(
    cli: Cli, simulator: Simulator, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(simulator.tweets_csv())
    cli("campaign", "add", "launch", "--from", str(tmp_path / "t.csv"))
    cli("enqueue")
    simulator.faults.update({"errors": 1.0})
    _, err = cli.text("work", "--max-runtime", "1", code=4)
    assert "HTTP 50" in err
    simulator.faults.update({"errors": 0.0})
    assert cli("work")["result"]["failed"] == 0
    assert cli("simulate", "--check", "--port", simulator.url.rsplit(":", 1)[1])["result"]["missing"] == 0


def test_a_secret_can_come_from_a_file(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k\n")
    monkeypatch.setenv("TWITTER_API_KEY_FILE", str(tmp_path / "key"))
    cli("enqueue")
    assert cli("work")["result"]["completed"] == 0


def test_a_bug_is_told_with_a_log_and_exit_code_3(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TWITTER_API_KEY", "a-key-of-somebody")

    def broken(_run: object) -> None:
        raise ZeroDivisionError("a-key-of-somebody")

    monkeypatch.setattr("socap_cli.cli.run.Run.now", broken)
    answer = cli("--data-dir", str(tmp_path), "enqueue", code=3)
    log = Path(str(answer["error"]["hint"]).removeprefix("please report it with "))
    assert "ZeroDivisionError: ***" in log.read_text()
    assert "a-key" not in f"{answer} {log.read_text()}"


def every_command() -> list[str]:
    from socap_cli.cli.app import whole_program

    app = whole_program()
    found = [command.name or "" for command in app.registered_commands]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        found.extend(f"{group.name} {command.name}" for command in group.typer_instance.registered_commands)
    return found


@pytest.mark.parametrize("command", every_command())
def test_every_command_is_documented_and_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"socap {command}" in (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert execute([*command.split(), "--help"]) == 0
    assert len(capsys.readouterr().out) > 100


def test_version_and_module_are_the_same_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "socap_cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("socap ")


DATABASE, HTTP, PAGES = {"pymongo"}, {"httpx", "httpcore", "smtplib"}, {"numpy", "matplotlib", "jinja2"}


@pytest.mark.parametrize(
    ("command", "not_needed"),
    [
        ("--version", {"socap_cli.settings", "socap_cli.model"} | DATABASE | HTTP | PAGES),
        ("--help", {"socap_cli.settings", "socap_cli.model"} | DATABASE | HTTP | PAGES),
        ("enqueue", HTTP | PAGES),
        ("status", HTTP | PAGES),
        ("jobs list", HTTP | PAGES),
        ("engagements list launch", HTTP | PAGES),
        ("db prune --older-than 30 --dry-run", HTTP | PAGES),
        ("metrics series launch", HTTP | {"jinja2", "matplotlib"}),
        ("report render --out {folder}", {"httpx", "httpcore"}),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(
    cli: Cli, tmp_path: Path, command: str, not_needed: set[str]
) -> None:
    cli("campaign", "add", "launch", "--no-verify", "--tweet", "1790000000000000123")
    script = (
        "import sys\nfrom socap_cli.cli.app import execute\n"
        f"assert execute({command.format(folder=tmp_path / 'pages').split()!r}) == 0\n"
        f"heavy = {sorted(not_needed)!r}\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_work_loads_nothing_that_draws_or_mails() -> None:
    script = f"import sys, socap_cli.cli.work; print(sorted({PAGES | {'smtplib'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.alone
def test_sigterm_gives_everything_back_within_four_seconds(
    cli: Cli, simulator: Simulator, db: Db, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(simulator.tweets_csv())
    cli("campaign", "add", "launch", "--from", str(tmp_path / "t.csv"))
    cli("enqueue")
    simulator.faults.update({"latency": 8.0})
    worker = subprocess.Popen(
        [sys.executable, "-m", "socap_cli", "--json", "work"],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    until = time.monotonic() + 20
    while not db.jobs.count_documents({"status": "processing"}) and time.monotonic() < until:
        time.sleep(0.05)
    asked = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    out, _ = worker.communicate(timeout=20)
    assert time.monotonic() - asked < 4.5
    assert db.jobs.count_documents({"status": "processing"}) == 0
    assert db.jobs.count_documents({"attempts": {"$gt": 0}}) == 0
    assert json.loads(out)["result"]["stopped"]
