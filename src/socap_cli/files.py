"""Files: text in any usual encoding, lists of tweets or people in any usual format, and atomic writes."""

from __future__ import annotations

import codecs
import csv
import errno
import io
import json
import os
import re
import secrets
import stat
import sys
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Any, BinaryIO

from socap_cli.errors import SocapError, UsageError
from socap_cli.text import visible

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
DELIMITERS = (",", ";", "\t", "|")
SEPARATOR_LINE = re.compile(r'"?sep=(\t|[^\w\s"])"?', re.IGNORECASE)
"""Excel's way to name the delimiter of the lines that follow."""
LOOKS_LIKE_JSON = re.compile(
    r'\s*(?:\{\s*["}]|\[\s*(?:[\[{\]]|"[^"\n]*"\s*(?:,|\](?!\())|[0-9]{10,}\s*(?:,|\](?!\())))'
)
"""How JSON with a list begins. A Markdown link, [text](address), begins with a bracket as well."""
NEXT_VALUE = re.compile(r"[^\s,]")
BLANK = ' ,;\t|"\n'
"""What a blank line of a table may consist of."""
RULE = re.compile(r"(?:[+|:,;\s]*[-=_*~]){2,}[+|:,;\s]*")
"""A line that only rules the page, as below the header of a Markdown table."""
COMMENT = "#"
SAMPLE = 100
"""Records by which the format of a table is detected: a key is expensive to recognise."""
LARGEST_ENTRY = 1 << 16
"""How far the line of a JSON or TOML entry is looked for."""
DEEPEST_HEADER = 12
"""Records above a header that may be a report's title lines."""

IsKey = Callable[[str], bool]
IsGroup = Callable[[str, Any], bool]
UNCLOSED = "a quote that is never closed"
STDOUT = STDIN
"""`-` names either stream."""
HINTS = {
    **dict.fromkeys((errno.EACCES, errno.EPERM), "let this user write there, or name another place"),
    errno.EROFS: "name a place that can be written to",
    errno.ENOENT: "make its folder first",
    errno.ENOTDIR: "a part of its path is a file",
    errno.EISDIR: "name a file in it",
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room"),
    errno.EPIPE: "its reader went away",
}

csv.field_size_limit(MOST_BYTES)  # a cell may be as long as a file


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
    """Bytes as text: by byte order mark, as UTF-16 when every second byte is mostly NUL, as UTF-8, as Windows-1252.

    Raises UsageError that says what the file is, or names the line and byte.
    """
    for start, what, hint in OTHER_FORMATS:
        if content.startswith(start):
            raise UsageError(f"{name} is {what}, not a text file", hint=hint)
    encoding = next((encoding for mark, encoding in ENCODINGS if content.startswith(mark)), "")
    if not encoding:
        first, second = content[::2].count(0), content[1::2].count(0)
        is_wide = 3 * max(first, second) > len(content) // 2
        encoding = ("utf-16-be" if first > second else "utf-16-le") if is_wide else "utf-8"
    text, at, reason = "", -1, ""
    for candidate in (encoding, "cp1252") if encoding == "utf-8" else (encoding,):
        try:
            text, at = content.decode(candidate), -1
            break
        except UnicodeDecodeError as error:
            at = error.start
            reason = (
                f"byte 0x{content[at]:02X} is not text"
                if encoding == "utf-8"
                else f"not valid {encoding.upper()}"
            )
    if at < 0 and "\0" in text:
        content, at, reason = text.encode(), text.encode().index(0), "holds a NUL character: not a text file"
    if at >= 0:
        line = len(re.split(rb"\r\n|\n|\r", content[:at]))
        raise UsageError(f"{name}: line {line}: {reason}", hint="save it as UTF-8 (in Excel: CSV UTF-8)")
    return text.lstrip(BYTE_ORDER_MARK)


def _bytes_of(source: str, most_bytes: int) -> bytes:
    name = display_name(source)
    try:
        with open_stdin() if source == STDIN else Path(source).open("rb") as stream:
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


def split_lines(text: str) -> list[str]:
    """Lines as editors count them: ended by \\n, \\r\\n or \\r, and by no other separator of Unicode."""
    lines = re.split(r"\r\n|\n|\r", text)
    return lines[:-1] if lines[-1] == "" else lines


@dataclass(frozen=True, slots=True)
class ListRow:
    """One entry of a list. `error` is set when it could not be read at all; then nothing else is."""

    line: int
    """The line on which it begins, as an editor counts."""
    text: str
    """The entry as it stands in the file."""
    cells: tuple[str, ...] = ()
    """The cells of a table's row or of a line of text; a JSON or TOML scalar is one cell."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Values by folded column name (`fold_column`); empty when the file has no header."""
    group: str = ""
    """The key under which JSON or TOML holds the list, as written."""
    position: int = 0
    """Its place in a JSON or TOML list, from 1."""
    error: str = ""


