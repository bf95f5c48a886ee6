"""The tweets that a file of TOML or JSON lists."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from socap_cli.campaigns.categories import is_category
from socap_cli.campaigns.columns import CATEGORY_COLUMNS, ID_COLUMNS, URL_COLUMNS, usable_cell
from socap_cli.errors import UsageError
from socap_cli.files.column_names import fold_column
from socap_cli.files.json_documents import Document, NotJson, documents

LISTS = frozenset({"tweets", "posts", "data", "items", "results", "urls", "links"})
"""Folded names under which JSON holds a list of tweets."""
IS_JSON = re.compile(r'\s*(?:\{\s*"|\[\s*(?:\{\s*"|"(?:https?:|[0-9])|[0-9]{10,}\s*[,\]]))')
"""How JSON begins that lists tweets; a link of Markdown begins with a bracket as well."""


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody wrote on one line: where a tweet is named, and its category if there is one."""

    number: int
    url: str
    category: str = ""
    text: str = ""
    unreadable: str = ""
    """Why the line could not be read at all."""


def read_tree(tree: Mapping[str, Any], content: str) -> Iterator[Line]:
    """The tweets of a TOML file: `[[tweets]]` with url and category, `tweets = [urls]`, or a list per category.

    What stands under `tweets` and is no list is one tweet: `[tweets]` with a url.
    """
    lists = [
        (entries if isinstance(entries, list) else [entries], key if is_category(key) else "")
        for key, entries in tree.items()
        if key == "tweets" or (isinstance(entries, list) and is_category(key))
    ]
    return _lines(lists, content, 1)


def _lines(lists: Sequence[tuple[list[Any], str]], content: str, first: int) -> Iterator[Line]:
    """Each entry, on the line on which its address stands."""
    after = 0
    for entries, usual in lists:
        for entry in entries:
            url, category = _entry(entry, usual)
            after = max(content.find(url, after), after) if url else after
            number = first + content.count("\n", 0, after)
            yield Line(number, url, category, url or str(entry))
            after += len(url)


def _entry(entry: Any, category: str) -> tuple[str, str]:
    """The address and the category in an entry; a text or a number is an address alone."""
    if not isinstance(entry, Mapping):
        return str(entry), category
    names = {fold_column(str(key)): value for key, value in entry.items()}
    values = (names.get(name) for name in (*URL_COLUMNS, *ID_COLUMNS))
    plain = [str(value) for value in values if isinstance(value, (str, int)) and not isinstance(value, bool)]
    given = (names[name] for name in CATEGORY_COLUMNS if names.get(name) is not None)
    return usable_cell(plain), str(next(given, category))


def toml_tree(content: str, name: str) -> dict[str, Any]:
    """A TOML file as it stands. Raises UsageError that names the line, or says that it is nested too deeply."""
    try:
        return tomllib.loads(content)
    except RecursionError:
        raise UsageError(
            f"{name}: nested too deeply", hint="write lists of tables, not lists of lists"
        ) from None
    except ValueError as error:  # TOMLDecodeError, or a number of more digits than Python reads
        raise UsageError(f"{name}: {error}", hint="mend that line") from error


def json_trees(content: str, name: str) -> list[Document] | None:
    """The JSON values in a file; None when the content is no JSON. Raises UsageError that names the line."""
    if not IS_JSON.match(content):
        return None
    try:
        return documents(content)
    except NotJson as reason:
        raise UsageError(f"{name}: {reason}", hint="mend that line, or write one address a line") from None


def read_json(trees: Sequence[Document]) -> Iterator[Line]:
    """The tweets of a list, of the lists in an object, or of an object that is one itself."""
    for tree in trees:
        if tree.unreadable:
            yield Line(tree.line, "", "", tree.text, tree.unreadable)
        else:
            yield from _lines(_lists_in(tree.value), tree.text, tree.line)


def _lists_in(value: Any) -> list[tuple[list[Any], str]]:
    if isinstance(value, Mapping):
        lists = [
            (entries, key if is_category(key) else "")
            for key, entries in value.items()
            if isinstance(entries, list) and (fold_column(key) in LISTS or is_category(key))
        ]
        return lists or ([([value], "")] if value else [])
    return [(value if isinstance(value, list) else [value], "")]
