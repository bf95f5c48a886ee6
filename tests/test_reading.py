"""Files are read in any usual encoding; what is not text is refused with a hint."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socap_cli.errors import UsageError
from socap_cli.files import decode, printable, read_text

TEXT = "url,category\nhttps://x.com/ada/status/101,Ümläut ☃ 🚀\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("order", ["", "-le", "-be"])
def test_every_encoding_that_says_what_it_is_is_read(tmp_path: Path, encoding: str, order: str) -> None:
    file = tmp_path / "list.csv"
    if order and encoding in ("utf-16", "utf-32"):
        file.write_bytes("\ufeff".encode(encoding + order) + TEXT.encode(encoding + order))
    else:
        file.write_bytes(TEXT.encode(encoding))
    assert read_text(str(file)) == TEXT


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "cp1252"])
def test_an_encoding_without_a_mark_is_recognised_by_its_bytes(encoding: str) -> None:
    text = "url,category\r\nhttps://x.com/ada/status/101,Ümläut – “é” €\r\n"
    assert decode(text.encode(encoding), "list.csv") == text


def test_several_byte_order_marks_are_left_out() -> None:
    assert decode(("\ufeff" * 3 + TEXT).encode(), "list.csv") == TEXT


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a\r\nb\rc\n\xe9\x81", "line 4: byte 0x81 is not text"),
        (b"a\nb\0c\n" + b"d" * 40, "line 2: holds a NUL"),
        (b"\xff\xfea", "not valid UTF-16"),
        (b"PK\x03\x04rest", "a workbook"),
        (b"\xd0\xcf\x11\xe0rest", "an old Excel workbook"),
        (b"\x1f\x8brest", "gzip"),
        (b"%PDF-1.7", "a PDF"),
    ],
)
def test_what_is_no_text_is_refused_with_its_reason(content: bytes, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as refused:
        decode(content, "list.csv")
    assert refused.value.hint


@pytest.mark.parametrize("name", ["missing.csv", "", ".", "a\0b", "x" * 5000, "list.csv/below"])
def test_what_cannot_be_read_is_a_usage_error_whatever_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "list.csv").write_text(TEXT)
    with pytest.raises(UsageError, match="cannot read"):
        read_text(f"{tmp_path}/{name}")


def test_a_file_over_the_limit_is_refused_before_it_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(UsageError, match="larger than 1 MiB"):
        read_text(str(file), most_bytes=1 << 20)


def test_stdin_is_read_by_the_same_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode("utf-16")), encoding="ascii"))
    assert read_text("-") == TEXT


@pytest.mark.parametrize("closed", [True, False])
def test_a_closed_stdin_is_told(monkeypatch: pytest.MonkeyPatch, closed: bool) -> None:
    stream = io.TextIOWrapper(io.BytesIO())
    stream.close()
    monkeypatch.setattr(sys, "stdin", stream if closed else None)
    with pytest.raises(UsageError, match="cannot read stdin: it is closed"):
        read_text("-")


@given(st.binary(max_size=200))
def test_any_bytes_are_text_without_marks_or_a_reason(content: bytes) -> None:
    try:
        text = decode(content, "list.csv")
    except UsageError as error:
        assert error.message
    else:
        assert not text.startswith("\ufeff")
        assert "\0" not in text
        text.encode()


@given(st.text(st.characters(), max_size=50))
def test_what_is_printed_of_a_name_fits_any_stream(name: str) -> None:
    assert printable(name).isprintable()
    printable(name).encode()
