"""Read a list of tweets from text, a table, TOML or JSON: good lines are kept, bad ones named with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from socap_cli.campaigns.urls import is_tweet, tweet_ids
from socap_cli.errors import NotATweet
from socap_cli.files import SAMPLE, ListRow, fold_column, read_rows
from socap_cli.model.campaign import TweetCategory
from socap_cli.text import visible

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
class ListedTweet:
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


URL_COLUMNS = (
    "tweetpermalink", "postpermalink", "permalink", "permalinkurl", "tweetlink", "postlink", "linktotweet",
    "linktothetweet", "linktopost", "linktothepost", "tweeturl", "posturl", "statusurl", "statuslink", "tweeturi",
    "urlofthetweet", "urlofthepost", "twitterurl", "twitterlink", "xurl", "xlink", "messageurl", "messagelink",
    "messagepermalink", "contenturl", "contentlink", "publishedurl", "mentionurl", "originalurl", "sourceurl",
    "viewtweet", "viewpost", "url", "urls", "link", "links", "uri", "href", "address", "tweet", "tweets", "xpost",
    "post", "posts",
)  # fmt: skip
ID_COLUMNS = (
    "tweetid", "postid", "statusid", "messageid", "tweetidstr", "statusidstr", "idstr", "xpostid", "nativeid",
    "externalid", "id",
)  # fmt: skip
CATEGORY_COLUMNS = ("category", "categories", "tweetcategory", "postcategory")
OTHER_COLUMNS = (
    "text", "tweettext", "posttext", "content", "message", "author", "authorname", "username", "screenname",
    "handle", "name", "user", "account", "profile", "date", "time", "createdat", "publishedat", "impressions",
    "likes", "retweets", "reposts", "replies", "quotes", "views", "engagements", "language", "lang", "notes",
    "note", "comment", "conversationid", "type", "kind", "group", "role", "segment", "label", "labels", "tag", "tags",
)  # fmt: skip
"""Columns that show that a line is a header."""
COLUMNS = frozenset(
    (*URL_COLUMNS, *ID_COLUMNS, *CATEGORY_COLUMNS, *OTHER_COLUMNS)
)  # folded, as `fold_column` does it
LISTS = frozenset({"tweets", "posts", "data", "items", "results", "urls", "links"})
"""Folded names under which JSON holds a list of tweets."""
CATEGORY_NAMES = {
    name: category
    for category, names in {
        TweetCategory.MAIN: ("client", "clients", "own", "ours", "main", "maintwt", "brand", "company"),
        TweetCategory.INFLUENCER: ("influencer", "influencers", "influencertwt", "kol", "kols"),
        TweetCategory.INVESTOR: ("investor", "investors", "investortwt"),
    }.items()
    for name in names
}  # fmt: skip
"""Folded names that people write, with the category they mean."""


def read(content: str, *, name: str = "-") -> list[Line]:
    """The lines of a file that should name tweets: TOML (by its name), JSON, a table or text.

    Raises UsageError when TOML or JSON cannot be parsed.
    """
    return lines_of(
        read_rows(content, name=name, columns=COLUMNS, is_key=is_tweet, is_group=is_list_of_tweets)
    )


def is_list_of_tweets(key: str, value: Any) -> bool:
    """Whether a key of JSON or TOML lists tweets. `[tweets]` with a url, or `tweets = "URL"`, is a list of one."""
    if isinstance(value, list):
        return fold_column(key) in LISTS or is_category(key)
    return key == "tweets"


def lines_of(rows: Sequence[ListRow]) -> list[Line]:
    """What each row names as its tweet, and its category."""
    sample = _sample(rows)
    url_columns, category_column = _url_columns(sample), _category_column(sample)
    lines = []
    for row in rows:
        url, category = "", ""
        # A row wider than its header has an unquoted delimiter in a text, which moves its other cells.
        if row.fields and len(row.cells) <= max(len(row.fields), 1):
            url = usable_cell([_scalar(row.fields.get(column)) for column in url_columns])
            category = _scalar(row.fields.get(category_column))
        elif len(row.cells) > 1 and (keys := [cell for cell in row.cells if is_tweet(cell)]):
            url, category = _without_header(row, keys)
        elif not row.error:
            url, category = row.text, _category_beside(visible(row.text).split())
        if not category and is_category(row.group):
            category = row.group
        lines.append(Line(row.line, url, category, row.text, row.error))
    return lines


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
    """Whether what follows `url=` is the value of a query parameter, as in ?s=20 or &s=20."""
    last = re.split("[?&]", url)[-1]
    return last != url and "=" not in last


def identify(lines: Sequence[Line]) -> tuple[list[ListedTweet], list[Rejected]]:
    """Split lines into tweets, each once, and rejects with their reasons."""
    wanted: dict[str, ListedTweet] = {}
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
                wanted[tweet_id] = ListedTweet(tweet_id, category, line.url.strip(), line)
        rejected.extend(Rejected(line.number, _shown(line.text or line.url), reason) for reason in reasons)
    return list(wanted.values()), rejected


def _shown(text: str) -> str:
    """The beginning of a line; bytes that were no text as escapes, so that any stream can take it."""
    text = text[:LONGEST_SHOWN].encode(errors="backslashreplace").decode() + text[LONGEST_SHOWN:]
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


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


def _url_columns(sample: Mapping[str, Sequence[str]]) -> list[str]:
    """The columns that may name a row's tweet, the surest first: addresses by name or by content, then ids."""
    filled = {column: cells for column, cells in sample.items() if cells}
    found = {column: [cell for cell in cells if is_tweet(cell)] for column, cells in filled.items()}
    tweets = {column: len(cells) for column, cells in found.items()}
    # A number may be the id of something else, an address is not.
    links = {column: sum("/" in cell for cell in cells) for column, cells in found.items()}
    by_content = sorted(filter(links.get, links), key=lambda column: -links[column])
    named = sorted((c for c in URL_COLUMNS if c in filled), key=lambda column: -tweets[column])
    ids = [column for column in ID_COLUMNS if column in filled]
    columns = [*(named or by_content), *ids]
    return (
        columns
        if any(tweets[column] for column in columns)
        else columns + sorted(tweets, key=lambda c: -tweets[c])
    )


