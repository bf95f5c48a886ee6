"""Nothing is left out silently, and who asks for more with -v is told more."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from support.terminal import Cli

from socap_cli.simulator.server import Mailbox, Simulator
from socap_cli.store import Db, rate_limits


def test_a_campaign_that_cannot_be_read_is_named_by_every_command_that_leaves_it_out(
    cli: Cli, db: Db
) -> None:
    db.campaigns.insert_one({"_id": "broken", "name": "Broken", "status": "active"})
    told = "campaign 'broken' is skipped: monitor_window.starts_at is missing in its document"
    for words in ("campaign list", "enqueue", "enqueue --dry-run"):
        assert told in cli(*words.split(), code=0)["warnings"], words


def test_work_tells_of_each_unit_and_each_request_to_who_asks(cli: Cli, simulator: Simulator) -> None:
    Path("tweets.csv").write_text(simulator.tweets_csv())
    cli("campaign", "add", "launch", "--days", "7", "--from", "tweets.csv")
    told = {}
    for word in ("-q", "-v", "-vv"):
        cli("enqueue", "--verify")
        told[word] = cli.text(word, "work")[1]
    assert told["-q"] == ""
    assert "retweets of " in told["-v"]
    assert "/twitter/tweets:" not in told["-v"]
    assert "/twitter/tweets: 8 items in " in told["-vv"]


@pytest.mark.parametrize(
    ("rows", "told"), [("ada,5", False), ("ada,9", True), ("bob,9", False), ("ada,9\nbob,1", True)]
)
def test_a_changed_weight_says_when_it_counts(cli: Cli, db: Db, rows: str, told: bool) -> None:
    db.important_people.insert_one({"username": "ada", "weight": 5.0})
    Path("people.csv").write_text(f"username,weight\n{rows}\n")
    warnings = cli("importance", "import", "people.csv")["warnings"]
    assert warnings == (
        ["changed weights count in scores from the next build on: socap importance build"] if told else []
    )


def test_one_is_told_as_one(cli: Cli) -> None:
    tweet = "https://x.com/i/status/1996518988151706110"
    cli("campaign", "add", "one", "--days", "1", "--no-verify", "--tweet", tweet)
    assert cli.text("campaign", "export", "one", "--out", "one.toml")[0] == "1 tweet in one.toml\n"


WRITES = (
    "campaign pause one", "campaign complete one", "campaign resume one --days 3", "campaign delete one",
    "campaign edit one --threshold 3 --add-vip ada --clear end", "campaign apply two.toml",
    "campaign add-tweets one --tweet https://x.com/i/status/1996518988151706111",
    "campaign edit-tweet one 1996518988151706110 --category investor",
    "campaign remove-tweet one 1996518988151706110", "enqueue", "jobs retry", "alerts send",
    "alerts retry", "alerts silence one --minutes 5", "alerts silence --person bob --minutes 0",
    "importance import people.csv", "importance remove ada", "importance rescore", "db prune",
    "db restore saved.tar.gz", "report render", "report send one --to a@b.example", "report send --final",
)  # fmt: skip


@pytest.mark.parametrize("words", WRITES)
def test_a_dry_run_writes_nothing(cli: Cli, db: Db, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCAP_ALERT_EMAIL_SMTP", "smtp://127.0.0.1:1")
    tweet = "https://x.com/i/status/1996518988151706110"
    cli("campaign", "add", "one", "--days", "1", "--no-verify", "--tweet", tweet)
    cli("alerts", "silence", "--person", "bob", "--minutes", "9")
    cli("db", "backup", "saved.tar.gz")
    db.important_people.insert_one({"username": "ada", "weight": 5.0})
    Path("people.csv").write_text("ada,9\nbob,1\n")
    Path("two.toml").write_text('slug = "two"\ndays = 3\n')
    before = {name: list(db[name].find().sort("_id", 1)) for name in db.list_collection_names()}
    files = set(Path().rglob("*"))
    cli(*words.split(), "--dry-run")
    after = {name: list(db[name].find().sort("_id", 1)) for name in db.list_collection_names()}
    assert {name: rows for name, rows in after.items() if rows != before.get(name, [])} == {}
    assert set(Path().rglob("*")) == files


def test_a_dry_run_of_a_report_tells_what_the_real_one_does(
    cli: Cli, db: Db, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCAP_ALERT_EMAIL_SMTP", mailbox.url)
    tweet = "https://x.com/i/status/1996518988151706110"
    for name in ("one", "two"):
        cli(
            "campaign",
            "add",
            name,
            "--days",
            "1",
            "--no-verify",
            "--tweet",
            tweet,
            "--client-email",
            "c@d.example",
        )
    for would in (
        "would write socap-report/one_/one.html, socap-report/two_/two.html, socap-report/one_/index.html, "
        "socap-report/two_/index.html\n",
        None,
    ):
        said = cli.text("report", "render", "--dry-run")[0]
        assert said == (would or "would write nothing: 4 pages would stay\n")
        planned, done = cli("report", "render", "--dry-run")["result"], cli("report", "render")["result"]
        assert {**planned, "dry_run": False} == done
    Path("socap-report/two_/two.html").write_text("broken")
    assert (
        cli.text("report", "render", "--dry-run")[0]
        == "would write socap-report/two_/two.html; 3 would stay\n"
    )
    assert "would send 'one: " in cli.text("report", "send", "one", "--to", "a@b.example", "--dry-run")[0]
    cli("campaign", "complete", "two")
    (planned,) = cli("report", "send", "--final", "--dry-run")["result"]["would_send"]
    assert (planned["slug"], planned["to"], mailbox.messages) == ("two", "c@d.example", [])
    assert cli("report", "send", "--final")["result"]["sent"] == 1
    assert mailbox.messages[0]["Subject"] == planned["subject"]
    assert cli.text("report", "send", "--final", "--dry-run")[0] == "would send nothing\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("engagements list x --limit 0", "'--limit': Input should be greater than or equal to 1"),
        ("engagements list x --limit many", "'--limit': Input should be a valid integer"),
        ("engagements list x --min-importance much", "'--min-importance': Input should be a valid number"),
        ("engagements list x --min-importance nan", "'--min-importance': nan is not a finite number"),
        ("engagements list x --min-importance inf", "'--min-importance': inf is not a finite number"),
        (f"engagements list x --limit {2**63}", f"'--limit': {2**63} is too large"),
        (f"engagements list x --offset {2**70}", f"'--offset': {2**70} is too large"),
        (
            "alerts silence one --minutes 99999999",
            "'--minutes': Input should be less than or equal to 5256000",
        ),
        ("work --processes 65", "'--processes': Input should be less than or equal to 64"),
        ("campaign edit one --days 3 --clear end", "--clear end resets what is also set"),
    ],
)
def test_a_value_that_cannot_be_used_is_a_usage_error(cli: Cli, words: str, told: str) -> None:
    tweet = "https://x.com/i/status/1996518988151706110"
    cli("campaign", "add", "one", "--days", "1", "--no-verify", "--tweet", tweet)
    assert told in cli(*words.split(), code=2)["error"]["message"]


def test_a_campaign_whose_end_is_taken_back_is_said_to_have_none(cli: Cli) -> None:
    tweet = "https://x.com/i/status/1996518988151706110"
    cli("campaign", "add", "one", "--days", "1", "--no-verify", "--tweet", tweet)
    assert "one has no end" in cli("campaign", "edit", "one", "--clear", "end")["warnings"][0]
    assert cli("campaign", "edit", "one", "--threshold", "3")["warnings"] == []


def test_no_look_is_announced_for_a_time_before_the_start(cli: Cli) -> None:
    tweet = "https://x.com/i/status/1996518988151706110"
    cli("campaign", "add", "one", "--start", "2100-01-01", "--days", "1", "--no-verify", "--tweet", tweet)
    assert "the campaign starts" in cli.text("campaign", "show", "one")[0]
    (row,) = cli("campaign", "show", "one")["result"]["tweets"]
    assert row["next_look"]["at"] == "2100-01-01T00:00:00Z"


def test_a_provider_is_not_said_to_be_silent_once_nobody_asks_it_any_more(cli: Cli, db: Db) -> None:
    limiter = rate_limits.limiter_id("an old key", "account")
    rate_limits.close(db, limiter, reason="refused")
    assert [one["area"] for one in cli("status")["result"]["troubles"]] == ["outage"]
    hours_ago = time.time() * 1000 - 4 * 3_600_000
    db.rate_limits.update_one({"_id": limiter}, {"$set": {"tat": hours_ago}})
    assert cli("status")["result"]["troubles"] == []


def test_an_empty_list_is_told_and_a_dry_run_says_would(cli: Cli) -> None:
    tweet = "https://x.com/i/status/1996518988151706110"
    cli("campaign", "add", "one", "--days", "1", "--no-verify", "--tweet", tweet)
    assert cli.text("jobs", "list")[1] == "no matching jobs\n"
    assert cli.text("alerts", "list")[1] == "no matching alerts\n"
    would = "would plan 0 alerts, send 0 messages, hold 0\n"
    assert cli.text("alerts", "send", "--dry-run")[0] == would
    more = ("campaign", "add-tweets", "one", "--tweet", f"{tweet[:-1]}1", "--dry-run")
    assert cli.text(*more)[0] == "one: would add 1 tweet\n"
    both = ("campaign", "edit", "one", "--threshold", "3", "--tweet", f"{tweet[:-1]}1", "--dry-run")
    assert cli.text(*both)[0] == "would change threshold: 10 → 3\none: would add 1 tweet\n"
    other = ("campaign", "edit-tweet", "one", tweet, "--category")
    assert cli.text(*other, "investor", "--dry-run")[0].startswith("would change tweet ")
    assert cli.text(*other, "client")[0].startswith("no changes: tweet ")
    assert "(default: now)" not in cli.text("campaign", "edit", "--help")[0]
    assert "would queue 4 jobs" in cli.text("enqueue", "--dry-run")[0]
    Path("text.toml").write_text("no backup")
    assert "it is not a .tar.gz file" in cli("db", "check", "text.toml", code=1)["error"]["message"]
