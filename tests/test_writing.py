"""Files for people: whole or not at all, whatever stands under the name."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socap_cli.errors import SocapError
from socap_cli.files import replace_if_changed, write_file, writing

LARGE = bytes(range(256)) * 2000


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def below(folder: Path) -> set[str]:
    """What stands in a folder, but for the home that every test has."""
    return {path.name for path in folder.iterdir()} - {"home"}


@pytest.mark.parametrize(
    ("before", "asked", "after"),
    [
        (None, None, 0o640),
        (None, 0o600, 0o600),
        (0o604, None, 0o604),
        (0o604, 0o600, 0o600),
        (0o444, None, 0o444),
    ],
)
def test_a_mode_is_what_was_asked_for_or_what_it_was(
    tmp_path: Path, before: int | None, asked: int | None, after: int
) -> None:
    path = tmp_path / "f"
    if before is not None:
        path.write_bytes(b"old")
        path.chmod(before)
    mask = os.umask(0o027)
    try:
        write_file(path, LARGE, mode=asked)
    finally:
        os.umask(mask)
    assert (path.read_bytes() == LARGE, mode_of(path), below(tmp_path)) == (True, after, {"f"})


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with writing(path) as stream:
        stream.write(LARGE)
        stream.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == LARGE


@pytest.mark.parametrize(
    "error", [SocapError("x"), ValueError("x"), OSError(5, "x"), KeyboardInterrupt()], ids=repr
)
def test_what_the_block_raises_passes_through_and_changes_nothing(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with pytest.raises(type(error)) as raised, writing(path) as stream:  # noqa: PT012
        stream.write(LARGE)
        raise error
    assert raised.value is error
    assert (path.read_bytes(), below(tmp_path)) == (b"old", {"f"})


@pytest.mark.parametrize("target", ["real", "missing", "folder/../real"])
def test_a_link_stays_a_link_and_its_file_is_replaced(tmp_path: Path, target: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "link to link").symlink_to("link")
    write_file(tmp_path / "link to link", LARGE)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "link to link").is_symlink()
    assert (tmp_path / target).read_bytes() == LARGE


def test_a_link_in_a_folder_of_ours_is_replaced_itself(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"old")
    (tmp_path / "page.html").symlink_to("secret")
    assert not replace_if_changed(tmp_path / "page.html", b"new", mode=0o644)
    assert not (tmp_path / "page.html").is_symlink()
    assert ((tmp_path / "secret").read_bytes(), (tmp_path / "page.html").read_bytes()) == (b"old", b"new")
    assert replace_if_changed(tmp_path / "page.html", b"new", mode=0o644)


@pytest.mark.parametrize("by", ["name", "link", "descriptor"])
def test_a_pipe_is_written_through_and_stays(tmp_path: Path, by: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    if by == "descriptor":
        descriptor = os.open(tmp_path / "pipe", os.O_WRONLY)
        write_file(f"/proc/self/fd/{descriptor}", LARGE)
        os.close(descriptor)
    else:
        write_file(tmp_path / {"name": "pipe", "link": "link"}[by], LARGE)
    reader.join()
    assert got == [LARGE]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_pipe_whose_reader_leaves_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = threading.Thread(target=lambda: (tmp_path / "pipe").open("rb").close())
    reader.start()
    with pytest.raises(SocapError, match="Broken pipe"), writing(tmp_path / "pipe") as stream:  # noqa: PT012
        reader.join()
        stream.write(LARGE)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_stdout_gets_the_bytes(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_file("-", LARGE)
    assert capfdbinary.readouterr().out == LARGE


NAMES: dict[str, Callable[[Path], object]] = {
    "a folder": lambda base: base,
    "nothing": lambda base: base.name and "",
    "a missing folder": lambda base: base / "no" / "f",
    "below a file": lambda base: base / "file" / "f",
    "a NUL": lambda base: f"{base}/a\0b",
    "half a character": lambda base: f"{base}/a\ud800b",
    "a long name": lambda base: base / ("x" * 5000),
    "a long path": lambda base: base / ("x/" * 5000),
    "a link to itself": lambda base: base / "loop",
    "a socket": lambda base: base / "socket",
}


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_written_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    import socket

    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        before = below(tmp_path)
        with pytest.raises(SocapError, match="cannot write ") as raised:
            write_file(str(NAMES[name](tmp_path)), b"new")
    assert raised.value.exit_code == 1
    assert raised.value.message.isprintable()
    assert (below(tmp_path), (tmp_path / "file").read_bytes()) == (before, b"old")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(min_size=1, max_size=300).filter(lambda name: name not in (".", "..") and "/" not in name)
)
def test_any_name_is_written_or_told(tmp_path: Path, name: str) -> None:
    try:
        write_file(str(tmp_path / name), b"new")
    except SocapError as error:
        assert error.message.isprintable()
    else:
        (tmp_path / name).unlink()
    assert below(tmp_path) == set()


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    script = (
        "import sys\nfrom socap_cli.errors import SocapError\nfrom socap_cli.files import write_file\n"
        f"try: write_file({str(tmp_path / 'f')!r}, bytes(500_000))\n"
        "except SocapError as error: sys.exit(error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, f"cannot write {tmp_path / 'f'}: File too large\n")
    assert ((tmp_path / "f").read_bytes(), below(tmp_path)) == (b"old", {"f"})


def test_many_writers_of_one_name_leave_one_whole_file(tmp_path: Path) -> None:
    contents = [bytes([n]) * 300_000 for n in range(8)]
    writers = [threading.Thread(target=write_file, args=(tmp_path / "f", content)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (tmp_path / "f").read_bytes() in contents
    assert below(tmp_path) == {"f"}