def _sample(rows: Sequence[ListRow]) -> dict[str, list[str]]:
    """The first filled cells of each column: parsing every cell of a long table takes seconds."""
    cells: dict[str, list[str]] = {}
    for row in rows:
        for column, value in row.fields.items():
            known = cells.setdefault(column, [])
            if len(known) < SAMPLE and (cell := _scalar(value)):
                known.append(cell)
    return cells


def _scalar(value: Any) -> str:
    return str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def usable_cell(cells: Sequence[str]) -> str:
    """The cell that names a row's tweet: the first usable one, else the first that is not blank."""
    usable = (cell for position, cell in enumerate(cells) if _is_usable(cell, alone=position > 0))
    return next(usable, None) or next(filter(None, cells), "")


def _is_usable(cell: str, *, alone: bool) -> bool:
    """Whether a cell names a tweet; `alone` when it may hold nothing else."""
    if alone:
        return is_tweet(cell)
    try:
        return bool(tweet_ids(cell).tweet_ids)
    except NotATweet:
        return False


def _category_column(sample: Mapping[str, Sequence[str]]) -> str:
    """The column called category, or the first in which most filled cells are categories."""
    if named := [column for column in CATEGORY_COLUMNS if column in sample]:
        return named[0]
    for column, cells in sample.items():
        if cells and 2 * sum(map(is_category, cells)) > len(cells):
            return column
    return ""


def _without_header(row: ListRow, keys: list[str]) -> tuple[str, str]:
    """The link and the category in a row of url, category and other cells, in any order; `keys` name tweets."""
    others = [cell for cell in row.cells if cell and cell not in keys]
    named = [cell for cell in others if is_category(cell)]
    guess = [cell for cell in others[:1] if cell.isalpha()]
    if others and not any("/" in key for key in keys):
        keys = keys[:1]  # beside other cells the further numbers are those of authors and conversations
    return " ".join(keys), (named or guess or [""])[0]


def is_category(text: str) -> bool:
    """Whether a text is a category's name, however it is written."""
    return fold_column(text) in CATEGORY_NAMES


def category_of(text: str) -> TweetCategory:
    """The category that a name means; the client's when none is given. Raises NotATweet that lists them."""
    name = fold_column(text)
    if not name and not text.strip():
        return TweetCategory.MAIN
    if name not in CATEGORY_NAMES:
        known = ", ".join(category.short for category in TweetCategory)
        raise NotATweet(f"no category {text.strip()[:60]!r}; there are {known}")
    return CATEGORY_NAMES[name]
