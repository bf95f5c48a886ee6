"""Read a list of tweets from text, a table or TOML: good lines are kept, bad ones named with a reason."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from socap_cli.campaigns.categories import category_of, is_category
from socap_cli.campaigns.columns import (
    COLUMNS,
    ID_COLUMNS,
    URL_COLUMNS,
    has_content,
    looks_like_table,
    with_header,
    without_header,
)
from socap_cli.campaigns.urls import is_tweet, tweet_ids
from socap_cli.errors import NotATweet, UsageError
from socap_cli.files.pasted import visible
from socap_cli.files.tables import COMMENT, fold, read_table, split_lines
from socap_cli.model import TweetCategory

LONGEST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody wrote on one line: where a tweet is named, and its category if there is one."""

    number: int
    url: str
    category: str = ""
    text: str = ""
    unreadable: str = ""
    """Why the line could not be read at all."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tweet to watch."""

    tweet_id: str
    category: TweetCategory
    url: str
    line: Line


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line, or a part of one, that names no tweet, and what to change."""

    line: int
    text: str
    reason: str


def read(content: str, *, name: str = "-") -> list[Line]:
    """The lines of a file that should name tweets.

    TOML by its name, a table by its header or its cells, else text. Comments (#) and blank lines are left out.
    Raises UsageError when TOML is broken.
    """
    if name.lower().endswith(".toml"):
        return list(read_tree(toml_tree(content, name), content))
    table = read_table(content, names=COLUMNS, is_key=is_tweet)
    if table.header:
        lines = [Line(row.line, *cells, row.text) for row, cells in with_header(table)]
    elif looks_like_table(table.rows):
        lines = [Line(row.line, *without_header(row), row.text) for row in table.rows]
    else:
        return list(_read_text(content))
    lines.extend(Line(entry.line, "", "", entry.text, entry.reason) for entry in table.unreadable)
    return sorted(lines, key=lambda line: line.number)


def from_options(options: Iterable[str]) -> list[Line]:
    """`URL[=CATEGORY]`; an equals sign inside a URL's query is not a category."""
    lines = []
    for number, option in enumerate(options, start=1):
        url, mark, category = option.rpartition("=")
        if not mark or set(category) & set('/&>"') or _in_query(url):
            url, category = option, ""
        lines.append(Line(number, url, category, option))
    return lines


def _in_query(url: str) -> bool:
    """Whether what follows `url=` would be the value of a query parameter, as in ?s=20."""
    last = url.rpartition("?")[2] if "?" in url else ""
    return "?" in url and "=" not in last.rpartition("&")[2]


def sort_out(lines: Sequence[Line]) -> tuple[list[Wanted], list[Rejected]]:
    """Split lines into tweets, each once, and rejects with their reasons."""
    wanted: dict[str, Wanted] = {}
    rejected = []
    for line in lines:
        try:
            if line.unreadable:
                raise NotATweet(line.unreadable)
            found = tweet_ids(line.url)
            category = category_of(line.category)
        except NotATweet as reason:
            rejected.append(Rejected(line.number, _shown(line.text or line.url), str(reason)))
            continue
        reasons = list(found.reasons)
        for tweet_id in found.tweet_ids:
            if tweet_id in wanted:
                reasons.append(f"the same tweet as on line {wanted[tweet_id].line.number}")
            else:
                wanted[tweet_id] = Wanted(tweet_id, category, line.url.strip(), line)
        rejected.extend(Rejected(line.number, _shown(line.text or line.url), reason) for reason in reasons)
    return list(wanted.values()), rejected


def _shown(text: str) -> str:
    """The beginning of a line; bytes that were no text as escapes, so that any stream can take it."""
    text = text[:LONGEST_SHOWN].encode(errors="backslashreplace").decode() + text[LONGEST_SHOWN:]
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def _read_text(content: str) -> Iterator[Line]:
    """A link a line, with words around it; a category before or after it."""
    for number, row in enumerate(split_lines(content), start=1):
        bare = visible(row)
        if bare.startswith(COMMENT) or not has_content(bare):
            continue
        yield Line(number, bare, _category_beside(bare.split()), bare)


def _category_beside(words: Sequence[str]) -> str:
    """The last or first word when it names a category; the word after a link even when it names none."""
    ends = [word for word in (words[-1], words[0]) if len(words) > 1 and is_category(word)]
    if not ends and len(words) == 2 and is_tweet(words[0]):
        return words[1]
    return ends[0] if ends else ""


def read_tree(tree: Mapping[str, Any], content: str) -> Iterator[Line]:
    """The tweets of a TOML file: `[[tweets]]` with url and category, `tweets = [urls]`, or a list per category."""
    after = 0
    for key, entries in tree.items():
        if not isinstance(entries, list) or not (key == "tweets" or is_category(key)):
            continue
        for entry in entries:
            url, category = _toml_entry(entry, key if is_category(key) else "")
            after = max(content.find(url, after), after) if url else after
            yield Line(content.count("\n", 0, after) + 1, url, category, url or str(entry))
            after += len(url)


def _toml_entry(entry: Any, category: str) -> tuple[str, str]:
    if not isinstance(entry, dict):
        return str(entry), category
    names = {fold(key): value for key, value in entry.items()}
    url = next((names[name] for name in (*URL_COLUMNS, *ID_COLUMNS) if name in names), "")
    return str(url), str(names.get("category", category))


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
