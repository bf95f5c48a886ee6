"""Read a list of tweets from text, a table, TOML or JSON: good lines are kept, bad ones named with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from socap_cli.campaigns.categories import category_of, is_category
from socap_cli.campaigns.columns import COLUMNS, has_content, looks_like_table, with_header, without_header
from socap_cli.campaigns.trees import Line, json_trees, read_json, read_tree, toml_tree
from socap_cli.campaigns.urls import is_tweet, tweet_ids
from socap_cli.errors import NotATweet
from socap_cli.files.pasted import visible
from socap_cli.files.tables import COMMENT, read_table, split_lines
from socap_cli.model.campaign import TweetCategory

LONGEST_SHOWN = 200


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

    TOML by its name, JSON by its beginning, a table by its header or its cells, else text. Comments (#) and blank
    lines are left out. Raises UsageError when TOML or JSON is broken.
    """
    if name.lower().endswith(".toml"):
        return list(read_tree(toml_tree(content, name), content))
    if (trees := json_trees(content, name)) is not None:
        return list(read_json(trees))
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
    """The last or first word when it names a category; a lone word after a link even when it names none."""
    ends = [word for word in (words[-1], words[0]) if len(words) > 1 and is_category(word)]
    if (
        not ends
        and len(words) == 2
        and is_tweet(words[0])
        and words[1][:1].isalpha()
        and not is_tweet(words[1])
    ):
        return words[1]
    return ends[0] if ends else ""
