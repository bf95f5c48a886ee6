"""--fields keeps of each row what is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.terminal import Cli

from socap_cli.cli.run import chosen, named, unknown
from socap_cli.simulator.server import Simulator

RESULT = {"people": [{"name": "Ann", "score": 3}, {"name": "Ben"}], "limit": 2, "none": [], "words": ["a"]}


@pytest.mark.parametrize(
    ("given", "people"),
    [
        ("name", [{"name": "Ann"}, {"name": "Ben"}]),
        (" score , name,", [{"score": 3, "name": "Ann"}, {"name": "Ben"}]),
        ("score", [{"score": 3}, {}]),
    ],
)
def test_rows_keep_what_is_named_in_that_order_and_what_is_no_row_stays(given: str, people: object) -> None:
    assert chosen(RESULT, named(given)) == {**RESULT, "people": people}
    assert unknown(RESULT, named(given)) == []


def test_a_field_that_no_row_has_is_named_with_those_that_there_are() -> None:
    assert unknown(RESULT, ["nmae", "score"]) == ["no row has the field nmae; there are: name, score"]
    assert unknown({"people": []}, ["nmae"]) == []


def test_fields_shorten_a_list_and_say_json_by_themselves(
    cli: Cli, simulator: Simulator, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(simulator.tweets_csv())
    cli("campaign", "add", "launch", "--from", str(tmp_path / "t.csv"))
    cli("enqueue")
    cli("work")
    whole = cli("engagements", "list", "launch", "--limit", "2")["result"]["engagements"]
    few = cli("engagements", "list", "launch", "--limit", "2", "--fields", "username,importance_score")
    assert few["result"]["engagements"] == [
        {"username": row["username"], "importance_score": row["importance_score"]} for row in whole
    ]
    out, _ = cli.text("--fields=usernam", "engagements", "list", "launch")
    assert "no row has the field usernam; there are: tweet_id" in out
    assert out.startswith('{"ok":true')
