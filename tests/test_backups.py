"""Backups: whole or refused; a restore changes everything or nothing, wherever it is stopped."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import threading
from datetime import UTC, datetime
from pathlib import Path

import bson
import pytest
from bson import json_util
from support.backups import WAYS, backup, broken, contents, fill, pack, place, sealed, unpack
from support.terminal import Cli
from support.waiting import wait_until

from socap_cli.errors import LockHeld, NotABackup, SocapError
from socap_cli.simulator.server import Simulator
from socap_cli.store import Db, open_database
from socap_cli.store.backup import check, end_interrupted, restore, write
from socap_cli.store.connect import RESTORE_RECORD

BROKEN = int(os.environ.get("SOCAP_FUZZ_RESTORE", "40"))
KILLS = max(6, BROKEN // 5)


@pytest.fixture
def full(db: Db) -> Db:
    fill(db)
    return db


def change(db: Db) -> None:
    """What happened since the backup."""
    db.campaigns.delete_one({"_id": "c1"})
    db.campaigns.update_many({}, {"$set": {"name": "changed"}})
    db.engagements.drop()
    db.alert_queue.insert_one({"_id": "new"})
    db["firm's followings/2"].drop_index("odd one")
    db.capped.drop()


def test_a_round_trip_keeps_every_byte_index_and_option(full: Db, tmp_path: Path) -> None:
    path, before = place(tmp_path, backup(full)), contents(full)
    change(full)
    assert contents(full) != before
    assert restore(full, path).left == ()
    assert contents(full) == before


def test_a_backup_restores_into_an_empty_database_of_another_name(
    full: Db, mongod: str, tmp_path: Path
) -> None:
    path, before = place(tmp_path, backup(full)), contents(full)
    with open_database(mongod, f"{full.name}-2") as other:
        restore(other, path)
        after = contents(other)
        other.client.drop_database(other.name)
    assert after == before


def test_a_collection_that_is_neither_ours_nor_in_the_backup_is_left_alone(full: Db, tmp_path: Path) -> None:
    path = place(tmp_path, backup(full))
    full.n8n.insert_one({"_id": 1})
    full.command({"create": "a view", "viewOn": "campaigns", "pipeline": []})
    assert restore(full, path).left == ("n8n",)
    assert full.n8n.count_documents({}) == 1


def test_the_layout_is_that_of_mongodump(full: Db, tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(backup(full))) as archive:
        archive.extractall(tmp_path / "dump", filter="data")
    folder = tmp_path / "dump" / full.name
    names = {path.name for path in folder.iterdir()}
    assert {"campaigns.bson", "campaigns.metadata.json", "firm%27s%20followings%2F2.bson"} <= names
    assert len(bson.decode_all((folder / "engagements.bson").read_bytes())) == 60
    metadata = json_util.loads((folder / "engagements.metadata.json").read_text())
    assert (metadata["collectionName"], metadata["type"]) == ("engagements", "collection")
    assert {index["name"] for index in metadata["indexes"]} == set(full.engagements.index_information())


def test_what_says_that_something_was_stored_is_read_before_it(full: Db) -> None:
    names = [name.split("/")[1] for name, _ in unpack(backup(full))[:-1] if name.endswith(".bson")]
    assert names[:2] == ["worker_state.bson", "jobs.bson"]
    assert names[-3:] == ["engagements.bson", "alert_queue.bson", "alert_history.bson"]


@pytest.mark.parametrize("seed", range(BROKEN))
def test_a_broken_backup_is_refused_and_changes_nothing_or_is_restored_whole(
    full: Db, tmp_path: Path, seed: int
) -> None:
    whole = contents(full)
    way, data = broken(backup(full), seed)
    change(full)
    changed = contents(full)
    path = place(tmp_path, data)
    try:
        restore(full, path)
    except NotABackup as error:
        assert contents(full) == changed, way
        assert error.message.count("\n") == 0
    else:
        assert contents(full) == whole, way


HARMLESS = {"its end cut", "a bit flipped", "bits flipped", "a bit flipped inside"}
"""A bit may be one of those that say nothing (a time, an owner), a cut may take padding alone."""


@pytest.mark.parametrize(
    "way", [way for way in WAYS if way not in HARMLESS and not way.startswith("a block")]
)
def test_what_is_surely_broken_is_refused_by_the_check_or_by_the_restore(
    full: Db, tmp_path: Path, way: str
) -> None:
    import random

    path = place(tmp_path, WAYS[way](backup(full), random.Random(1)))
    before = contents(full)
    with pytest.raises(NotABackup, match=r"backup\.tgz") as raised:
        restore(full, path)
    assert raised.value.exit_code == 1
    assert contents(full) == before
    if "index" not in way and "view" not in way and "rule" not in way and "bad id" not in way:
        with pytest.raises(NotABackup):
            check(path)


def test_a_backup_without_campaigns_does_not_replace_a_database_that_has_some(
    full: Db, mongod: str, tmp_path: Path
) -> None:
    with open_database(mongod, f"{full.name}-2") as other:
        fill(other, 1)
        other.campaigns.delete_many({})
        path, empty = place(tmp_path, backup(other)), contents(other)
        other.jobs.delete_many({})
        restore(other, path)
        assert contents(other) == empty
        other.client.drop_database(other.name)
    before = contents(full)
    with pytest.raises(NotABackup, match="holds no campaigns"):
        restore(full, path)
    assert contents(full) == before


def test_a_backup_of_another_program_is_refused(full: Db, tmp_path: Path) -> None:
    members = [m for m in unpack(backup(full)) if "campaigns" not in m[0]]
    with pytest.raises(NotABackup, match="another program"):
        restore(full, place(tmp_path, sealed(members)))


def test_memory_does_not_grow_with_what_a_document_claims_to_be(full: Db, tmp_path: Path) -> None:
    huge = (2**31 - 1).to_bytes(4, "little") + bytes(100)
    path = place(tmp_path, pack([("socap/x.metadata.json", b"{}"), ("socap/x.bson", huge)]))
    with pytest.raises(NotABackup):
        check(path)


@pytest.mark.parametrize("holder", ["a worker", "a planner", "a sender"])
def test_a_restore_is_refused_while_something_holds_a_lease(full: Db, tmp_path: Path, holder: str) -> None:
    path = place(tmp_path, backup(full))
    later = datetime(2200, 1, 1, tzinfo=UTC)
    if holder == "a worker":
        full.jobs.update_one({}, {"$set": {"lease_token": "t", "lease_expires_at": later}})
    elif holder == "a sender":
        full.alert_messages.insert_one({"_id": "m", "status": "sending", "lease_expires_at": later})
    else:
        full.locks.insert_one({"_id": "alerts plan", "token": "t", "until": later})
    before = contents(full)
    with pytest.raises(LockHeld, match="is running") as raised:
        restore(full, path)
    assert raised.value.exit_code == 5
    assert contents(full) == before


def test_no_other_command_gets_in_between(full: Db, cli: Cli, tmp_path: Path) -> None:
    """While a restore runs, commands end with exit code 5; one whose process died is rolled back by the next."""
    path, before = place(tmp_path, backup(full)), contents(full)
    change(full)
    changed = contents(full)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    restoring = subprocess.Popen([sys.executable, "-m", "socap_cli", "db", "restore", str(pipe), "--yes"])
    with pipe.open("wb"):
        wait_until(lambda: full[RESTORE_RECORD].count_documents({}) > 0)
        assert "a restore is running" in cli("campaign", "list", code=5)["error"]["message"]
        with pytest.raises(LockHeld):
            end_interrupted(full)
        restoring.kill()
        restoring.wait()
    answer = cli("campaign", "list")
    assert "rolled back an interrupted restore" in answer["warnings"][0]
    assert contents(full) == changed
    restore(full, path)
    assert contents(full) == before


def test_kill_9_at_any_moment_leaves_what_was_before_or_what_was_restored(
    full: Db, cli: Cli, mongod: str, tmp_path: Path
) -> None:
    """The process dies between two of its commands to the database, at each place in turn."""
    path, restored = place(tmp_path, backup(full)), contents(full)
    change(full)
    seen = set()
    for lives in range(1, 400):
        changed = contents(full)
        done = subprocess.run(
            [sys.executable, "-c", DYING, mongod, full.name, path, str(lives)],
            capture_output=True,
            text=True,
            check=False,
        )
        record = full[RESTORE_RECORD].find_one()
        step = "" if record is None else "loading" if record["dropped"] is None else "switching"
        end_interrupted(full)
        after = contents(full)
        assert after in (changed, restored), (lives, step)
        seen.add((step, after == restored))
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        if after == restored:
            change(full)
    assert done.returncode == 0
    assert {("loading", False), ("switching", True), ("", True)} <= seen


DYING = """
import os, sys
from pymongo import monitoring
uri, name, path, lives = sys.argv[1:]
class Mortal(monitoring.CommandListener):
    left = int(lives)
    def started(self, event):
        if event.database_name != name: return
        Mortal.left -= 1
        if not Mortal.left: os.kill(os.getpid(), 9)
    def succeeded(self, event): pass
    def failed(self, event): pass
