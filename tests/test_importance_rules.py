"""Importance as rules: what a list says, how documents are read, what a new statement changes. No server."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from bson import Decimal128
from hypothesis import given
from hypothesis import strategies as st

from socap_cli.errors import UsageError
from socap_cli.importance.importing import (
    BUILD,
    IMPORT,
    drop_followers,
    merge_entry,
    merge_person,
    read,
    stale_followers,
)
from socap_cli.model.important import (
    Follower,
    ImportantPerson,
    IndexEntry,
    Unreadable,
    fold_handle,
    id_of,
    weight_of,
    weights_of,
)
from socap_cli.store.importance import entry_of, person_of

NOW = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)


def people(content: str) -> dict[str, float | None]:
    listed = read(content)
    assert not listed.rejected
    return {person.username: person.weight for person in listed.people.values()}


@pytest.mark.parametrize(
    "content",
    [
        "username,weight\nAda,5\n@bob,\n",
        "Username;Weight\nAda;5\nbob;\n",
        "sep=;\nWEIGHT;Handle\n5;@Ada\n;bob\n",
        "Name\tTwitter\tPoints\nAda Example\thttps://x.com/Ada\t5,0\nBob\tx.com/bob\t\n",
        "screen_name|weight|notes\nAda|5|x\n||\nbob||\n",
        "name,account url,weight\nAda,https://x.com/Ada,5\nBob,https://x.com/bob,\n",
        "Ada,5\nbob\n",
        "# ours\n@Ada 5\n\n@bob\n",
        '[{"username":"Ada","weight":5},"@bob"]',
        '{"important_people":[{"handle":"@Ada","weight":"5"},{"username":"https://x.com/bob","weight":null}]}',
        '{"people":[{"userName":"Ada","weight":5.0},{"screen_name":"bob","weight":""}]}',
        '{"username":"Ada","weight":5}\n{"username":"bob"}\n',
        f"username,weight,notes\nAda,5,{'x' * 140_000}\nbob,,\n",
        '{\n "username": "Ada",\n "weight": 5\n}\n{\n "username": "bob"\n}\n',
        '{"username":"Ada","weight":5},\n{"username":"bob"},\n',
        '{"important_people":[{"username":"Ada","weight":5},"bob"],"following_index":null}',
        "Name;Profile URL;Score\nAda Example;https://x.com/Ada;5\nBob;https://x.com/bob;\n",
    ],
)
def test_every_usual_form_of_a_list_is_read(content: str) -> None:
    assert people(content) == {"Ada": 5.0, "bob": None}


@pytest.mark.parametrize(
    ("content", "place", "reason"),
    [
        ("username,weight\nada,5\nbob,nan\n", "line 3", "not a finite number"),
        ("username,weight\nada,5\nbob,inf\n", "line 3", "not a finite number"),
        ("username,weight\nada,5\nbob,-1\n", "line 3", "not between 0"),
        ("username,weight\nada,5\nbob,1e10\n", "line 3", "not between 0"),
        ("username,weight\nada,5\nbob,high\n", "line 3", "not a finite number"),
        ("username,weight\nada,5\n,3\n", "line 3", "no username"),
        ("username\nada\n@bob; https://x.com/carl\n", "line 3", "beyond the last column"),
        ("ada\n@bob https://x.com/carl\n", "line 2", "2 accounts in one"),
        ("username,weight\nada,5\nBob Example,3\n", "line 3", "a name, not a handle"),
        ("username,weight\nada,5\nADA,3\n", "line 3", "listed twice"),
        ('username,weight\nada,5\nbob,"3\ncarl,"4"\n', "line 3", "never closed"),
        ('[{"username":"ada"},{"username":"bob","weight":NaN}]', "line 1", "not a finite number"),
        ('[{"username":"ada"},{"username":"bob","weight":1e999}]', "line 1", "not a finite number"),
        ('[{"username":"ada"},{"username":"bob","weight":true}]', "line 1", "not a finite number"),
        ('[{"username":"ada"},{"username":"bob","weight":[1]}]', "line 1", "not a finite number"),
        ('[{"username":"ada"},{"username":"\\ud800"}]', "line 1", "no handle"),
        ('[{"username":"ada"},null]', "line 1", "not a text or an object"),
        ('[{"username":"ada"},{"username":{"a":1}}]', "line 1", "not text"),
        ('{"username":"ada"}\n{"username":"bob"\n', "line 2", "not JSON"),
        ('{"username":"ada",\n{"username":"bob"}\n', "line 1", "not JSON"),
        (
            '{"username":"ada"}\n' + '{"weight":' * 3_000 + '\n{"username":"bob"}\n',
            "line 2",
            "nested too deeply",
        ),
        (
            '{"important_people":[{"username":"ada"}],"following_index":"x"}',
            "following_index 1",
            "followed_by is empty",
        ),
        ("followed_username,followed_by\nada,vc1\nbob,\n", "line 3", "followed_by is empty"),
        ("followed_username,followed_by\nada,vc1\nbob,[1\n", "line 3", "followed_by"),
        (
            '{"following_index":[{"followed_username":"a","followed_by":["v",{"username":"w","weight":"x"}]}]}',
            "following_index 1: followed_by 2",
            "not a finite number",
        ),
        (
            '{"following_index":[{"followed_username":"a","followed_by":["v"]},{"followed_username":"b"}]}',
            "following_index 2",
            "followed_by is empty",
        ),
    ],
)
def test_a_bad_row_is_named_and_the_good_ones_are_kept(content: str, place: str, reason: str) -> None:
    listed = read(content)
    assert [(row.place, reason in row.reason) for row in listed.rejected] == [(place, True)]
    assert listed.people or listed.entries


@pytest.mark.parametrize(
    "content",
    [
        "", "{}", "[]", '{"a":1}', "username\n", "username,weight\nada,nan\n", "[" * 100_000,
        '{"a":' * 50_000, '[{"username":"ada","weight":' + "9" * 5_001 + "}]", '{"important_people":5}', '{"x":[1,',
        "Name,Town\nAda,Paris\n",
    ],
)  # fmt: skip
def test_a_file_of_which_nothing_can_be_read_is_a_usage_error(content: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(content, name="list")
    assert refused.value.message.startswith("list")
    assert "sys." not in refused.value.message


def test_handles_in_one_line_are_all_taken() -> None:
    assert people("@ada, @bob, https://x.com/cy\n") == {"ada": None, "bob": None, "cy": None}
    assert people("@ada, @bob, @cy\n@dan, 5\n") == {"ada": None, "bob": None, "cy": None, "dan": 5.0}


@pytest.mark.parametrize(
    "cell", ['"[{""username"":""vc1"",""weight"":9},""vc2""]"', '"vc1; @vc2"', '"vc1, vc2"']
)
def test_who_is_followed_is_never_taken_for_somebody_important(cell: str) -> None:
    listed = read(f"followed_username,followed_user_id,importance_score,followed_by\nada,11,10,{cell}\n")
    assert not listed.people
    (one,) = listed.entries
    assert (one.username, one.user_id, one.score) == ("ada", "11", 10.0)
    assert [follower.username for follower in one.followers] == ["vc1", "vc2"]


def test_what_no_database_can_hold_is_mended_and_told() -> None:
    listed = read(json.dumps([{"username": "a", "user_id": 10**30, "name": "x\ud83d", "tags": {"\0": 1}}]))
    (one,) = listed.people.values()
    assert (one.username, one.user_id, one.name, one.tags) == ("a", None, "x\ufffd", ())
    assert listed.notes == ["line 1: left out: user_id: (a huge number) is not an id (at most 19 digits)"]


def test_accounts_under_an_unusual_column_are_found_by_their_form_or_by_its_name() -> None:
    content = "Wer;Wieviel\n@ada;5\n@bob;3\n"
    listed = read(content)
    assert list(listed.people) == ["ada", "bob"]
    assert listed.notes == ["no column is named username; not read: wer, wieviel"]
    assert [one.username for one in read(content.replace("@", ""), column="wer").people.values()] == [
        "ada",
        "bob",
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["username", "weight", "user_id", "name", "tags", "followed_by", "followed_username", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(st.lists(json_values, max_size=5), st.sampled_from(["important_people", "following_index"]))
def test_any_json_gives_values_that_a_document_can_hold_or_reasons(rows: list[object], name: str) -> None:
    try:
        listed = read(json.dumps({name: rows}))
    except UsageError as error:
        assert error.message
        return
    for person in listed.people.values():
        assert person.weight is None or math.isfinite(person.weight)
        (person.username + (person.name or "") + "".join(person.tags)).encode()
    for entry in listed.entries:
        assert math.isfinite(entry.score)
        assert entry.username or entry.user_id


@given(st.dictionaries(st.sampled_from(["followed_username", "followed_user_id", "followed_by", "importance_score",
                                         "updated_at", "_id"]), json_values))  # fmt: skip
def test_any_document_of_the_index_is_read_or_named(row: dict[str, object]) -> None:
    entry = entry_of(row)
    assert math.isfinite(entry.score)
    assert entry.score >= 0
    assert entry.problems or entry.username or entry.user_id


@given(st.dictionaries(st.sampled_from(["username", "weight", "user_id", "name", "tags", "is_active", "following_count",
                                         "organisation"]), json_values))  # fmt: skip
def test_any_document_of_important_people_is_read_or_named(row: dict[str, object]) -> None:
    person = person_of(row)
    assert person.problems or person.username
    assert math.isfinite(person.effective_weight)


@pytest.mark.parametrize(
    ("row", "score", "reasons", "problems"),
    [
        (
            {"followed_by": [{"username": "v", "weight": 4}, {"username": "w"}]},
            5.0,
            [("v", 4.0), ("w", 1.0)],
            0,
        ),
        ({"followed_by": [{"username": "v", "weight": None}]}, 1.0, [("v", 1.0)], 0),
        ({"followed_by": ["v", {"name": "W", "weight": "2"}]}, 3.0, [("v", 1.0), ("W", 2.0)], 0),
        ({"followed_by": [{"username": "@V"}], "importance_score": "7"}, 7.0, [("V", 1.0)], 0),
        ({"followed_by": [{"username": "v"}], "importance_score": None}, 1.0, [("v", 1.0)], 0),
        ({"followed_by": [{"username": "v"}], "importance_score": math.nan}, 1.0, [("v", 1.0)], 1),
        ({"followed_by": [{"username": "v", "weight": math.inf}, {"username": "w"}]}, 1.0, [("w", 1.0)], 1),
        ({"followed_by": [{"weight": 3}, None, 5, {"username": "w"}]}, 1.0, [("w", 1.0)], 3),
        ({"followed_by": [{"username": "v", "weight": Decimal128("2.5")}]}, 2.5, [("v", 2.5)], 0),
        ({"followed_by": [{"username": "v", "weight": Decimal128("NaN")}]}, 0.0, [], 1),
        ({"followed_by": "v"}, 0.0, [], 1),
        ({"followed_by": None, "importance_score": 9}, 9.0, [], 0),
        ({}, 0.0, [], 0),
    ],
)
def test_an_odd_document_is_read_by_the_written_rule(
    row: dict[str, object], score: float, reasons: list[tuple[str, float]], problems: int
) -> None:
    entry = entry_of({"followed_user_id": 9001, "followed_username": "@Ada", **row})
    assert (entry.user_id, entry.username, entry.score) == ("9001", "Ada", score)
    assert [(follower.username, follower.weight) for follower in entry.followers] == reasons
    assert len(entry.problems) == problems


@pytest.mark.parametrize("value", [9001, "9001", " 9001 ", "0009001", 9001.0])
def test_an_id_is_the_same_however_it_is_kept(value: object) -> None:
    assert id_of(value) == "9001"


@pytest.mark.parametrize("value", [True, "abc", -1, 0, 1.5, 1e20, 10**25, [], {}, "٣"])
def test_what_is_no_id_is_refused(value: object) -> None:
    with pytest.raises(Unreadable, match="not an id"):
        id_of(value)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        ("1,5", 1.5),
        ("1,234", 1234),
        ("1.234", 1.234),
        ("1,234.5", 1234.5),
        ("1 000", 1000),
    ],
)
def test_a_weight_is_read_as_people_write_it(text: str, number: float) -> None:
    assert weight_of(text) == number


followers = st.lists(
    st.builds(
        Follower,
        st.sampled_from(["ada", "Ada", "bob", "carl", "dora"]),
        st.integers(0, 9).map(float),
        source=st.sampled_from([None, IMPORT, BUILD]),
        seen_at=st.sampled_from([None, NOW - 100 * DAY, NOW - DAY]),
    ),
    unique_by=lambda follower: fold_handle(follower.username),
    max_size=4,
).map(tuple)


@given(followers, followers, st.sampled_from([IMPORT, BUILD]), st.none() | st.integers(0, 50).map(float))
def test_a_merge_keeps_everybody_and_repeating_it_changes_nothing(
    old: tuple[Follower, ...], new: tuple[Follower, ...], source: str, stated: float | None
) -> None:
    before = IndexEntry("x", "1", old, stated)
    update = merge_entry(before, IndexEntry("X", "1", new), source=source, now=NOW)
    after = _after(before, update)
    assert {fold_handle(f.username) for f in after.followers} == {fold_handle(f.username) for f in old + new}
    for follower in new:
        assert follower.weight in [
            f.weight for f in after.followers if fold_handle(f.username) == fold_handle(follower.username)
        ]
    if stated is None:
        assert math.isclose(after.score, weights_of(after.followers))
    again = merge_entry(after, IndexEntry("X", "1", new), source=source, now=NOW)
    assert _after(after, again) == after


@given(followers, followers)
def test_what_others_wrote_never_expires(old: tuple[Follower, ...], new: tuple[Follower, ...]) -> None:
    before = IndexEntry("x", "1", old)
    after = _after(before, merge_entry(before, IndexEntry("x", "1", new), source=BUILD, now=NOW))
    theirs = {fold_handle(f.username) for f in old if f.source != BUILD}
    gone = stale_followers(after, complete={}, now=NOW + 1000 * DAY, expire_after=DAY)
    assert not theirs & {fold_handle(name) for name in gone}


@pytest.mark.parametrize(
    ("seen", "whole", "stale"),
    [
        (NOW - DAY, None, False),
        (NOW - 91 * DAY, None, True),
        (NOW - DAY, NOW - 2 * DAY, False),
        (NOW - 3 * DAY, NOW - 2 * DAY, True),
        (None, NOW - 2 * DAY, True),
    ],
)
def test_a_statement_of_a_build_holds_until_a_whole_reading_or_time_contradicts_it(
    seen: datetime | None, whole: datetime | None, stale: bool
) -> None:
    entry = IndexEntry("x", "1", (Follower("Ada", source=BUILD, seen_at=seen),))
    found = stale_followers(entry, complete={"ada": whole}, now=NOW, expire_after=90 * DAY)
    assert found == (["Ada"] if stale else [])


def test_who_is_no_important_person_any_more_goes_from_the_reasons_of_a_build() -> None:
    entry = IndexEntry("x", "1", (Follower("ada", 4, source=BUILD, seen_at=NOW), Follower("bob", 2)))
    assert stale_followers(entry, complete={}, now=NOW, expire_after=DAY) == ["ada"]
    update = drop_followers(entry, ["ada"])
    assert update is not None
    assert update.score == 2.0


def test_a_person_keeps_the_fields_that_a_list_does_not_name() -> None:
    before = ImportantPerson("Ada", 3.0, "7", "Ada", "Fund", ("a",))
    update = merge_person(before, ImportantPerson("ada", 5.0, tags=("a", "b")))
    assert update is not None
    assert update.values == {"weight": 5.0, "tags": ["a", "b"]}
    assert merge_person(before, ImportantPerson("ADA", 3.0, name="Ada")) is None


def _after(before: IndexEntry, update: object) -> IndexEntry:
    """The entry as it stands after an update, by the plain meaning of the update."""
    if update is None:
        return before
    put = {fold_handle(f.username): f for f in update.put}  # type: ignore[attr-defined]
    kept = tuple(put.pop(fold_handle(f.username), f) for f in before.followers)
    return IndexEntry(before.username, before.user_id, kept + tuple(put.values()), update.score)  # type: ignore[attr-defined]
