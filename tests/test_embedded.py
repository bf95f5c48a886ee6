"""The embedded mongod: one a data folder, started once, stopped cleanly, reached by nobody else."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from pymongo import WriteConcern
from support.waiting import wait_until

from socap_cli.errors import MongodFailed, NoMongod, StoreError
from socap_cli.store import open_database
from socap_cli.store.embedded import LARGEST_LOG, SOCKET_LIMIT, Embedded, find_mongod, launch

pytestmark = pytest.mark.server

SOCAP = [sys.executable, "-m", "socap_cli"]


@pytest.fixture(autouse=True)
def _needs_a_mongod() -> None:
    try:
        find_mongod()
    except NoMongod as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"needs a mongod: {error.hint}")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Embedded]:
    """A database of the test's own, stopped at its end."""
    embedded = Embedded(tmp_path / "data")
    yield embedded
    embedded.stop()


def answers(embedded: Embedded) -> bool:
    with open_database(embedded.uri, "t") as db:
        return bool(db.command("ping")["ok"])


def listens_on(embedded: Embedded) -> str:
    with open_database(embedded.uri, "admin") as db:
        return str(db.command("getCmdLineOpts")["parsed"]["net"]["bindIp"])


def test_two_commands_at_once_start_one_server(own: Embedded) -> None:
    command = [*SOCAP, "--data-dir", str(own.data_dir), "campaign", "list"]
    workers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    results = [(worker.communicate()[1], worker.returncode) for worker in workers]
    assert [code for _, code in results] == [0, 0, 0], results
    assert sum("started the embedded database" in err for err, _ in results) == 1
    assert sum("made a new empty database" in err for err, _ in results) >= 1
    assert stat.S_IMODE(own.socket_path.parent.stat().st_mode) == 0o700
    assert listens_on(own) == str(own.socket_path)
    assert own.stop()
    assert (own.pid(), own.stop()) == (None, False)


def catches_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)


def test_a_worker_that_waits_for_ever_ends_well_when_it_is_told_to(own: Embedded) -> None:
    environment = {**os.environ, "TWITTER_API_KEY": "k", "SOCAP_DATA_DIR": str(own.data_dir)}
    worker = subprocess.Popen(
        [*SOCAP, "work", "--wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        wait_until(lambda: catches_sigterm(worker.pid))
        worker.terminate()
        out, _ = worker.communicate(timeout=20)
        assert (worker.returncode, out.startswith("0 jobs completed")) == (0, True)
    finally:
        worker.kill()


def test_data_survive_a_restart_and_a_stale_socket(own: Embedded) -> None:
    own.start()
    with open_database(own.uri, "t") as db:
        db.things.with_options(write_concern=WriteConcern(j=True)).insert_one({"_id": 1})
    kill(own)
    assert own.start()
    with open_database(own.uri, "t") as db:
        assert db.things.count_documents({}) == 1


def kill(embedded: Embedded) -> None:
    pid = embedded.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: embedded.pid() is None)


ODD_NAMES = [
    "a,b", "-x", "a:b", "a[b]*?", "a b", "ü → 😀", "a\nb", "a%2Fb", "a@b", "$HOME", "'q\"", "a+b", "~", "a\\b", "#;&|",
    "d" * 120, "d" * 90 + "/" + "e" * 90, "\udcff",
]  # fmt: skip
IN_EVERY_RUN = {"ü → 😀", "d" * 90 + "/" + "e" * 90, "\udcff"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in IN_EVERY_RUN else [pytest.mark.exhaustive])
        for name in ODD_NAMES
    ],
    ids=ascii,
)
def test_a_data_folder_may_be_called_anything_and_is_the_same_by_any_spelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    one = Embedded(tmp_path / name)
    try:
        assert one.start()
        assert len(os.fsencode(one.socket_path.parent / "mongodb-27017.sock")) <= SOCKET_LIMIT
        assert answers(one)
        monkeypatch.chdir(tmp_path)
        (tmp_path / "link").symlink_to(name)
        for variable in ("XDG_RUNTIME_DIR", "TMPDIR"):
            monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
        for other in (Embedded(Path(name)), Embedded(Path("link")), Embedded(tmp_path / "x" / ".." / name)):
            assert (other.pid(), other.start(), other.uri) == (one.pid(), False, one.uri)
    finally:
        assert one.stop()


