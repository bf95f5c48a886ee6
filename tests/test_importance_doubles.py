"""Several documents of one account, scores and followers kept in odd ways: listed, written down and taken out whole."""

from __future__ import annotations

from pathlib import Path

from support.terminal import Cli

from socap_cli.store import Db


def test_a_follower_that_is_named_twice_in_any_case_counts_once(cli: Cli, db: Db) -> None:
    followers = [{"username": "Boss", "weight": 5}, {"username": "@boss"}, "BOSS", {"username": "ada"}]
    db.following_index.insert_one({"followed_username": "x", "followed_by": followers})
    found = cli("importance", "show", "X")["result"]
    assert found["importance_score"] == 6
    assert [(one["username"], one["weight"]) for one in found["reasons"]] == [("Boss", 5), ("ada", 1)]


def test_the_highest_are_listed_however_their_scores_are_kept(cli: Cli, db: Db) -> None:
    db.following_index.insert_many(
        [
            {"followed_username": "number", "importance_score": 20},
            {"followed_username": "text", "importance_score": "12"},
            {"followed_username": "weights", "followed_by": [{"username": "a", "weight": 30}]},
            {"followed_username": "unreadable", "importance_score": 2e9},
            {"followed_username": "low", "importance_score": 1.5},
        ]
    )
    rows = cli("importance", "list", "--index", "--limit", "3")["result"]["following_index"]
    assert [row["followed_username"] for row in rows] == ["weights", "number", "text"]


def test_an_account_is_removed_with_all_its_documents_and_every_way_of_naming_it(cli: Cli, db: Db) -> None:
    db.important_people.insert_many([{"username": name} for name in ("Ada", "@ada", "bob")])
    db.following_index.insert_many(
        [
            {"followed_username": "ADA", "followed_user_id": 7, "importance_score": 3},
            {"followed_username": "ada", "importance_score": 9},
            {"followed_user_id": "7", "importance_score": 1},
            {"followed_username": "x", "followed_by": ["ada", "bob"], "importance_score": 2},
        ]
    )
    would = cli("importance", "remove", "ada", "--dry-run")["result"]
    done = cli("importance", "remove", "ada")["result"]
    assert {**would, "dry_run": False} == done
    assert (done["people"], done["entries"], done["entries_changed"]) == (2, 2, 1)
    assert cli("importance", "show", "ada")["result"]["important_person"] is None
    assert [row["followed_by"] for row in db.following_index.find({"followed_username": "x"})] == [["bob"]]


def test_an_export_of_doubles_changes_nothing_when_it_is_imported(cli: Cli, db: Db) -> None:
    db.important_people.insert_many([{"username": "NULLW", "weight": 4}, {"username": "nullw", "weight": 3}])
    db.following_index.insert_many(
        [
            {"followed_username": "dupe", "importance_score": 9},
            {"followed_username": "DUPE", "importance_score": 3},
            {"followed_username": "moved", "followed_user_id": 5, "importance_score": 2},
            {"followed_username": "new", "followed_user_id": "5", "importance_score": 8},
            {"followed_username": "moved", "followed_user_id": "6", "importance_score": 1},
        ]
    )
    cli("importance", "export", "--out", "all.json")
    would = cli("importance", "import", "all.json", "--dry-run")["result"]
    assert [one for one in would["changes"] if one["differences"] or one["new"]] == []
    assert Path("all.json").read_text().count("followed_username") == 3


def test_a_person_with_two_documents_is_read_once(cli: Cli, db: Db, simulator: object) -> None:
    db.important_people.insert_many([{"username": "Ada"}, {"username": "@ADA"}])
    assert cli("importance", "build", "--dry-run")["result"]["estimate"]["people"] == 1


def test_who_is_a_reason_only_is_removed_as_well(cli: Cli, db: Db) -> None:
    db.following_index.insert_one({"followed_username": "x", "followed_by": ["gone", "bob"]})
    assert cli("importance", "remove", "Gone")["result"]["entries_changed"] == 1
    assert "not found" in cli("importance", "remove", "gone", code=1)["error"]["message"]
