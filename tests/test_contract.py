"""The contract that cron lines, workflows and scripts lean on: commands, options, results, exit codes, as a table."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.command_lines import parser
from support.terminal import Cli

from socap_cli.cli.app import execute
from socap_cli.simulator.server import Simulator
from socap_cli.store import Db

OF_A_CAMPAIGN = (
    "--tweet --from --name --start --end --days --threshold --channel --slack-webhook --client-name --client-email "
    "--vip --ignore --spacing --frequency-window --cadence --no-verify --dry-run"
)
CONTRACT = {
    "run": "--skip --dry-run",
    "init": "",
    "doctor": "",
    "demo": "--tweets --cycles --out --keep",
    "simulate": "--port --tweets --provider --seed",
    "campaign add": f"SLUG {OF_A_CAMPAIGN}",
    "campaign list": "--status",
    "campaign show": "SLUG",
    "campaign edit": f"SLUG {OF_A_CAMPAIGN} --clear --add-vip --remove-vip --add-ignore --remove-ignore",
    "campaign pause": "SLUG --dry-run",
    "campaign resume": "SLUG --days --dry-run",
    "campaign complete": "SLUG --dry-run",
    "campaign delete": "SLUG --yes --dry-run",
    "campaign add-tweets": "SLUG --tweet --from --no-verify --dry-run",
    "campaign edit-tweet": "SLUG URL|ID --category --dry-run",
    "campaign remove-tweet": "SLUG URL|ID --dry-run",
    "campaign apply": "FILE|- --dry-run",
    "campaign export": "SLUG",
    "campaign estimate": "SLUG",
    "enqueue": "--campaign --verify --dry-run",
    "work": "--concurrency --processes --max-runtime --wait",
    "status": "",
    "jobs list": "--campaign --status",
    "jobs show": "JOB",
    "jobs retry": "JOB --dry-run",
    "alerts send": "--campaign --dry-run",
    "alerts list": "--campaign --status",
    "alerts show": "ALERT",
    "alerts retry": "ALERT --dry-run",
    "alerts test": "[CHANNEL]",
    "alerts silence": "[SLUG] --minutes --dry-run",
    "report render": "[SLUG] --out --edition --dry-run",
    "report send": "[SLUG] --to --dry-run",
    "report compare": "SLUG SLUG…",
    "metrics series": "SLUG --granularity --from --to --category",
    "metrics coverage": "SLUG --granularity --from --to --format --out",
    "engagements list": "SLUG --limit --offset --sort --category --action-type --min-importance",
    "engagements export": "SLUG --format",
    "engagements erase": "@NAME --yes --dry-run",
    "importance import": "FILE|- --dry-run",
    "importance build": "--dry-run",
    "importance list": "--limit",
    "importance show": "@NAME",
    "importance remove": "@NAME --dry-run",
    "importance export": "--out",
    "importance rescore": "--dry-run",
    "categories test": "TEXT",
    "usage": "--by",
    "config show": "",
    "db start": "",
    "db stop": "",
    "db status": "",
    "db backup": "FILE|-",
    "db check": "FILE|-",
    "db restore": "FILE|- --yes --dry-run",
    "db prune": "--older-than --yes --dry-run",
}
EVERYWHERE = "--config --data-dir --json --quiet --verbose --log-format --exit-zero --version"
WORDS = {
    ("simulate", "--provider"): {"twitterapi", "x"},
    ("campaign list", "--status"): {"active", "paused", "completed"},
    ("metrics series", "--granularity"): {"hour", "day"},
    ("engagements list", "--sort"): {"importance_score", "timestamp"},
    ("engagements list", "--action-type"): {"retweet", "reply", "quote"},
    ("engagements export", "--format"): {"csv", "jsonl", "xlsx"},
    ("report render", "--edition"): {"client", "operator"},
    ("campaign add", "--cadence"): {"fixed", "adaptive"},
    ("usage", "--by"): {"campaign", "endpoint", "day"},
}
"""What the help of an option lists at least."""


def command(words: str) -> Any:
    found = parser()
    for word in words.split():
        found = found.commands[word]
    return found


def parameters(words: str) -> set[str]:
    return {
        name
        for one in command(words).params
        for name in (one.opts if one.param_type_name == "option" else [one.metavar])
    }


@pytest.mark.parametrize("words", CONTRACT)
def test_a_command_has_its_arguments_and_options(words: str) -> None:
    # an argument's own name may hold a blank: SLUG SLUG…
    wanted = set(CONTRACT[words].replace("SLUG SLUG…", "SLUG_SLUG…").split())
    assert {name.replace("_", " ") if "…" in name else name for name in wanted} - parameters(words) == set()


@pytest.mark.parametrize("name", EVERYWHERE.split())
def test_the_program_has_the_options_that_stand_everywhere(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["--help"]) == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize(("words", "option"), WORDS)
def test_an_option_lists_its_words(words: str, option: str) -> None:
    (found,) = [one for one in command(words).params if option in one.opts]
    assert WORDS[words, option] <= set(found.metavar.split("|"))


@pytest.mark.slow
def test_the_module_is_the_same_program() -> None:
    done = subprocess.run([sys.executable, "-m", "socap_cli", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout[:6]) == (0, "socap ")


RESULTS = {
    "campaign add launch --from tweets.csv --days 7": {"slug", "tweets_added", "rejected"},
    "enqueue": {"campaigns", "jobs_armed", "jobs_already_open", "campaigns_completed"},
    "work": {
        "completed", "unchanged", "requeued", "failed", "requests", "items", "engagements_new", "snapshots", "seconds",
    },
    "alerts send": {"planned", "sent", "held", "failed", "dead", "unknown"},
    "report render": {"pages", "unchanged"},
    "status": {"jobs", "coverage"},
    "usage": {"requests", "items", "cost"},
}  # fmt: skip


def test_results_hold_what_scripts_read(
    cli: Cli, db: Db, simulator: Simulator, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tweets.csv").write_text(simulator.tweets_csv() + "nonsense,client\n")
    answers = {}
    for words, wanted in RESULTS.items():
        code = 4 if words.startswith("campaign add") else 0
        answers[words.split()[0]] = result = cli(*words.split(), code=code)["result"]
        assert wanted - set(result) == set(), words
    assert set(answers["campaign"]["rejected"][0]) == {"line", "text", "reason"}
    assert all(isinstance(n, int) for states in answers["status"]["jobs"].values() for n in states.values())
    assert {"counter", "collected", "removed"} <= set(answers["status"]["coverage"])
    assert [path.endswith(".html") for path in answers["report"]["pages"]] == [True, True]


CODES = [
    ("campaign list", 0),
    ("campaign show nope", 1),
    ("campaign list --status nope", 2),
    ("nonsense", 2),
    ("campaign add x --no-verify --days 1 --tweet https://x.com/i/status/9651898815170611 --tweet nope", 4),
]


@pytest.mark.parametrize(("words", "code"), CODES)
def test_exit_codes_and_the_envelope(cli: Cli, words: str, code: int) -> None:
    answer = cli(*words.split(), code=code)  # checks ok, partial and the names of the fields
    assert (answer["error"] is None) == (code in (0, 4))
    assert execute([*words.split(), "--json", "--exit-zero"]) == 0


def _a_bug(db: Db, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("socap_cli.campaigns.adding.overview", lambda *_: 1 / 0)


def _another_run(db: Db, patch: pytest.MonkeyPatch) -> None:
    db.important_people.insert_one({"username": "ada", "weight": 5.0})
    db.locks.insert_one(
        {"_id": "importance build", "token": "theirs", "until": datetime(2100, 1, 1, tzinfo=UTC)}
    )


def _a_budget_that_is_spent(db: Db, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("SOCAP_BUDGET__DAY_HARD", "0.001")


def _no_provider(db: Db, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("TWITTER_API_URL", "http://127.0.0.1:1")
    patch.setattr("socap_cli.client.metered._wait", lambda _: 0.0)


def _no_database(db: Db, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("MONGODB_URI", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100")


STOPS = [
    (_a_bug, "campaign list", 3),
    (_another_run, "importance build", 5),
    (_a_budget_that_is_spent, "campaign add y --days 1 --tweet TWEET", 6),
    (_no_provider, "campaign add y --days 1 --tweet TWEET", 7),
    (_no_database, "campaign list", 7),
]


@pytest.mark.parametrize(("trouble", "words", "code"), STOPS)
def test_what_stops_a_run_has_its_exit_code(
    trouble: Any,
    words: str,
    code: int,
    cli: Cli,
    db: Db,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tweets = simulator.tweets_csv().split()[1:]
    words = words.replace("TWEET", tweets[1].partition(",")[0])
    monkeypatch.setenv("SOCAP_DATA_DIR", str(Path.cwd()))
    cli("campaign", "add", "x", "--days", "1", "--tweet", tweets[0].partition(",")[0])
    trouble(db, monkeypatch)
    told = cli(*words.split(), code=code)["error"]
    assert told["message"]
    assert told["hint"] or code == 6
    assert not db.campaigns.find_one({"_id": "y"})
    assert execute([*words.split(), "--json", "--exit-zero"]) == 0
