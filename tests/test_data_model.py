"""docs/data-model.md says what is stored: compared with the documents of a small demo run, both ways."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.fields import fields_of
from support.terminal import Cli

from socap_cli.demo import open_scenario
from socap_cli.store import Db
from socap_cli.store.connect import INDEXES, prepare

PAGE = Path(__file__).parent.parent / "docs" / "data-model.md"
ROW = re.compile(r"\| `([^`]+)`(†?) \| ([^|]+) \|")
TYPES = {"text", "number", "yes or no", "time", "list", "object", "bytes", "ObjectId"}


@dataclass(frozen=True)
class Field:
    type: str
    is_rare: bool


def documented() -> dict[str, dict[str, Field]]:
    """{collection: {field: what the page says of it}}."""
    found: dict[str, dict[str, Field]] = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        name = part.split("\n", 1)[0]
        found[name] = {path: Field(kind.strip(), bool(mark)) for path, mark, kind in ROW.findall(part)}
    return found


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Mapping[str, set[str]]]]:
    """{collection: {field: types}} of a run with its own server."""
    folder = tmp_path_factory.mktemp("demo")
    with open_scenario(folder / "data", tweets=8, cycles=3, seed=7) as scenario:
        scenario.run(folder, lambda _: None)
        db = scenario.db
        yield {name: fields_of(name, db[name].find()) for name in db.list_collection_names()}


@pytest.mark.server
def test_every_stored_field_is_documented_with_its_type(
    stored: Mapping[str, Mapping[str, set[str]]],
) -> None:
    page = documented()
    strange = [
        f"{name}.{path}: {sorted(kinds)}"
        for name, fields in stored.items()
        for path, kinds in fields.items()
        if path not in page.get(name, {})
        or not kinds <= {page[name][path].type, "number" if name == "locks" else ""}
    ]
    assert strange == []


@pytest.mark.server
def test_every_documented_field_is_stored(stored: Mapping[str, Mapping[str, set[str]]]) -> None:
    absent = [
        f"{name}.{path}"
        for name, fields in documented().items()
        for path, field in fields.items()
        if not field.is_rare
        and path not in stored.get(name, {})
        and not any(known.startswith(f"{path}.") for known in stored.get(name, {}))
    ]
    assert absent == []


def test_the_page_names_every_collection_with_its_indexes() -> None:
    text = PAGE.read_text(encoding="utf-8")
    page = documented()
    assert set(page) == {*INDEXES, "following_index", "important_people"}
    assert {field.type for fields in page.values() for field in fields.values()} <= TYPES
    for part in text.split("\n## ")[1:]:
        name = part.split("\n", 1)[0]
        line = next((line for line in part.splitlines() if line.startswith("Indexes: ")), "")
        wanted = [index.document["name"] for index in INDEXES.get(name, ())]
        assert re.findall(r"`([^`]+)`", line) == wanted, name


@pytest.mark.parametrize(
    ("version", "hint"),
    [(2, "install the socap that wrote it"), (0, "another [database] name"), ("x", "another")],
)
def test_a_database_of_another_version_is_refused_before_anything_is_written(
    cli: Cli, db: Db, version: object, hint: str
) -> None:
    before = {name: db[name].count_documents({}) for name in db.list_collection_names()}
    db.locks.update_one({"_id": "schema"}, {"$set": {"version": version}}, upsert=True)
    for words in (["enqueue"], ["status"], ["campaign", "add", "x", "--days", "3", "--no-verify"]):
        error = cli(*words, code=1)["error"]
        assert error["type"] == "SchemaMismatch"
        assert f"have version {version!r}, this program needs 1" in error["message"]
        assert hint in error["hint"]
    assert {name: db[name].count_documents({}) for name in db.list_collection_names()} == before


def test_a_new_database_says_its_version(db: Db) -> None:
    db.locks.delete_many({})
    prepare(db)
    assert db.locks.find_one({"_id": "schema"}) == {"_id": "schema", "version": 1}