monitoring.register(Mortal())
from socap_cli.store import open_database
from socap_cli.store.backup import restore
with open_database(uri, name) as db: restore(db, path)
"""


@pytest.mark.parametrize("round_", range(KILLS))
def test_kill_9_of_the_command_at_a_random_time(full: Db, cli: Cli, tmp_path: Path, round_: int) -> None:
    import random

    path, restored = place(tmp_path, backup(full)), contents(full)
    change(full)
    changed = contents(full)
    command = [sys.executable, "-m", "socap_cli", "db", "restore", path, "--yes"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    killer = threading.Timer(random.Random(round_).uniform(0.2, 1.2), process.kill)
    killer.start()
    process.wait()
    killer.cancel()
    cli("campaign", "list")
    assert contents(full) in (changed, restored)


def test_a_worker_that_waits_goes_on_with_the_queue_that_was_restored(
    cli: Cli, db: Db, simulator: Simulator, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(simulator.tweets_csv())
    cli("campaign", "add", "launch", "--from", str(tmp_path / "t.csv"))
    cli("enqueue")
    armed = place(tmp_path, backup(db))
    worker = subprocess.Popen(
        [sys.executable, "-m", "socap_cli", "work", "--wait"], stderr=subprocess.PIPE, text=True
    )
    try:
        for _ in range(5):
            wait_until(lambda: not db.jobs.count_documents({"status": {"$ne": "completed"}}))
            answer = cli("db", "restore", armed, "--yes")
            assert answer["result"]["collections"]["jobs"] == 32
        wait_until(lambda: not db.jobs.count_documents({"status": {"$ne": "completed"}}))
        assert worker.poll() is None
    finally:
        worker.terminate()
        _, err = worker.communicate(timeout=20)
    assert (worker.returncode, "Traceback" in err) == (0, False)


def test_the_commands_tell_what_they_did(full: Db, cli: Cli, tmp_path: Path) -> None:
    path = str(tmp_path / "b.tgz")
    wrote = cli("db", "backup", path)["result"]
    assert wrote["collections"]["engagements"] == 60
    checked = cli("db", "check", path)["result"]
    assert {**checked, "created_at": "", "program": ""} == {**wrote, "created_at": "", "program": ""}
    assert "db restore" not in cli("db", "restore", path, code=2)["error"]["message"]
    assert cli("db", "restore", path, "--yes")["result"] == {
        "documents": wrote["documents"], "collections": wrote["collections"], "left": [],
    }  # fmt: skip
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert "needs a file" in cli("db", "backup", "-", code=2)["error"]["message"]


@pytest.mark.parametrize("name", ["no/such", "a\0b", "x" * 5000, ".", ""])
@pytest.mark.parametrize("command", ["check", "restore", "backup"])
def test_a_file_that_cannot_be_is_told(full: Db, cli: Cli, command: str, name: str) -> None:
    yes = ["--yes"] if command == "restore" else []
    answer = cli("db", command, name, *yes, code=1)
    assert answer["error"]["message"].startswith("cannot ")


def test_a_backup_goes_through_pipes(full: Db, cli: Cli, tmp_path: Path) -> None:
    before = contents(full)
    saved = subprocess.run(
        [sys.executable, "-m", "socap_cli", "db", "backup", "-"], capture_output=True, check=True
    )
    change(full)
    for words in (["check", "-"], ["restore", "-", "--yes"]):
        subprocess.run([sys.executable, "-m", "socap_cli", "db", *words], input=saved.stdout, check=True)
    assert contents(full) == before


def test_a_full_disk_leaves_the_old_backup(full: Db, tmp_path: Path) -> None:
    class Full(io.RawIOBase):
        def write(self, data: object) -> int:
            raise SocapError("no room")

    with pytest.raises(SocapError, match="no room"):
        write(full, Full(), now=datetime.now(UTC))  # type: ignore[arg-type]