def read_rows(
    content: str, *, name: str, columns: Collection[str], is_key: IsKey, is_group: IsGroup
) -> list[ListRow]:
    """Read a list of tweets or people: TOML (by its file name), JSON, JSON lines, a delimited table, or text.

    `columns` are folded column names that make a row the header. `is_key` says whether a cell is one of the
    listed things (a tweet's URL, a handle with @). `is_group` says whether a JSON or TOML key, with its value,
    holds a list; if none does, a JSON object is an entry itself.
    A bad entry becomes a row with `error`; blank lines and comments (#) are left out.
    Raises UsageError when TOML or JSON as a whole cannot be parsed.

        for row in read_rows(text, name="vips.csv", columns={"username", "weight"}, is_key=is_mention,
                             is_group=lambda key, value: fold_column(key) == "importantpeople"):
            if row.error:
                reject(row.line, row.text, row.error)
            elif row.fields:                      # a table with a header, or an object of JSON or TOML
                add(row.fields.get("username"), row.fields.get("weight"), group=row.group)
            else:                                 # a line of text or a row without header: `ada, 5`
                add(*row.cells)
    """
    if name.lower().endswith(".toml"):
        groups = {key: value for key, value in parse_toml(content, name).items() if is_group(key, value)}
        return tree_rows(groups, content, is_group)
    if LOOKS_LIKE_JSON.match(content):
        return _json_rows(content, name, is_group)
    return _delimited_rows(split_lines(content), columns, is_key)


def parse_toml(content: str, name: str) -> dict[str, Any]:
    """Raises UsageError that names the line, or says that the file is nested too deeply."""
    try:
        return tomllib.loads(content)
    except RecursionError:
        raise UsageError(
            f"{name}: nested too deeply", hint="write lists of tables, not lists of lists"
        ) from None
    except ValueError as error:  # TOMLDecodeError, or a number with more digits than Python reads
        raise UsageError(f"{name}: {error}", hint="correct that line") from error


def _json_rows(content: str, name: str, is_group: IsGroup) -> list[ListRow]:
    """One document, or one value after another (JSON lines). After a broken value the next line is tried."""
    decoder, at, line = json.JSONDecoder(), 0, 1
    rows: list[ListRow] = []
    first_error, has_objects = "", False
    while match := NEXT_VALUE.search(content, at):
        line += content.count("\n", at, match.start())
        at = match.start()
        try:
            value, end = decoder.raw_decode(content, at)
        except json.JSONDecodeError as error:
            reason, place = f"not JSON: {error.msg}", error.lineno
        except RecursionError:
            reason, place = "nested too deeply", line
        except ValueError:
            reason, place = "holds a number of thousands of digits", line
        else:
            has_objects = has_objects or isinstance(value, dict)
            rows += tree_rows(value, content[at:end], is_group, first_line=line)
            line += content.count("\n", at, end)
            at = end
            continue
        first_error = first_error or f"line {place}: {reason}"
        end = content.find("\n", at)
        end = len(content) if end < 0 else end
        rows.append(ListRow(line, content[at:end], error=reason))
        at = end
    if first_error and not has_objects:
        raise UsageError(f"{name}: {first_error}", hint="correct that line, or write one entry per line")
    return rows