def test_another_environment_finds_the_same_server(own: Embedded, tmp_path: Path) -> None:
    deep = Embedded(tmp_path / ("d" * 90))
    command = [*SOCAP, "--json", "--data-dir", str(deep.data_dir), "db"]
    pids = set()
    try:
        for place in ("one", "two", "three"):
            (tmp_path / place).mkdir()
            environment = {
                **os.environ,
                "XDG_RUNTIME_DIR": str(tmp_path / place),
                "TMPDIR": str(tmp_path / place),
            }
            done = subprocess.run(
                [*command, "start"], env=environment, capture_output=True, text=True, check=True
            )
            pids.add(json.loads(done.stdout)["result"]["pid"])
        assert len(pids) == 1
    finally:
        assert deep.stop()


def test_a_stale_process_id_never_names_another_folders_server(own: Embedded, tmp_path: Path) -> None:
    own.start()
    other = Embedded(tmp_path / "other")
    other.data_dir.mkdir()
    other.pid_path.write_text(f"{own.pid()}\n")
    assert (other.pid(), other.stop()) == (None, False)
    assert other.start()
    assert other.stop()
    assert answers(own)


STRANGE_IDS = [
    "",
    "abc",
    "-1",
    "0",
    "1",
    str(os.getpid()),
    "9" * 20,
    "9" * 5000,
    "1.5",
    "１２",
    "\0",
    "4294967297",
]


@pytest.mark.parametrize("text", STRANGE_IDS, ids=range(len(STRANGE_IDS)))
def test_a_strange_process_id_names_nobody(own: Embedded, text: str) -> None:
    own.data_dir.mkdir()
    own.pid_path.write_text(text)
    assert (own.pid(), own.stop()) == (None, False)


def damaged(embedded: Embedded, name: str) -> None:
    embedded.db_path.mkdir()
    (embedded.db_path / name).write_text("what is this?")


IN_THE_WAY: dict[str, Callable[[Embedded], object]] = {
    "the lock is a folder": lambda e: (e.data_dir / "mongod.lock").mkdir(),
    "the lock is a link": lambda e: (e.data_dir / "mongod.lock").symlink_to("/no/such/place"),
    "the socket is a folder": lambda e: e.socket_path.mkdir(parents=True),
    "the socket's folder is a file": lambda e: e.socket_path.parent.write_text(""),
    "the database is a file": lambda e: e.db_path.write_text(""),
    "the log is a folder": lambda e: e.log_path.mkdir(),
    "the database is damaged": lambda e: damaged(e, "storage.bson"),
}


