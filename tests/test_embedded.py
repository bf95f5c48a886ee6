"""The embedded mongod: started once, stopped cleanly, reached by nobody else."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pymongo import WriteConcern

from socap_cli.errors import NoMongod
from socap_cli.store import open_database
from socap_cli.store.embedded import SOCKET_LIMIT, Embedded, find_mongod


@pytest.fixture(autouse=True)
def _needs_a_mongod() -> None:
    try:
        find_mongod()
    except NoMongod as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"needs a mongod: {error.hint}")


def test_two_commands_at_once_start_one_server(tmp_path: Path) -> None:
    embedded = Embedded(tmp_path / "data")
    command = [sys.executable, "-m", "socap_cli", "--data-dir", str(tmp_path / "data"), "enqueue"]
    try:
        workers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
        answers = [(worker.communicate()[1], worker.returncode) for worker in workers]
        assert [code for _, code in answers] == [0, 0, 0], answers
        assert sum("started the embedded database" in err for err, _ in answers) == 1
        mode = stat.S_IMODE(embedded.socket_path.parent.stat().st_mode)
        assert mode == 0o700
        assert not Path(f"/proc/{embedded.pid()}").exists() or "tcp" not in _listens(embedded)
    finally:
        assert embedded.stop()
    assert embedded.pid() is None
    assert not embedded.stop()


def test_a_worker_that_waits_for_ever_ends_well_when_it_is_told_to(tmp_path: Path) -> None:
    environment = {**os.environ, "TWITTER_API_KEY": "k", "SOCAP_DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, "-m", "socap_cli", "work", "--wait"]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    embedded = Embedded(tmp_path / "data")
    try:
        while embedded.pid() is None or not embedded.socket_path.exists():
            time.sleep(0.05)
        time.sleep(1.0)
        assert worker.poll() is None
        worker.terminate()
        out, _ = worker.communicate(timeout=10)
        assert (worker.returncode, out.startswith("0 jobs completed")) == (0, True)
    finally:
        worker.kill()
        embedded.stop()


def _listens(embedded: Embedded) -> str:
    with open_database(embedded.uri, "admin") as db:
        options = db.command("getCmdLineOpts")["parsed"]
    bound = str(options["net"]["bindIp"])
    return "unix" if bound.startswith("/") else "tcp"


def test_data_survive_a_restart_and_a_stale_socket(tmp_path: Path) -> None:
    embedded = Embedded(tmp_path)
    embedded.start()
    with open_database(embedded.uri, "t") as db:
        db.things.with_options(write_concern=WriteConcern(j=True)).insert_one({"_id": 1})
    pid = embedded.pid()
    assert pid is not None
    os.kill(pid, 9)
    while embedded.pid() is not None:
        pass
    try:
        assert embedded.start()
        with open_database(embedded.uri, "t") as db:
            assert db.things.count_documents({}) == 1
    finally:
        embedded.stop()


def test_a_deep_data_folder_gets_a_short_socket(tmp_path: Path) -> None:
    deep = Embedded(tmp_path / ("d" * 90) / ("e" * 40))
    assert len(os.fsencode(deep.socket_path)) <= SOCKET_LIMIT
    assert len(os.fsencode(deep.socket_path.parent / "mongodb-27017.sock")) <= SOCKET_LIMIT


def test_no_mongod_is_told_with_three_ways_out(tmp_path: Path) -> None:
    """A Python without the extra, and a PATH without a mongod."""
    script = (
        "import sys, importlib.util as u\n"
        "found=u.find_spec\n"
        "u.find_spec=lambda name,*a: None if name=='fiftyone' else found(name,*a)\n"
        "from socap_cli.cli.app import execute\n"
        f"sys.exit(execute(['--data-dir',{str(tmp_path)!r},'enqueue']))\n"
    )
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    for way in ("MONGODB_URI", "socap[embedded]", "on the PATH"):
        assert way in done.stderr