def tree_rows(value: Any, text: str, is_group: IsGroup, *, first_line: int = 1) -> list[ListRow]:
    """The entries of a list, of the lists in an object, or an object that is an entry itself."""
    groups: list[tuple[str, Any]] = [("", value)] if value != {} else []
    if isinstance(value, dict):
        groups = [(key, entries) for key, entries in value.items() if is_group(key, entries)] or groups
    rows, at, line = [], 0, first_line
    for group, entries in groups:
        if group and not isinstance(entries, (list, dict, str)):
            if entries is not None:
                rows.append(ListRow(first_line, group, group=group, error=f"{group} is not a list"))
            continue
        for position, entry in enumerate(entries if isinstance(entries, list) else [entries], start=1):
            # Neither parser says where a value stands, so its longest scalar is looked up in the text.
            inner = entry.values() if isinstance(entry, dict) else [entry]
            scalars = sorted((str(v) for v in inner if _is_scalar(v)), key=len, reverse=True)
            places = ((text.find(scalar, at, at + LARGEST_ENTRY), scalar) for scalar in scalars if scalar)
            place, probe = next((found for found in places if found[0] >= 0), (at, ""))
            line += text.count("\n", at, place)
            at = place + len(probe)
            if isinstance(entry, dict):
                fields = {fold_column(str(key)): field_value for key, field_value in entry.items()}
                shown = json.dumps(entry, ensure_ascii=False, default=str)
                rows.append(ListRow(line, shown, fields=fields, group=group, position=position))
            else:
                shown = str(entry)
                error = "not a text or an object" if entry is None or isinstance(entry, (bool, float)) else ""
                cells = () if error else (shown,)
                rows.append(ListRow(line, shown, cells, group=group, position=position, error=error))
    return rows


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def _delimited_rows(lines: Sequence[str], columns: Collection[str], is_key: IsKey) -> list[ListRow]:
    """The rows of a table, or each line of a text when neither a header nor cells show that it is a table."""
    separator = SEPARATOR_LINE.fullmatch(lines[0].strip(" ")) if lines else None
    first = 1 if separator else 0
    if separator:
        delimiter = separator.group(1)
    else:
        delimiter = max(DELIMITERS, key=lambda mark: _likeness(lines, mark, columns, is_key))
    rows = list(_records(lines, first, delimiter, columns, is_key))
    header_at = _header_at(rows, columns, is_key)
    if header_at is None:
        sample = rows[:SAMPLE]
        keyed = sum(len(row.cells) > 1 and any(map(is_key, row.cells)) for row in sample)
        if not 0 < len(sample) <= 2 * keyed:
            return list(_text_rows(lines, first, delimiter))
        return rows
    names = [fold_column(cell) for cell in rows[header_at].cells]
    return [row for row in rows[:header_at] if row.error] + [
        row if row.error else replace(row, fields=_by_name(names, row.cells)) for row in rows[header_at + 1 :]
    ]