@pytest.mark.parametrize("what", IN_THE_WAY)
def test_what_is_in_the_way_is_told_in_one_line(own: Embedded, what: str) -> None:
    own.data_dir.mkdir()
    IN_THE_WAY[what](own)
    done = subprocess.run(
        [*SOCAP, "--data-dir", str(own.data_dir), "campaign", "list"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "without the" not in done.stderr
    assert subprocess.run(
        [*SOCAP, "--data-dir", str(own.data_dir), "db", "stop"], check=False
    ).returncode in (0, 1)


@pytest.mark.parametrize("name", ["file", "file/below", "x" * 300, "loop"])
@pytest.mark.parametrize("words", [["campaign", "list"], ["db", "stop"], ["db", "status"], ["db", "start"]])
def test_a_data_folder_that_cannot_be_is_told(tmp_path: Path, name: str, words: list[str]) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    done = subprocess.run(
        [*SOCAP, "--data-dir", str(tmp_path / name), *words], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if words[1] in ("stop", "status") else 1), done.stderr


PROGRAMS = {
    "ends in silence": ("#!/bin/sh\nexit 3\n", "exit code 3 without a message"),
    "says a word": ("#!/bin/sh\necho 'no room for me' >&2\nexit 2\n", "no room for me"),
    "lacks a library": ("#!/bin/sh\necho 'error while loading shared libraries: libx' >&2\nexit 127\n", "libx"),
    "prints its log": ("""#!/bin/sh\necho '{"s":"F","msg":"m","attr":{"error":"why"}}'\nexit 1\n""", "start: m: why"),
    "prints bytes": ("#!/bin/sh\nprintf '\\377\\376\\n'\nexit 1\n", "did not start: "),
    "is no program": ("\x7fELF", "cannot run"),
    "has no interpreter": ("#!/no/such/program\n", "cannot run"),
}  # fmt: skip


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_server_that_does_not_start_says_why(tmp_path: Path, what: str) -> None:
    text, said = PROGRAMS[what]
    program = tmp_path / "mongod"
    program.write_text(text)
    program.chmod(0o700)
    with pytest.raises(MongodFailed, match=said):
        launch(program, Embedded(tmp_path))


def test_a_full_disk_is_the_reason(own: Embedded) -> None:
    """A limit on a file's size stands for a full disk: what the server itself says of it is told, or how it ended."""
    done = subprocess.run(
        [*SOCAP, "--data-dir", str(own.data_dir), "db", "start"], capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: mongod did not start: ")
    assert "fork" not in done.stderr


def test_a_server_that_is_still_leaving_is_waited_for(own: Embedded, tmp_path: Path) -> None:
    own.start()
    own.stop()
    (tmp_path / "run").mkdir()
    other: list[str | Path] = [
        find_mongod(),
        "--dbpath",
        own.db_path,
        "--bind_ip",
        tmp_path / "run" / "mongod.sock",
    ]
    leaving = subprocess.Popen(
        [*other, "--unixSocketPrefix", tmp_path / "run", "--logpath", tmp_path / "log"],
        stdout=subprocess.DEVNULL,
    )
    wait_until(lambda: (own.db_path / "mongod.lock").read_text().strip() == str(leaving.pid))
    with pytest.raises(MongodFailed, match="DBPathInUse"):
        own.start(patience=0.0)
    stop = threading.Timer(1.0, leaving.terminate)
    stop.start()
    assert own.start(patience=30.0)
    leaving.wait()


def test_a_lock_that_is_held_for_too_long_ends_the_start(tmp_path: Path) -> None:
    embedded = Embedded(tmp_path / "data", lock_patience=0.2)
    embedded.data_dir.mkdir()
    with (
        FileLock(embedded.data_dir / "mongod.lock"),
        pytest.raises(StoreError, match="another process has been starting or stopping"),
    ):
        embedded.start()


def test_the_server_gets_no_secrets_of_the_environment(own: Embedded) -> None:
    environment = {**os.environ, "TWITTER_API_KEY": "a-secret"}
    subprocess.run([*SOCAP, "--data-dir", str(own.data_dir), "db", "start"], check=True, env=environment)
    assert b"a-secret" not in Path(f"/proc/{own.pid()}/environ").read_bytes()


def test_the_server_may_open_as_many_files_as_the_system_lets_it(own: Embedded) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    subprocess.run(
        [*SOCAP, "--data-dir", str(own.data_dir), "db", "start"], check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)),
    )  # fmt: skip
    limits = Path(f"/proc/{own.pid()}/limits").read_text()
    (line,) = (line for line in limits.splitlines() if line.startswith("Max open files"))
    assert int(line.split()[3]) == min(hard, 64_000)


def test_a_large_log_is_put_aside_before_a_start(own: Embedded) -> None:
    aside = own.data_dir / "mongod.log.1"
    own.start()
    own.stop()
    os.truncate(own.log_path, LARGEST_LOG + 1)
    own.start()
    assert aside.stat().st_size > LARGEST_LOG


def test_a_socket_that_was_taken_away_is_told(own: Embedded) -> None:
    own.start()
    own.socket_path.unlink()
    with pytest.raises(StoreError, match=r"is running, but its socket .* cannot be seen from here"):
        own.start()
    assert own.stop()
    assert own.start()


def test_a_short_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = Embedded(tmp_path / "a,b")
    embedded.socket_path.parent.symlink_to(tmp_path)
    try:
        with pytest.raises(StoreError, match="belongs to another user"):
            embedded.start()
    finally:
        embedded.socket_path.parent.unlink()


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


def test_a_new_database_and_a_queue_without_campaigns_are_warned_of(own: Embedded) -> None:
    command = [*SOCAP, "--json", "--data-dir", str(own.data_dir), "enqueue"]
    said = [
        json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["warnings"]
        for _ in range(2)
    ]
    empty = f"there is no campaign in {own.data_dir}; if you have one, check"
    assert [[w.partition(" --data-dir")[0] for w in warnings] for warnings in said] == [
        [f"made a new empty database in {own.data_dir}; if you have one, check", empty],
        [empty],
    ]
