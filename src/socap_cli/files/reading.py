"""Read what a person hands in, a file or stdin, as text; whatever is no text is refused with what to do.

Taken are UTF-8 with or without a byte order mark, and UTF-16 or UTF-32 with one (Excel's "Unicode text").
Anything else would be a guess that turns names into other names.
"""

from __future__ import annotations

import codecs
import sys
from pathlib import Path
from typing import BinaryIO

from socap_cli.errors import UsageError

MOST_BYTES = 64 * 1024 * 1024
BYTE_ORDER_MARK = "\ufeff"
STDIN = "-"
ENCODINGS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
"""Byte order marks, the longer first: UTF-32's begins with UTF-16's."""
OTHER_FORMATS = (
    (b"PK\x03\x04", "a workbook or an archive (.xlsx, .ods, .zip)", "save the sheet as CSV UTF-8"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", "save the sheet as CSV UTF-8"),
    (b"\x1f\x8b", "compressed with gzip", "unpack it first"),
    (b"%PDF", "a PDF document", "copy its links into a text file, one a line"),
)
SAVE_AS_UTF8 = "save it as UTF-8 (in Excel: CSV UTF-8)"


def display_name(source: str) -> str:
    """What a person calls a source: `stdin` or the path, free of characters that no terminal can print."""
    return "stdin" if source == STDIN else printable(source)


def printable(text: str) -> str:
    """Text with everything unprintable written as an escape, so that it can go to any stream."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def read_text(source: str, *, most_bytes: int = MOST_BYTES) -> str:
    """The text of a file, or of stdin for `-`, without byte order marks; line ends are left as they are.

    Raises UsageError when it cannot be read, is larger than `most_bytes`, or is no text.
    """
    return decode(_bytes_of(source, most_bytes), display_name(source))


def decode(content: bytes, name: str) -> str:
    """Bytes as text by their byte order mark, else as UTF-8. Raises UsageError that names the line and byte."""
    for start, what, hint in OTHER_FORMATS:
        if content.startswith(start):
            raise UsageError(f"{name} is {what}, not a text file", hint=hint)
    encoding = next((encoding for mark, encoding in ENCODINGS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise _not_text(content, encoding, error, name) from None
    if "\0" in text:
        raise _holds_nul(text, name)
    return text.lstrip(BYTE_ORDER_MARK)


def _bytes_of(source: str, most_bytes: int) -> bytes:
    name = display_name(source)
    try:
        if source == STDIN:
            content = open_stdin().read(most_bytes + 1)
        else:
            with Path(source).open("rb") as stream:
                content = stream.read(most_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name, or a closed stream
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"cannot read {name}: {reason}", hint="name a readable file, or - for stdin"
        ) from None
    if len(content) > most_bytes:
        raise UsageError(
            f"{name} is larger than {most_bytes // 1024**2} MiB", hint="split it into several files"
        )
    return content


def open_stdin() -> BinaryIO:
    """The bytes of stdin. Raises ValueError when it is closed."""
    if sys.stdin is None or sys.stdin.closed:
        raise ValueError("it is closed")
    return sys.stdin.buffer


def _not_text(content: bytes, encoding: str, error: UnicodeDecodeError, name: str) -> UsageError:
    if encoding != "utf-8":
        written = encoding.removesuffix("-sig").upper()
        return UsageError(f"{name} begins like {written} but is none: {error.reason}", hint=SAVE_AS_UTF8)
    before = content[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    line = before.count(b"\n") + 1
    byte = content[error.start]
    return UsageError(f"{name}: line {line}: byte 0x{byte:02X} is not UTF-8 text", hint=SAVE_AS_UTF8)


def _holds_nul(text: str, name: str) -> UsageError:
    if text.count("\0") * 3 >= len(text):
        return UsageError(f"{name} looks like UTF-16 without a byte order mark", hint=SAVE_AS_UTF8)
    before = text[: text.index("\0")].replace("\r\n", "\n").replace("\r", "\n")
    line = before.count("\n") + 1
    return UsageError(
        f"{name}: line {line}: holds a NUL character: not a text file", hint="export it again as text"
    )