def _by_name(names: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """Cells by column; of two columns with one name the first that is filled."""
    fields: dict[str, str] = {}
    for column, cell in zip(names, cells, strict=False):
        if not fields.get(column):
            fields[column] = cell
    return fields


def _text_rows(lines: Sequence[str], first: int, delimiter: str) -> Iterator[ListRow]:
    for number, line in enumerate(lines[first:], start=first + 1):
        if not visible(line).startswith(COMMENT) and not _is_layout(line):
            cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
            yield ListRow(number, line, tuple(cell.strip() for cell in cells))


def _records(
    lines: Sequence[str], first: int, delimiter: str, columns: Collection[str], is_key: IsKey
) -> Iterator[ListRow]:
    """Each record that is not blank or a comment. A quote that is never closed costs its own line only."""
    at, width = first, 0
    while at < len(lines):
        line = lines[at]
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
        after, error = at + 1, ""
        is_comment = line.lstrip().startswith(COMMENT) and _is_comment(cells, columns, is_key)
        if not is_comment and '"' in line:
            # strict refuses text after a closing quote. On the first line this is a quote within the cell's text,
            # on a later line it is the quote of another cell. The last, empty line ends a quote left open.
            rest = chain((lines[n] + "\n" for n in range(at, len(lines))), ["\n"])
            strict = csv.reader(rest, delimiter=delimiter, skipinitialspace=True, strict=True)
            try:
                cells = next(strict)
                after = at + strict.line_num
                error = UNCLOSED if _swallows_row(cells, delimiter, width, is_key) else ""
            except csv.Error:
                error = UNCLOSED if strict.line_num > 1 else ""
        if error:
            yield ListRow(at + 1, line, error=error)
            at += 1
            continue
        width = max(width, len(cells))
        text = "\n".join(lines[at:after])
        if not is_comment and not _is_layout(text):
            yield ListRow(at + 1, text, tuple(cell.strip() for cell in cells))
        at = after


def _swallows_row(cells: Sequence[str], delimiter: str, width: int, is_key: IsKey) -> bool:
    """Whether a cell of several lines holds a whole row, so that its quote was never closed.

    That is a line as wide as the table with a key in it, or a last line that breaks off in the same column.
    """
    for column, cell in enumerate(cells if width > 1 else ()):
        _, *inner = cell.split("\n")
        for line in inner:
            parts = line.split(delimiter)
            breaks_off = line is inner[-1] and len(parts) == column + 1 and not parts[-1].strip(" ")
            if (len(parts) == width or breaks_off) and any(is_key(part.strip(' "')) for part in parts):
                return True
    return False


def _is_layout(text: str) -> bool:
    """Whether a line holds nothing: it is blank, or only rules the page."""
    content = visible(text).strip(BLANK)
    return not content or RULE.fullmatch(content) is not None


def _is_comment(cells: Sequence[str], columns: Collection[str], is_key: IsKey) -> bool:
    """A record that begins with #, unless a later cell shows a row that begins with a hashtag, or a header."""
    first, *others = cells or [""]
    if not first.strip().startswith(COMMENT) or (first.strip() == COMMENT and others):
        return False
    return not any(is_key(cell) or fold_column(cell) in columns for cell in others)


def _likeness(
    lines: Sequence[str], delimiter: str, columns: Collection[str], is_key: IsKey
) -> tuple[int, int, float]:
    """(known names in the header, rows with a key beside other cells, share of rows with the usual width)."""
    rows = [r for r in islice(_records(lines, 0, delimiter, columns, is_key), SAMPLE) if not r.error]
    header_at = _header_at(rows, columns, is_key)
    hits = 0 if header_at is None else _hits(rows[header_at], columns)
    keyed = sum(len(row.cells) > 1 and any(map(is_key, row.cells)) for row in rows)
    widths = Counter(len(row.cells) for row in rows)
    width, usual = widths.most_common(1)[0] if widths else (1, 0)
    return hits, keyed, usual / len(rows) if width > 1 else 0.0


def _header_at(rows: Sequence[ListRow], columns: Collection[str], is_key: IsKey) -> int | None:
    """The row above the first key that names most columns; or, with no known name, one as wide as the keyed row."""
    above = list(takewhile(lambda row: not any(map(is_key, row.cells)), rows[:DEEPEST_HEADER]))
    best = max(range(len(above)), key=lambda position: _hits(above[position], columns), default=None)
    if best is None or _hits(above[best], columns):
        return best
    last = len(above) - 1
    keyed = next((row for row in rows[last + 1 : last + 2] if any(map(is_key, row.cells))), None)
    return last if keyed and len(above[last].cells) == len(keyed.cells) > 1 else None


def _hits(row: ListRow, columns: Collection[str]) -> int:
    return sum(fold_column(cell) in columns for cell in row.cells)


def fold_column(name: str) -> str:
    """A column's name without what people write differently: case, blanks, underscores, hyphens, marks, accents."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(character for character in plain if character.isalnum())


@contextmanager
def writing(target: str | Path, *, mode: int | None = None, follow: bool = True) -> Iterator[BinaryIO]:
    """Yield a stream into the file `target`, which is replaced when the block ends without an exception.

    `mode` defaults to that of the file that is there, else to the usual. A link is followed unless `follow` is
    False, then it is replaced itself. A pipe or device is written directly, `-` is stdout.
    Raises SocapError when the file cannot be written; exceptions of the block pass through.
    """
    name = printable(str(target))[:200]
    if str(target) == STDOUT:
        if sys.stdout is None:
            raise SocapError("cannot write to stdout: it is closed", hint="name a file")
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path, part = Path(target), None
    with _errors_of(name):
        try:
            there = path.stat() if follow else path.lstat()
        except FileNotFoundError:
            there = None
        if there is not None and stat.S_ISDIR(there.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        old = there if there is not None and stat.S_ISREG(there.st_mode) else None
        if follow and there is not None and old is None:
            descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY)
        else:
            path = Path(os.path.realpath(path)) if follow else path
            if mode is None and old is not None:
                mode = stat.S_IMODE(old.st_mode)
            start = f".{os.fsencode(path.name)[:100].decode('utf-8', 'ignore')}"
            part = path.with_name(f"{start}.{secrets.token_hex(4)}.part")
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
    stream = io.BufferedWriter(_NamedFile(descriptor, name), 1 << 16)
    try:
        yield stream
        stream.flush()
        if part is not None:
            with _errors_of(name):
                if old is not None:
                    with suppress(OSError):
                        os.fchown(descriptor, old.st_uid, old.st_gid)
                if mode is not None:
                    os.fchmod(descriptor, mode)
                os.fsync(descriptor)
                part.replace(path)
    except BaseException:
        if part is not None:
            part.unlink(missing_ok=True)
        raise
    finally:
        with suppress(SocapError):  # after a failure the rest fails as well
            stream.close()


def write_file(target: str | Path, content: bytes, *, mode: int | None = None, follow: bool = True) -> None:
    """Raises SocapError; then the old file is unchanged."""
    with writing(target, mode=mode, follow=follow) as stream:
        stream.write(content)


def replace_if_changed(path: Path, content: bytes, *, mode: int) -> bool:
    """Write a file in a folder of ours; True when it had these bytes already. A link there is not followed."""
    if holds(path, content):
        return True
    write_file(path, content, mode=mode, follow=False)
    return False


def holds(path: Path, content: bytes) -> bool:
    """Whether a file has these bytes."""
    with suppress(OSError):
        return path.is_file() and path.read_bytes() == content
    return False


class _NamedFile(io.FileIO):
    """Reports write errors with the file's name, which errors of the caller's block must not get."""

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "w")
        self._shown = name

    def write(self, data: Any, /) -> int:
        with _errors_of(self._shown):
            return super().write(data)


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise SocapError(f"cannot write {name}: {reason}", hint=HINTS.get(error.errno or 0)) from error
    except ValueError as error:  # a NUL, or half a character, in the name
        raise SocapError(f"cannot write {name}: invalid file name", hint="use another name") from error
