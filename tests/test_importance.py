"""The firm's collections: read as they are, merged without loss, never indexed unasked; scores that live."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.firm import index_in_its_own_way, insert_odd, snapshot
from support.lab import Lab
from support.terminal import Cli

from socap_cli.cli.app import execute
from socap_cli.client.limiter import Limiter
from socap_cli.client.metered import Budget, Meter, MeteredClient
from socap_cli.errors import CursorRefused, KeyRefused, RequestRefused
from socap_cli.importance import accounts as importance_accounts
from socap_cli.importance import building, default_rules, parse_rules
from socap_cli.importance.accounts import exported, find_account, remove_account
from socap_cli.importance.building import Builder, Terms
from socap_cli.importance.importing import import_list, read
from socap_cli.model.account import ListItem, Page, Profile
from socap_cli.model.important import fold_handle
from socap_cli.simulator.server import Simulator
from socap_cli.store import Db, importance
from socap_cli.store.importance import ImportanceCollections

FIRM = ImportanceCollections()
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def look_up(db: Db, *accounts: tuple[str, str]) -> list[float | None]:
    found = importance.look_up(db, FIRM, [Profile(user_id, username) for user_id, username in accounts])
    return [found[user_id].score for user_id, _ in accounts]


def test_accounts_are_found_by_id_of_any_type_and_by_handle_in_any_case(db: Db) -> None:
    insert_odd(db)
    assert look_up(
        db,
        ("9001", "other"),
        ("", "gracebyron"),
        ("2", "MIXED"),
        ("9003", "x"),
        ("9004", "y"),
        ("5", "nobody"),
    ) == [1.0, 1.0, 99.0, 0.0, 4.0, 0.0]


def test_of_two_documents_of_one_account_the_id_goes_first_then_the_higher_score(db: Db) -> None:
    db.following_index.insert_many(
        [
            {"followed_user_id": "1", "followed_username": "ada", "importance_score": 2},
            {"followed_username": "Ada", "importance_score": 7},
            {"followed_username": "ADA", "importance_score": 5},
        ]
    )
    assert look_up(db, ("1", "ada"), ("", "aDa")) == [2.0, 7.0]


def test_a_handle_that_the_index_knows_under_another_id_matches_nothing(db: Db) -> None:
    db.following_index.insert_many(
        [
            {"followed_user_id": "71001", "followed_username": "ada", "importance_score": 50},
            {"followed_username": "ada", "importance_score": 40},
            {"followed_username": "bob", "importance_score": 3},
        ]
    )
    assert look_up(db, ("79999", "Ada"), ("71001", "renamed"), ("5", "bob")) == [0.0, 50.0, 3.0]
    listed = read(
        '{"following_index": [{"followed_username": "ADA", "followed_user_id": "79999", "followed_by": ["v"]}]}'
    )
    assert import_list(db, FIRM, listed, now=NOW).changes[0].is_new
    assert look_up(db, ("79999", "ada"), ("71001", "ada")) == [1.0, 50.0]


def test_what_cannot_be_read_is_counted_and_named(db: Db) -> None:
    insert_odd(db)
    found = importance.survey(db, FIRM)
    assert (found.entries, found.people, found.unreadable) == (5, 3, 5)
    assert [sample.partition(": ")[2] for sample in found.samples] == [
        "followed_by: not a list",
        "followed_by 1: no username",
        "followed_username and followed_user_id are both missing",
        "no username",
        "no username",
    ]


LIST = {
    "important_people": [{"username": "boss", "weight": 5, "tags": ["y"]}, {"username": "new"}],
    "following_index": [
        {"followed_username": "mixed", "followed_by": [{"username": "A", "weight": 4}, {"username": "b"}]},
        {"followed_username": "fresh", "followed_user_id": "12", "followed_by": ["boss"]},
        {"followed_username": "gracebyron", "followed_by": [{"username": "BOSS", "weight": 2}]},
    ],
}


def test_an_import_merges_and_its_dry_run_says_the_same_and_writes_nothing(db: Db) -> None:
    insert_odd(db)
    before = snapshot(db)
    planned = import_list(db, FIRM, read(json.dumps(LIST)), now=NOW, dry_run=True)
    assert snapshot(db) == before
    assert import_list(db, FIRM, read(json.dumps(LIST)), now=NOW) == planned
    assert look_up(db, ("2", "mixed"), ("12", "x"), ("9001", "x")) == [101.0, 1.0, 2.0]
    grace = db.following_index.find_one({"followed_user_id": 9001})
    assert grace is not None
    assert (grace["followed_username"], grace["mine"]) == ("GraceByron", True)
    assert grace["followed_by"] == [{"username": "Boss", "weight": 2.0, "x": 1}]
    boss = db.important_people.find_one({"username": "Boss"})
    assert boss is not None
    assert (boss["weight"], boss["tags"]) == (5.0, ["x", "y"])


def test_an_import_repeated_changes_nothing(db: Db) -> None:
    import_list(db, FIRM, read(json.dumps(LIST)), now=NOW)
    before = snapshot(db)
    again = import_list(db, FIRM, read(json.dumps(LIST)), now=NOW + timedelta(days=1))
    capitals = read(json.dumps(LIST).replace('"boss"', '"BOSS"').replace('"mixed"', '"MIXED"'))
    third = import_list(db, FIRM, capitals, now=NOW + timedelta(days=1))
    assert (again.changes, again.unchanged, third.changes) == ((), 5, ())
    assert snapshot(db) == before


def test_what_is_exported_is_imported_as_the_same(db: Db) -> None:
    import_list(db, FIRM, read(json.dumps(LIST)), now=NOW)
    tree: dict[str, list[Any]] = {"important_people": [], "following_index": []}
    for name, row in exported(db, FIRM):
        tree[name].append(row)
    again = import_list(db, FIRM, read(json.dumps(tree, default=str)), now=NOW + timedelta(days=1))
    assert again.changes == ()


@pytest.mark.parametrize(
    "index",
    [
        ("following_index", "followed_user_id", {"unique": True, "name": "firm_uid"}),
        ("following_index", "followed_username", {"unique": True}),
        ("important_people", "username", {"name": "u", "unique": True}),
    ],
)
def test_a_unique_index_of_the_firms_costs_only_what_stands_in_its_way(
    db: Db, index: tuple[str, str, dict[str, Any]]
) -> None:
    collection, field, options = index
    db[collection].create_index(field, **options)
    db.following_index.insert_one({"followed_user_id": "1", "followed_username": "ada", "followed_by": ["v"]})
    listed = read(
        json.dumps(
            {
                "important_people": [{"username": "boss"}],
                "following_index": [
                    {"followed_user_id": "2", "followed_username": "ada", "followed_by": ["boss"]},
                    {"followed_user_id": "3", "followed_username": "bob", "followed_by": ["boss"]},
                ],
            }
        )
    )
    merged = import_list(db, FIRM, listed, now=NOW)
    assert look_up(db, ("3", "bob")) == [1.0]
    assert merged.refused == (("@ada",) if field == "followed_username" else ())


def test_a_write_of_somebody_else_in_between_is_merged_with(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    db.following_index.insert_one({"followed_user_id": "1", "followed_by": ["v"], "importance_score": 1})
    real = importance.find
    once = iter([True])

    def find_then_somebody_writes(*given: Any) -> Any:
        found = real(*given)
        if next(once, False):
            change = {
                "$push": {"followed_by": {"username": "w", "weight": 2}},
                "$set": {"importance_score": 3},
            }
            db.following_index.update_one({"followed_user_id": "1"}, change)
        return found

    monkeypatch.setattr(importance, "find", find_then_somebody_writes)
    listed = read(
        '{"following_index":[{"followed_user_id":"1","followed_by":[{"username":"x","weight":4}]}]}'
    )
    merged = import_list(db, FIRM, listed, now=NOW)
    monkeypatch.undo()
    assert (len(merged.changes), merged.refused) == (1, ())
    assert look_up(db, ("1", "")) == [7.0]


def test_remove_forgets_an_account_and_what_its_following_gave(db: Db) -> None:
    import_list(db, FIRM, read(json.dumps(LIST)), now=NOW)
    found = find_account(db, FIRM, "BOSS")
    planned = remove_account(db, FIRM, found, now=NOW, dry_run=True)
    assert remove_account(db, FIRM, found, now=NOW) == planned
    assert (planned.people, planned.entries, planned.entries_changed) == (1, 0, 2)
    assert look_up(db, ("12", "fresh"), ("2", "mixed")) == [0.0, 5.0]
    assert importance.find_person(db, FIRM, ["boss"]) == {}


def test_indexes_that_look_ups_miss_are_named_until_the_customer_makes_them(db: Db) -> None:
    db.following_index.create_index("followed_user_id", unique=True, name="firm_uid")
    db.following_index.create_index("followed_username")
    assert importance.survey(db, FIRM).missing_indexes == ("followed_username",)
    db.following_index.create_index("followed_username", name="n", collation={"locale": "en", "strength": 2})
    assert importance.survey(db, FIRM).missing_indexes == ()


@pytest.fixture
def collected(lab: Callable[..., Lab]) -> Lab:
    """A campaign of which everything is collected, with nobody important."""
    one = lab(tweets=2, engagements=20.0)
    one.cycle()
    return one


def test_scores_follow_the_index_by_themselves_and_only_what_changed_is_read(collected: Lab) -> None:
    db, rules = collected.db, default_rules()
    first = importance_accounts.catch_up(db, FIRM, rules, now=NOW)
    assert (first.engagements, first.changed) == (db.engagements.count_documents({}), 0)
    db.engagements.update_many({}, {"$unset": {"needs_planning": ""}})
    one = db.engagements.find_one()
    assert one is not None
    row = {"followed_username": one["username"].upper(), "followed_by": [{"username": "boss", "weight": 9}]}
    import_list(db, FIRM, read(json.dumps({"following_index": [row]})), now=NOW)
    done = importance_accounts.catch_up(db, FIRM, rules, now=NOW + timedelta(hours=1))
    theirs = list(db.engagements.find({"user_id": one["user_id"]}))
    assert done.engagements == done.changed == done.higher == len(theirs)
    assert {(row["importance_score"], row["needs_planning"]) for row in theirs} == {(9.0, True)}
    assert db.engagements.count_documents({"needs_planning": True}) == len(theirs)
    quiet = importance_accounts.catch_up(db, FIRM, rules, now=NOW + timedelta(hours=2))
    assert (quiet.engagements, quiet.changed) == (0, 0)


def test_who_was_removed_from_the_index_loses_the_score_in_the_next_cycle(collected: Lab) -> None:
    db, rules = collected.db, default_rules()
    one = db.engagements.find_one()
    assert one is not None
    row = {"followed_user_id": one["user_id"], "followed_by": [{"username": "boss", "weight": 9}]}
    import_list(db, FIRM, read(json.dumps({"following_index": [row]})), now=NOW)
    importance_accounts.catch_up(db, FIRM, rules, now=NOW + timedelta(hours=1))
    remove_account(db, FIRM, find_account(db, FIRM, one["user_id"]), now=NOW)
    importance_accounts.catch_up(db, FIRM, rules, now=NOW + timedelta(hours=2))
    assert db.engagements.distinct("importance_score") == [0.0]


def test_changed_rules_are_applied_to_what_is_collected(collected: Lab) -> None:
    db = collected.db
    importance_accounts.catch_up(db, FIRM, default_rules(), now=NOW)
    everybody = parse_rules("[categories.all]\npatterns = ['.+']\n", "rules.toml")
    done = importance_accounts.catch_up(db, FIRM, everybody, now=NOW)
    assert done.recategorized == done.engagements == db.engagements.count_documents({})
    assert db.engagements.distinct("categories") == ["all"]


def test_a_rescoring_for_show_writes_nothing(collected: Lab) -> None:
    db = collected.db
    db.engagements.update_many({}, {"$set": {"importance_score": 5.0}})
    done = importance_accounts.rescore(db, FIRM, default_rules(), dry_run=True)
    assert done.changed == db.engagements.count_documents({"importance_score": 5.0}) > 0


class ScriptedProvider:
    """Serves followings from a table, two accounts a page, and fails where it is told to."""

    name, batch, reads_followings = "scripted", 50, True

    def __init__(self, lists: dict[str, list[str]], fails: dict[int, Exception] | None = None) -> None:
        self.lists, self.fails = lists, fails or {}
        self.asked: list[tuple[str, str | None]] = []

    def followings(self, username: str, *, cursor: str | None = None) -> Page:
        self.asked.append((username, cursor))
        if error := self.fails.pop(len(self.asked), None):
            raise error
        at, names = int(cursor or 0), self.lists[username.lower()]
        items = [ListItem(name, Profile(name, f"user{name}")) for name in names[at : at + 2]]
        return Page(tuple(items), str(at + 2) if at + 2 < len(names) else None, len(items))

    def endpoint(self, operation: str) -> str:
        return operation

    def limit_scope(self, operation: str) -> str:
        return operation

    def price(self, operation: str, items: int) -> float:
        return float(items)


class Clock:
    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


def build(db: Db, provider: ScriptedProvider, clock: Clock, **terms: Any) -> building.BuildResult:
    wanted = Terms(**{"refresh_after": timedelta(0), **terms})
    limiter = Limiter(db, "k", 0.0, threading.Event())
    client = MeteredClient(provider, limiter, Meter(db), Budget(db), clock)  # type: ignore[arg-type]
    due, _ = building.due_people(db, FIRM, wanted, now=clock.time)
    return Builder(db, FIRM, client, wanted).run(due)


def index_of(db: Db) -> dict[str, tuple[float, list[str]]]:
    """Per account its score and who follows it."""
    found = importance.index_entries(db, FIRM)
    return {
        entry.user_id or fold_handle(entry.username or "?"): (
            entry.score,
            sorted(fold_handle(f.username) for f in entry.followers),
        )
        for entry in found
    }


PEOPLE = '[{"username":"Ada","weight":4},{"username":"bob","weight":2}]'


def test_a_build_adds_what_it_read_and_keeps_what_others_wrote(db: Db) -> None:
    import_list(db, FIRM, read(PEOPLE), now=NOW)
    db.following_index.insert_one(
        {
            "followed_user_id": 2,
            "followed_username": "User2",
            "followed_by": [{"username": "ADA", "weight": 9}, {"username": "firm"}],
        }
    )
    done = build(db, ScriptedProvider({"ada": ["1", "2", "3"], "bob": ["3"]}), Clock())
    assert (done.people, done.accounts, done.problems) == (2, 4, {})
    assert index_of(db) == {"1": (4.0, ["ada"]), "2": (5.0, ["ada", "firm"]), "3": (6.0, ["ada", "bob"])}
    count = db.important_people.find_one({"username": "Ada"})
    assert count is not None
    assert count["following_count"] == 3


def test_a_build_that_fails_goes_on_where_it_was(db: Db) -> None:
    import_list(db, FIRM, read(PEOPLE), now=NOW)
    clock, lists = Clock(), {"ada": ["1", "2", "3", "4"], "bob": ["5"]}
    broken = ScriptedProvider(lists, {2: KeyRefused("no", endpoint="x")})
    with pytest.raises(KeyRefused):
        build(db, broken, clock)
    assert sorted(index_of(db)) == ["1", "2"]
    rest = ScriptedProvider(lists)
    build(db, rest, clock)
    assert rest.asked == [("Ada", "2"), ("bob", None)]
    assert sorted(index_of(db)) == ["1", "2", "3", "4", "5"]
    assert sum(row["requests"] for row in db.api_usage.find()) == 4


def test_who_was_read_lately_is_not_read_again(db: Db) -> None:
    import_list(db, FIRM, read(PEOPLE), now=NOW)
    clock, provider = Clock(), ScriptedProvider({"ada": ["1"], "bob": ["2"]})
    build(db, provider, clock)
    due, fresh = building.due_people(db, FIRM, Terms(), now=clock.time)
    assert (due, fresh) == ([], 2)


def test_what_a_later_build_does_not_find_any_more_expires(db: Db) -> None:
    import_list(db, FIRM, read(PEOPLE), now=NOW)
    clock = Clock()
    build(db, ScriptedProvider({"ada": ["1", "2"], "bob": ["2"]}), clock)
    done = build(db, ScriptedProvider({"ada": ["2"], "bob": []}), clock)
    assert (done.followers_expired, done.entries_removed) == (2, 1)
    assert index_of(db) == {"2": (4.0, ["ada"])}


def test_a_reading_cut_by_the_limit_lets_nothing_expire(db: Db) -> None:
    import_list(db, FIRM, read('["Ada"]'), now=NOW)
    clock = Clock()
    build(db, ScriptedProvider({"ada": ["1", "2", "3", "4"]}), clock)
    done = build(db, ScriptedProvider({"ada": ["5", "6", "1", "2", "3", "4"]}), clock, limit=2)
    assert done.followers_expired == 0
    assert sorted(index_of(db)) == ["1", "2", "3", "4", "5", "6"]


def test_somebody_who_cannot_be_read_costs_nobody_else(db: Db) -> None:
    import_list(db, FIRM, read(PEOPLE), now=NOW)
    provider = ScriptedProvider({"ada": ["1"], "bob": ["2"]}, {1: RequestRefused("suspended", endpoint="f")})
    done = build(db, provider, Clock())
    assert (done.people, done.problems) == (1, {"Ada": "f: suspended"})
    assert sorted(index_of(db)) == ["2"]


def test_a_cursor_that_is_refused_starts_the_list_again(db: Db) -> None:
    import_list(db, FIRM, read('["ada"]'), now=NOW)
    provider = ScriptedProvider({"ada": ["1", "2", "3"]}, {2: CursorRefused("old", endpoint="f")})
    build(db, provider, Clock())
    assert provider.asked == [("ada", None), ("ada", "2"), ("ada", None), ("ada", "2")]
    assert sorted(index_of(db)) == ["1", "2", "3"]


def test_the_estimate_counts_pages_and_leaves_out_what_is_read(db: Db) -> None:
    import_list(db, FIRM, read(PEOPLE), now=NOW)
    db.important_people.update_one({"username": "Ada"}, {"$set": {"following_count": 450}})
    due, fresh = building.due_people(db, FIRM, Terms(limit=300), now=NOW)
    expected = building.estimate(due, fresh, ScriptedProvider({}), Terms(limit=300))  # type: ignore[arg-type]
    assert (expected.people, expected.requests, expected.cost) == (2, 4, 800.0)


COMMANDS = (
    "init", "doctor --offline", "campaign add c --tweet 1996518988151706110 --no-verify --days 3", "campaign list",
    "campaign show c", "enqueue", "work", "status", "alerts send", "alerts list", "report render",
    "engagements list c", "jobs list", "usage", "importance show gracebyron", "importance list",
    "importance list --index", "importance rescore", "importance export --out x.json", "categories test founder",
    "importance import people.json --dry-run", "importance remove boss --dry-run", "campaign pause c",
    "campaign resume c", "campaign delete c --yes",
)  # fmt: skip


@pytest.mark.parametrize("indexed", [False, True])
def test_no_command_touches_the_firms_collections_unasked(
    cli: Cli, db: Db, simulator: Simulator, tmp_path: Path, indexed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.json").write_text(json.dumps(LIST))
    insert_odd(db)
    if indexed:
        index_in_its_own_way(db)
    before = snapshot(db)
    for command in COMMANDS:
        execute([*command.split(), "--json", "--exit-zero"])
    answer = cli("doctor", "--offline")["result"]
    assert "5 cannot be read whole" in str(answer)
    assert snapshot(db) == before
