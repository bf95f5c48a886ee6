"""Delimited tables: every dialect read, a bad record costs its own line only."""

from __future__ import annotations

import csv
import io
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from socap_cli.files import DELIMITERS, UNCLOSED, ListRow, fold_column, read_rows, split_lines

KEY = "key:"


def is_key(cell: str) -> bool:
    return cell.startswith(KEY) and cell.removeprefix(KEY).isdigit()


def read(text: str) -> list[ListRow]:
    return read_rows(
        text, name="-", columns={"key", "note"}, is_key=is_key, is_group=lambda key, _: key == "keys"
    )


def rows(text: str) -> list[tuple[int, tuple[str, ...]]]:
    return [(row.line, row.cells) for row in read(text) if not row.error]


def bad_lines(text: str) -> list[tuple[int, str]]:
    return [(row.line, row.error) for row in read(text) if row.error]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_editors_do(end: str) -> None:
    text = end.join(
        ["Key,Note", "", "key:1,one\u2028two\u0085three\x0bfour\x1cfive", '"key:2","a', 'b"', "key:3,c", ""]
    )
    assert rows(text) == [
        (3, ("key:1", "one\u2028two\u0085three\x0bfour\x1cfive")),
        (4, ("key:2", "a\nb")),
        (6, ("key:3", "c")),
    ]


@pytest.mark.parametrize("mark", ["sep=;", "SEP=;", '"sep=;"', "sep=; "])
def test_a_separator_line_names_the_delimiter_and_counts_as_a_line(mark: str) -> None:
    assert rows(f"{mark}\nkey;note\nkey:1;a,b\n") == [(3, ("key:1", "a,b"))]


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("key;note\nkey:1;a,b,c\nkey:2;d,e\n", ";"),
        ("key,note\nkey:1,a;b;c\nkey:2,d;e\n", ","),
        ("key:1;client;hello, world\nkey:2;client;x\n", ";"),
        ("key:1,client,a;b|c\nkey:2,client,x\n", ","),
        ("key\tnote\nkey:1\ta,b;c\n", "\t"),
        ("key|note\nkey:1|a,b;c\n", "|"),
        ("Report, made; today\n\nnote;key\na,b,c;key:1\n", ";"),
        ("key\nkey:1\n", ","),
    ],
)
def test_the_delimiter_is_the_one_that_makes_a_table_of_it(text: str, delimiter: str) -> None:
    keyed = [line.split(delimiter) for line in text.splitlines() if KEY in line]
    assert [list(row.cells) for row in read(text)] == [[cell.strip() for cell in cells] for cells in keyed]


@pytest.mark.parametrize(
    "name", ["Tweet URL", "tweet_url", " TweetUrl ", "TWEET-URL", "tweet.url", "\ufeffTweet\u00a0Url"]
)
def test_a_header_is_known_however_it_is_written(name: str) -> None:
    assert fold_column(name) == "tweeturl"


def test_a_line_that_begins_with_a_hash_is_a_comment_unless_it_is_a_whole_row() -> None:
    assert rows("note,key\n# a comment\n#launch,key:1\n") == [(3, ("#launch", "key:1"))]


def test_titles_above_the_header_are_no_rows() -> None:
    (row,) = read("Report for Ada\n\nNote,Key\na,key:1\n")
    assert (row.line, row.fields) == (4, {"note": "a", "key": "key:1"})


def test_a_header_of_unknown_names_is_recognised_above_the_first_row_with_a_key() -> None:
    (row,) = read("Schlüssel;Bemerkung\nkey:1;a\n")
    assert (row.line, row.fields) == (2, {"schlussel": "key:1", "bemerkung": "a"})


def test_of_two_columns_with_one_name_the_first_filled_cell_counts() -> None:
    assert [row.fields for row in read("key,key,note\n,key:1,a\nkey:2,key:3,b\n")] == [
        {"key": "key:1", "note": "a"},
        {"key": "key:2", "note": "b"},
    ]


def test_json_and_toml_give_their_entries_with_line_group_and_position() -> None:
    listed = read('{"keys": [\n {"Key": "key:1"},\n "key:2"], "other": ["key:3"], "n": 1}')
    assert [(row.line, row.group, row.position, row.fields, row.cells) for row in listed] == [
        (2, "keys", 1, {"key": "key:1"}, ()),
        (3, "keys", 2, {}, ("key:2",)),
    ]
    assert [(row.line, row.error[:8]) for row in read('{"key": "key:1"}\n{"key"\n{"key": "key:2"}')] == [
        (1, ""),
        (2, "not JSON"),
        (3, ""),
    ]


@pytest.mark.parametrize(
    ("text", "bad", "good"),
    [
        ('key,note\nkey:1,"oops\nkey:2,ok\nkey:3,ok\n', [2], [3, 4]),
        ('key,note\nkey:1,"oops\nkey:2,"fine"\nkey:3,ok\n', [2], [3, 4]),
        ('key,note\nkey:1,"oops\n"key:2","fine"\n', [2], [3]),
        ('key,note\nkey:1,"oops\nkey:2,"oops too\nkey:3,ok\n', [2, 3], [4]),
        ('key,note\nkey:1,"\nkey:2,"\nkey:3,ok\n', [2, 3], [4]),
        ('key,note\nkey:1,ok\nkey:2,"oops', [3], [2]),
        ('key;note\nkey:1;"oops\nkey:2;said "hi" there\nkey:3;"a;b"\n', [2], [3, 4]),
        ('key,note\nkey:1,"he said "hi" to me",\nkey:2,ok\n', [], [2, 3]),
        ('key,note\nkey:1,5" screen\nkey:2,ok\n', [], [2, 3]),
        ('key,note\nkey:1,"two\nlines, and ""more"""\nkey:2,ok\n', [], [2, 4]),
    ],
)
def test_a_quote_that_is_never_closed_costs_its_line_only(text: str, bad: list[int], good: list[int]) -> None:
    assert bad_lines(text) == [(line, UNCLOSED) for line in bad]
    assert [line for line, _ in rows(text)] == good


