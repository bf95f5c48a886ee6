"""Nothing is left out silently, and who asks for more with -v is told more."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.terminal import Cli

from socap_cli.simulator.server import Simulator
from socap_cli.store import Db


def test_a_campaign_that_cannot_be_read_is_named_by_every_command_that_leaves_it_out(
    cli: Cli, db: Db
) -> None:
    db.campaigns.insert_one({"_id": "broken", "name": "Broken", "status": "active"})
    told = "the document of campaign 'broken' cannot be read, and it is left out: socap campaign show broken"
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
    "campaign remove-tweet one 1996518988151706110", "enqueue", "jobs retry", "alerts plan", "alerts send",
    "alerts retry", "alerts silence one --minutes 5", "alerts silence --person bob --minutes 0",
    "importance import people.csv", "importance remove ada", "importance rescore", "importance init", "db prune",
    "db restore saved.tar.gz",
)  # fmt: skip


@pytest.mark.parametrize("words", WRITES)
def test_a_dry_run_writes_nothing(cli: Cli, db: Db, words: str) -> None:
    tweet = "https://x.com/i/status/1996518988151706110"
    cli("campaign", "add", "one", "--days", "1", "--no-verify", "--tweet", tweet)
    cli("alerts", "silence", "--person", "bob", "--minutes", "9")
    cli("db", "backup", "saved.tar.gz")
    db.important_people.insert_one({"username": "ada", "weight": 5.0})
    Path("people.csv").write_text("ada,9\nbob,1\n")
    Path("two.toml").write_text('slug = "two"\ndays = 3\n')
    before = {name: list(db[name].find().sort("_id", 1)) for name in db.list_collection_names()}
    cli(*words.split(), "--dry-run")
    after = {name: list(db[name].find().sort("_id", 1)) for name in db.list_collection_names()}
    assert {name: rows for name, rows in after.items() if rows != before.get(name, [])} == {}


def test_help_lists_its_topics_and_shows_each_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    cli = Cli(capsys)
    found = cli("help")["result"]["topics"]
    assert {"alerts", "metrics", "importance", "operating"} <= set(found)
    pages = Path(__file__).parent.parent / "docs"
    for name in found:
        assert cli.text("help", name)[0].strip() == (pages / f"{name}.md").read_text("utf-8").strip()
    assert cli("help", "nonsense", code=2)["error"]["message"] == "no topic 'nonsense'"
