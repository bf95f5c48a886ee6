"""The commands of a campaign, from its file to its end and back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.terminal import Cli

from socap_cli.simulator.server import Simulator
from socap_cli.store import Db

A, B, C = (f"https://x.com/ada/status/{number}" for number in (101, 102, 103))
CATEGORIES = {"101": "client", "102": "influencer"}


@pytest.fixture
def launch(cli: Cli) -> Cli:
    """A campaign of two tweets that lasts three days."""
    cli("campaign", "add", "launch", "--tweet", A, "--tweet", f"{B}=influencer", "--days", "3", "--no-verify")
    return cli


def shown(cli: Cli) -> dict[str, Any]:
    result: dict[str, Any] = cli("campaign", "show", "launch")["result"]
    return {**result["campaign"], "tweets": {t["tweet_id"]: t["category"] for t in result["tweets"]}}


def test_every_line_is_accepted_or_rejected_in_the_answer_and_on_the_terminal(
    cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "l.txt").write_text(f"# ours\n{A} investor\nnonsense\n{B}\n{A}\n")
    words = ("campaign", "add", "launch", "--from", str(tmp_path / "l.txt"), "--days", "3", "--no-verify")
    _, err = cli.text(*words, "--dry-run", code=4)
    assert [line.split(":")[:2] for line in err.splitlines()] == [
        ["accepted", " line 2"], ["rejected", " line 3"], ["accepted", " line 4"], ["rejected", " line 5"],
    ]  # fmt: skip
    assert cli("campaign", "list")["result"]["campaigns"] == []
    done = cli(*words, code=4)["result"]
    assert [(one["line"], one["tweet_id"], one["category"], one["new"]) for one in done["accepted"]] == [
        (2, "101", "investor", True), (4, "102", "client", True),
    ]  # fmt: skip
    assert [(one["line"], one["reason"].split(";")[0]) for one in done["rejected"]] == [
        (3, "not a tweet of x.com or twitter.com: nonsense"), (5, "the same tweet as on line 2"),
    ]  # fmt: skip


def test_ten_accepted_tweets_are_printed_and_every_rejected_line(cli: Cli, tmp_path: Path) -> None:
    lines = [f"https://x.com/ada/status/{number}" for number in range(101, 113)]
    (tmp_path / "l.txt").write_text("\n".join([*lines, *["nonsense"] * 12]))
    out, err = cli.text(
        "campaign", "add", "launch", "--from", str(tmp_path / "l.txt"), "--days", "3", "--no-verify", code=4
    )
    assert [sum(line.startswith(word) for line in err.splitlines()) for word in ("accepted", "rejected")] == [
        10,
        12,
    ]
    assert "… and 2 more accepted" in err
    assert out.splitlines() == [
        "launch: 12 tweets added, 12 rejected",
        "estimate: not estimated (12 tweets not read yet)",
    ]


def test_an_estimate_is_printed_for_tweets_whose_counters_are_known(
    cli: Cli, simulator: Simulator, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(simulator.tweets_csv())
    answer = cli("campaign", "add", "launch", "--from", str(tmp_path / "t.csv"), "--days", "3")
    found = answer["result"]["estimate"]
    assert (found["tweets"], found["tweets_not_read"], found["credits"] > 0) == (8, 0, True)
    cli("campaign", "add-tweets", "launch", "--tweet", "https://x.com/ada/status/101", "--no-verify")
    assert cli("campaign", "estimate", "launch")["result"]["tweets_not_read"] == 1
    assert "not estimated (1 tweet not read yet)" in cli.text("campaign", "estimate", "launch")[0]


def test_an_estimate_that_fails_is_a_warning_and_the_campaign_is_added(cli: Cli, db: Db) -> None:
    cli("campaign", "add", "old", "--tweet", A, "--start", "2020-01-01", "--no-verify")
    db.worker_state.insert_one({"_id": B.rpartition("/")[2], "counters": {"retweets": "many"}})
    words = ("campaign", "add", "launch", "--tweet", B, "--days", "3", "--no-verify")
    assert cli(*words, "--dry-run")["warnings"] == []
    answer = cli(*words)
    assert (answer["result"]["tweets_added"], answer["result"]["estimate"]) == (1, None)
    (warning,) = answer["warnings"]
    assert warning.startswith("no estimate: ValueError: ")
    assert warning.endswith("; try again with: socap campaign estimate launch")
    assert [row["slug"] for row in cli("campaign", "list")["result"]["campaigns"]] == ["launch", "old"]


@pytest.mark.parametrize(
    "state", [{"counters": 5}, {"retweets": "x"}, {"velocity": [1]}, {"gaps": [{"x": 1}]}]
)
def test_a_damaged_state_of_a_tweet_counts_as_not_read_and_stops_no_command(
    launch: Cli, db: Db, state: dict[str, Any]
) -> None:
    db.worker_state.replace_one({"_id": "101"}, state, upsert=True)
    for words in (["campaign", "list"], ["campaign", "show", "launch"], ["status"], ["usage"], ["enqueue"]):
        launch(*words)


@pytest.mark.parametrize(("channels", "is_warned"), [([], True), (["--channel", "email"], False)])
def test_a_client_who_gets_no_mail_is_warned_of(cli: Cli, channels: list[str], is_warned: bool) -> None:
    words = ("--tweet", A, "--days", "3", "--no-verify", "--client-email", "client@acme.example", *channels)
    warnings = cli("campaign", "add", "launch", *words)["warnings"]
    assert any("client@acme.example gets no alerts" in warning for warning in warnings) is is_warned


def test_a_campaign_that_starts_later_is_listed_as_scheduled(cli: Cli, db: Db) -> None:
    cli("campaign", "add", "later", "--tweet", A, "--start", "2190-01-01", "--days", "3", "--no-verify")
    (row,) = cli("campaign", "list", "--status", "scheduled")["result"]["campaigns"]
    assert (row["slug"], row["status"]) == ("later", "scheduled")
    assert cli("campaign", "list", "--status", "active")["result"]["campaigns"] == []
    assert db.campaigns.find_one({"_id": "later"})["status"] == "active"  # type: ignore[index]


def test_a_campaign_without_an_end_is_warned_of(cli: Cli) -> None:
    answer = cli("campaign", "add", "launch", "--tweet", A, "--no-verify")
    assert "has no end" in answer["warnings"][0]


@pytest.mark.parametrize("status", ["ends by itself", "completed by hand"])
@pytest.mark.parametrize("way", [["edit", "launch", "--days", "60"], ["resume", "launch", "--days", "2"]])
def test_a_completed_campaign_opens_again(launch: Cli, db: Db, status: str, way: list[str]) -> None:
    if status == "ends by itself":
        past = datetime(2026, 1, 1, tzinfo=UTC)
        db.campaigns.update_one(
            {"_id": "launch"},
            {"$set": {"monitor_window": {"starts_at": past.replace(year=2025), "ends_at": past}}},
        )
        if way[0] == "edit":
            way = ["edit", "launch", "--days", "3600"]
        assert launch("enqueue")["result"]["campaigns_completed"] == 0  # one last cycle first
        db.jobs.update_many({}, {"$set": {"status": "completed"}})
        assert launch("enqueue")["result"]["campaigns_completed"] == 1
    else:
        launch("campaign", "complete", "launch")
    assert launch("enqueue")["result"]["campaigns"] == 0
    assert launch("campaign", *way)["result"]["campaign"]["status"] == "active"
    assert launch("enqueue")["result"]["campaigns"] == 1
    assert db.jobs.count_documents({"status": "pending"}) == 8


def test_settings_are_changed_added_to_and_taken_back(launch: Cli) -> None:
    hook = "https://hooks.slack.com/services/T/B/x"
    launch(
        "campaign",
        "edit",
        "launch",
        "--vip",
        "@Ada",
        "--slack-webhook",
        hook,
        "--client-email",
        "a@b.example",
    )
    launch("campaign", "edit", "launch", "--add-vip", "https://x.com/Bob,carl", "--remove-vip", "@ADA")
    launch("campaign", "edit", "launch", "--add-ignore", "@dora")
    before = shown(launch)
    assert (before["vips"], before["ignores"], before["slack_webhook"]) == (["bob", "carl"], ["dora"], "set")
    planned = launch("campaign", "edit", "launch", "--clear", "slack-webhook", "--clear", "end", "--dry-run")
    assert shown(launch) == before
    done = launch("campaign", "edit", "launch", "--clear", "slack-webhook", "--clear", "end")
    assert done["result"]["changes"] == planned["result"]["changes"]
    after = shown(launch)
    assert (after["slack_webhook"], after["ends_at"], after["vips"]) == (None, None, ["bob", "carl"])
    assert launch("campaign", "edit", "launch", "--clear", "end")["result"]["changed"] == []


def test_edit_takes_tweets_too(launch: Cli) -> None:
    done = launch(
        "campaign", "edit", "launch", "--tweet", f"{C}=investor", "--tweet", "nonsense", "--no-verify", code=4
    )
    assert done["result"]["tweets_added"] == 1
    assert shown(launch)["tweets"] == {**CATEGORIES, "103": "investor"}


def test_a_tweets_category_is_changed_and_an_old_one_is_told(launch: Cli, db: Db) -> None:
    answer = launch("campaign", "add-tweets", "launch", "--tweet", f"{A}=investor", "--no-verify")
    assert "is there as client, not investor" in answer["warnings"][0]
    launch("campaign", "edit-tweet", "launch", A, "--category", "Investor_Twt")
    assert shown(launch)["tweets"]["101"] == "investor"
    assert db.tweets.find_one({"tweet_id": "101"})["category"] == "investor_twt"  # type: ignore[index]


def test_a_file_makes_a_campaign_and_applying_it_again_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "launch.toml"
    file.write_text(
        f'slug = "launch"\nname = "Launch week"\ndays = 7\nthreshold = 5\nvips = ["@Ada", "https://x.com/bob"]\n'
        f'[client]\nname = "Acme"\nemail = "ops@acme.example"\n[[tweets]]\nurl = "{A}"\n[[tweets]]\n'
        f'url = "{B}"\ncategory = "influencer"\n'
    )
    planned = cli("campaign", "apply", str(file), "--no-verify", "--dry-run")["result"]
    assert (planned["created"], cli("campaign", "list")["result"]["campaigns"]) == (True, [])
    assert cli("campaign", "apply", str(file), "--no-verify")["result"]["tweets_added"] == 2
    again = cli("campaign", "apply", str(file), "--no-verify")["result"]
    assert (again["changed"], again["tweets_added"]) == (False, 0)
    now = shown(cli)
    assert (now["client_email"], now["vips"], now["tweets"]) == (
        "ops@acme.example",
        ["ada", "bob"],
        CATEGORIES,
    )


def test_an_exported_file_is_the_campaign_and_its_edits_are_applied(launch: Cli, tmp_path: Path) -> None:
    file = tmp_path / "launch.toml"
    launch("campaign", "export", "launch", "--out", str(file))
    assert launch("campaign", "apply", str(file), "--no-verify")["result"]["changed"] is False
    text = file.read_text().replace('"influencer"', '"investor"').replace("status/101", "status/103")
    file.write_text(text.replace("threshold = 10.0", "threshold = 12"))
    done = launch("campaign", "apply", str(file), "--no-verify")["result"]
    assert done["changes"] == [{"field": "threshold", "before": 10.0, "after": 12.0}]
    assert (done["tweets_removed"], done["tweets_added"]) == (["101"], 1)
    assert done["tweets_recategorized"] == [{"tweet_id": "102", "before": "influencer", "after": "investor"}]
    assert shown(launch)["tweets"] == {"102": "investor", "103": "client"}


def test_no_tweet_is_taken_out_while_a_line_of_the_file_cannot_be_read(launch: Cli, tmp_path: Path) -> None:
    file = tmp_path / "launch.toml"
    file.write_text(f'slug = "launch"\ntweets = ["{A}", "x.com/ada/status/10two"]\n')
    answer = launch("campaign", "apply", str(file), "--no-verify", code=4)
    assert "stay until every line" in answer["warnings"][0]
    assert shown(launch)["tweets"] == CATEGORIES


def test_add_reads_the_settings_of_a_file_and_options_win(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(f'name = "From the file"\nthreshold = 5\ndays = 9\ntweets = ["{A}"]\n')
    cli("campaign", "add", "launch", "--from", str(tmp_path / "c.toml"), "--threshold", "7", "--no-verify")
    now = shown(cli)
    assert (now["name"], now["threshold"], now["ends_at"] is not None) == ("From the file", 7.0, True)


def test_add_like_copies_settings_without_dates_and_tweets_and_options_win(cli: Cli) -> None:
    tweet = ("--tweet", A, "--no-verify")
    cli("campaign", "add", "first", *tweet, "--days", "3", "--threshold", "42", "--vip", "@ada", "--spacing", "5",
        "--client-name", "Acme", "--name", "First")  # fmt: skip
    cli("campaign", "add", "next", *tweet, "--like", "first", "--days", "9", "--spacing", "0")
    first, after = (cli("campaign", "show", slug)["result"]["campaign"] for slug in ("first", "next"))
    copied = ("threshold", "vips", "client_name", "frequency_window_minutes")
    assert {name: after[name] for name in copied} == {name: first[name] for name in copied}
    assert (after["name"], after["spacing_minutes"]) == ("next", 0)
    assert after["ends_at"] > first["ends_at"]
    cli("campaign", "add", "other", *tweet, "--like", "nowhere", code=1)


def test_the_list_has_totals_and_names_what_cannot_be_read(
    cli: Cli, simulator: Simulator, db: Db, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(simulator.tweets_csv())
    cli("campaign", "add", "launch", "--from", str(tmp_path / "t.csv"), "--days", "3", "--threshold", "0")
    cli("enqueue")
    cli("work")
    db.campaigns.insert_one({"_id": "broken", "status": "active"})
    answer = cli("campaign", "list")
    row = answer["result"]["campaigns"][0]
    assert (row["slug"], row["tweets"]) == ("launch", 8)
    assert row["engagements"] == row["important"] == db.engagements.count_documents({})
    assert row["views"] > 0
    assert answer["warnings"] == ["campaign 'broken' is skipped: name is missing in its document"]
    assert "cannot be read" in cli("campaign", "show", "broken", code=1)["error"]["message"]
    assert cli("campaign", "delete", "broken", "--yes")["result"]["tweets"] == 0


def test_a_deletion_says_what_it_takes_and_what_stays(
    cli: Cli, simulator: Simulator, db: Db, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(simulator.tweets_csv())
    cli("campaign", "add", "launch", "--from", str(tmp_path / "t.csv"), "--days", "3")
    cli("enqueue")
    cli("work")
    count = db.engagements.count_documents({})
    planned = cli("campaign", "delete", "launch", "--dry-run")["result"]
    assert (planned["tweets"], planned["engagements_left"]) == (8, count)
    out, _ = cli.text("campaign", "delete", "launch", "--yes")
    assert f"{count:,} engagements stay" in out
    assert db.engagements.count_documents({}) == count


def test_tweets_carry_their_author_time_and_text(cli: Cli, simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(simulator.tweets_csv())
    _, err = cli.text("campaign", "add", "launch", "--from", str(tmp_path / "t.csv"), "--days", "3")
    tweet = next(iter(simulator.world.tweets.values()))
    assert f"{tweet.tweet_id} client @{tweet.author.username} 20" in err
    out, _ = cli.text("campaign", "show", "launch")
    assert tweet.author.username in out
    assert "datetime" not in out
    assert "('" not in out


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["campaign", "list", "--status", "foo"], 2, "no status 'foo'"),
        (["campaign", "edit", "launch"], 2, "nothing to change"),
        (
            ["campaign", "edit", "launch", "--end", "2027-01-01", "--clear", "end"],
            2,
            "--clear end resets what is also set",
        ),
        (["campaign", "edit", "launch", "--days", "1e9"], 2, "must be less than"),
        (["campaign", "edit", "launch", "--vip", ""], 2, "empty"),
        (["campaign", "edit-tweet", "launch", A, "--category", "zebra"], 2, "no category 'zebra'"),
        (["campaign", "edit-tweet", "launch", A, "--category", ""], 2, "no category"),
        (["campaign", "edit-tweet", "launch", C, "--category", "client"], 1, "not in campaign"),
        (["campaign", "edit-tweet", "launch", "nonsense", "--category", "client"], 2, "not a tweet of"),
        (["campaign", "remove-tweet", "launch", C], 1, "not in campaign"),
        (["campaign", "resume", "launch", "--days", "0"], 2, "must be greater than 0"),
        (["campaign", "add", "index", "--days", "3"], 2, "cannot be a slug"),
        (["campaign", "add", "other", "--days", "3", "--end", "2027-01-01"], 2, "cannot be combined"),
        (["campaign", "show", "\udcff"], 2, "no UTF-8"),
        (["campaign", "add", "\udcff"], 2, "no UTF-8"),
        (["campaign", "apply", "missing.toml"], 2, "cannot read missing.toml"),
        (["importance", "show", "Ada Example"], 2, "a name, not a handle"),
        (["importance", "remove", "@nobody"], 1, "not found"),
        (["importance", "rescore", "--campaign", "nope"], 1, "campaign 'nope' not found"),
        (["importance", "export", "--format", "xml"], 2, "no format 'xml'"),
        (["importance", "build"], 2, "no provider key"),
        (["categories", "test", " "], 2, "no text"),
    ],
)
def test_a_mistake_is_told_with_its_exit_code(launch: Cli, words: list[str], code: int, reason: str) -> None:
    assert reason in launch(*words, code=code)["error"]["message"]