def test_a_cell_of_any_length_is_read() -> None:
    long = "x" * 200_000
    assert rows(f'key,note\nkey:1,{long}\nkey:2,"{long}"\n') == [(2, ("key:1", long)), (3, ("key:2", long))]


cells = st.text(
    st.one_of(
        st.sampled_from('\n",;\t|# '), st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")
    ),
    max_size=12,
)


@given(
    st.lists(st.lists(cells, min_size=1, max_size=3), max_size=8),
    st.sampled_from(DELIMITERS),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_what_a_spreadsheet_writes_is_read_back(
    notes: list[list[str]], delimiter: str, end: str, quoted: bool
) -> None:
    stream = io.StringIO(newline="")
    how: Literal[0, 1] = 1 if quoted or end == "\r" else 0  # minimal or all, as csv numbers them
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=end, quoting=how)
    written = [(f"{KEY}{number}", *row) for number, row in enumerate(notes, start=1)]
    writer.writerows([("Key", "Note"), *written])
    assert bad_lines(stream.getvalue()) == []
    assert [cells for _, cells in rows(stream.getvalue())] == [
        tuple(cell.strip() for cell in row) for row in written
    ]


@given(st.data(), st.integers(2, 12), st.sampled_from(DELIMITERS))
def test_one_quote_left_open_never_costs_another_row(data: st.DataObject, size: int, delimiter: str) -> None:
    note = st.sampled_from(["ok", '"fine"', '""', '"a ""b"" c"', "5'", "", f'"x{delimiter}y"'])
    broken = data.draw(st.integers(1, size))
    lines = [f"key{delimiter}note"]
    for number in range(1, size + 1):
        text = '"oops' if number == broken else data.draw(note)
        lines.append(f"{KEY}{number}{delimiter}{text}")
    text = "\n".join(lines)
    assert bad_lines(text) == [(broken + 1, UNCLOSED)]
    assert [cells[0] for _, cells in rows(text)] == [f"{KEY}{n}" for n in range(1, size + 1) if n != broken]


@given(st.text(st.sampled_from('ab1,;\t|"\n\r# k:ey'), max_size=80))
@example('"\n"\n"')
@example('#|"\r1"')
@example('# a,"b\n1,"\nk')
def test_every_line_is_in_a_row_or_named(text: str) -> None:
    """Apart from blank lines, comments, and what stands above the rows of a table with a header."""
    listed = read(text)
    covered = {n for row in listed for n in range(row.line, row.line + row.text.count("\n") + 1)}
    first_row = next((row.line for row in listed if row.fields), None)
    is_header_alone = first_row is None and "key" in fold_column(text)
    lost = [
        (number, line)
        for number, line in enumerate(split_lines(text), start=1)
        if number not in covered and line.strip(' ,;\t|"') and not line.lstrip().startswith("#")
    ]
    assert all(is_header_alone or number < (first_row or 0) for number, _ in lost), lost


@pytest.mark.parametrize("line", ["?!", "...", ":", "…,!", "🔥"])
def test_a_line_of_marks_is_a_row_and_only_a_rule_is_not(line: str) -> None:
    table = f"key,note\n{KEY}1,a\n{{}}\n{KEY}2,b\n"
    assert [number for number, _ in rows(table.format(line))] == [2, 3, 4]
    for rule in ("---,---", "|:--|--:|", "=====", "+----+----+", ",", '""'):
        assert [number for number, _ in rows(table.format(rule))] == [2, 4]


@pytest.mark.parametrize("head", ["key,note\n", ""])
def test_a_long_table_is_detected_by_its_first_rows(head: str) -> None:
    """Recognising a key may be expensive, so the number of calls does not grow with the table."""

    def calls(size: int) -> int:
        cells: list[str] = []

        def counting(cell: str) -> bool:
            cells.append(cell)
            return is_key(cell)

        text = head + "".join(f"{KEY}{number},note {number}\n" for number in range(size))
        listed = read_rows(
            text, name="-", columns={"key", "note"}, is_key=counting, is_group=lambda *_: False
        )
        assert len(listed) == size
        return len(cells)

    assert calls(3000) == calls(300)


def test_a_quote_in_a_comment_takes_no_row_with_it() -> None:
    assert rows(f'# exported, "v1\n{KEY}1,a\n{KEY}2,"b"\n') == [(2, (f"{KEY}1", "a")), (3, (f"{KEY}2", "b"))]


def test_a_title_of_two_lines_may_follow_a_column_of_numbers() -> None:
    (row,) = read(f'#,"Key\n",Note\n1,{KEY}1,a\n')
    assert row.fields == {"": "1", "key": f"{KEY}1", "note": "a"}
