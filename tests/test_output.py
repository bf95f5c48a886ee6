"""Output streams that are full, closed or left: told where it matters, and never a traceback."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from openpyxl import load_workbook
from support.values import engagement

from socap_cli.report.export import COLUMNS, row_of, write_xlsx

pytestmark = pytest.mark.slow

SOCAP = [sys.executable, "-m", "socap_cli"]
NEEDS_NO_DATABASE = [
    ["--version"],
    ["--help"],
    ["work", "--help"],
    ["--json", "db", "status"],
    ["db", "status"],
]


def _no_room() -> None:
    """A limit on a file's size stands for a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@pytest.mark.parametrize("words", NEEDS_NO_DATABASE, ids=" ".join)
def test_a_full_disk_is_a_failure_that_is_told_in_one_line(words: list[str], tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        done = subprocess.run(
            [*SOCAP, *words], stdout=out, stderr=subprocess.PIPE, preexec_fn=_no_room, text=True, check=False
        )
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: cannot write the output: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("target", ["/dev/full", "out.xlsx"], ids=["the file", "the temporary files"])
def test_a_workbook_on_a_full_disk_is_one_error(target: str, tmp_path: Path) -> None:
    write = f"""
import resource
from support.values import engagement
from socap_cli.errors import SocapError
from socap_cli.files import writing
from socap_cli.report.export import COLUMNS, row_of, write_xlsx
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000) if {target == "out.xlsx"} else (-1, -1))
try:
    with writing({target!r}) as stream:
        write_xlsx((row_of(engagement()) for _ in range(3000)), tuple(COLUMNS), stream)
except SocapError as error:
    print(error.message)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", write],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
    assert done.stdout.startswith("cannot write ")
    assert list(tmp_path.glob("*out*")) == []


def test_a_workbook_continues_on_another_sheet(tmp_path: Path) -> None:
    with (tmp_path / "out.xlsx").open("wb") as stream:
        rows = (row_of(engagement()) for _ in range(21))
        assert write_xlsx(rows, tuple(COLUMNS), stream, rows_of_a_sheet=10) == 21
    book = load_workbook(tmp_path / "out.xlsx")
    assert [(sheet.title, sheet.max_row, sheet["A1"].value) for sheet in book] == [
        ("engagements", 11, "tweet_id"), ("engagements 2", 11, "tweet_id"), ("engagements 3", 2, "tweet_id"),
    ]  # fmt: skip


@pytest.mark.parametrize("words", NEEDS_NO_DATABASE, ids=" ".join)
@pytest.mark.parametrize("closed", [(1,), (2,), (1, 2), (0, 1, 2)], ids=str)
def test_a_closed_stream_is_as_good_as_nowhere(words: list[str], closed: tuple[int, ...]) -> None:
    def close() -> None:
        for descriptor in closed:
            os.close(descriptor)

    pipe = subprocess.PIPE
    done = subprocess.run([*SOCAP, *words], stdout=pipe, stderr=pipe, preexec_fn=close, check=False)
    assert done.returncode == 0
    assert b"Traceback" not in done.stdout + done.stderr
    assert (done.stdout == b"") is (1 in closed)


@pytest.mark.parametrize("words", NEEDS_NO_DATABASE, ids=" ".join)
def test_a_reader_that_went_away_is_no_error(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*SOCAP, *words], stdout=writing, stderr=subprocess.PIPE, text=True, check=False, pass_fds=[writing]
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_stdin_is_told_when_something_is_to_be_read(tmp_path: Path) -> None:
    words = ["campaign", "add", "z", "--from", "-"]
    done = subprocess.run(
        [*SOCAP, "--data-dir", str(tmp_path / "data"), *words],
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.close(0),
        text=True,
        check=False,
    )
    subprocess.run([*SOCAP, "--data-dir", str(tmp_path / "data"), "db", "stop"], check=False)
    assert done.returncode in (1, 2)
    assert "stdin: it is closed" in done.stderr


def test_the_first_file_that_is_opened_does_not_get_the_output_of_a_closed_stdout(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from socap_cli.cli import run\n"
        "run.install_streams()\n"
        f"number = os.open({str(tmp_path / 'f')!r}, os.O_CREAT | os.O_WRONLY)\n"
        "run.print_line('a result')\n"
        "sys.exit(number <= 2)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], preexec_fn=lambda: os.close(1), check=False)
    assert (done.returncode, (tmp_path / "f").read_bytes()) == (0, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_an_encoding_lacks_is_written_as_an_escape(encoding: str) -> None:
    script = "from socap_cli.cli import run\nrun.install_streams()\nrun.print_line('é → \\udcff')\n"
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=False)
    expected = "é → \\udcff\n".encode(encoding, "backslashreplace")
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, b"")


@pytest.mark.parametrize("given", [{}, {"SOCAP_DATA_DIR": "data"}], ids=["nothing", "a data folder"])
def test_a_user_without_a_home_needs_a_data_folder(given: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import pwd\ndef nobody(uid): raise KeyError(uid)\npwd.getpwuid = nobody\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "HOME"} | given
    environment["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    done = subprocess.run(
        [*SOCAP, "--json", "db", "status"],
        env=environment, capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    answer = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == answer["exit_code"] == (0 if given else 2)
    if not given:
        assert "no home folder" in answer["error"]["message"]
        assert "--data-dir" in answer["error"]["hint"]
    assert done.stderr == ""


BUG = """
from socap_cli.cli import app
def broken(*words): raise RuntimeError("\\ud800 unforeseen")
app.program = broken
app.main(["--json", *__import__("sys").argv[1:]])
"""


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
@pytest.mark.parametrize(
    "place", ["data", "file", "file/below", "a\nb", "~nosuchuser/x", "x" * 300, "\udcff"]
)
def test_a_bug_is_told_whatever_it_says_and_wherever_its_report_goes(
    tmp_path: Path, place: str, encoding: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    done = subprocess.run(
        [sys.executable, "-c", BUG],
        env={**os.environ, "PYTHONIOENCODING": encoding, "SOCAP_DATA_DIR": place},
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    answer = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, answer["exit_code"], answer["error"]["message"]) == (
        3,
        3,
        "a bug in socap: RuntimeError",
    )
    written = list(tmp_path.rglob("bug-*.log"))
    text = written[0].read_bytes() if written else done.stderr
    assert b"RuntimeError: \\ud800 unforeseen" in text
    assert not written or b"Traceback" not in done.stderr
