"""Where a table of any tool names tweets and their categories."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from socap_cli.campaigns.categories import is_category
from socap_cli.campaigns.urls import is_tweet, tweet_ids
from socap_cli.errors import NotATweet
from socap_cli.files.tables import Row, Table

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
CATEGORY_COLUMNS = (
    "category",
    "categories",
    "tweetcategory",
    "postcategory",
    "kategorie",
    "categorie",
    "categoria",
)
GROUP_COLUMNS = (
    "type",
    "kind",
    "group",
    "role",
    "segment",
    "label",
    "labels",
    "tag",
    "tags",
    "list",
    "audience",
)
"""Columns that hold categories in some files and anything in others: taken when most of their cells are one."""
OTHER_COLUMNS = (
    "text", "tweettext", "posttext", "content", "message", "author", "authorname", "username", "screenname",
    "handle", "name", "user", "account", "profile", "date", "time", "createdat", "publishedat", "impressions",
    "likes", "retweets", "reposts", "replies", "quotes", "views", "engagements", "language", "lang", "notes",
    "note", "comment", "conversationid",
)  # fmt: skip
"""Columns that show that a line is a header."""
COLUMNS = frozenset(
    (*URL_COLUMNS, *ID_COLUMNS, *CATEGORY_COLUMNS, *GROUP_COLUMNS, *OTHER_COLUMNS)
)  # folded, as `fold_column` does it


def with_header(table: Table) -> Iterator[tuple[Row, tuple[str, str]]]:
    """Each row with the cell that names its tweet and its category."""
    ids, every = table.columns(*ID_COLUMNS), range(len(table.header))
    links = _by_use(table.rows, table.columns(*URL_COLUMNS)) or _used(table.rows, every, _is_link)
    places = [*links, *ids] if links or _used(table.rows, ids, is_tweet) else _by_use(table.rows, every)
    category_at = _category_column(table)
    for row in table.rows:
        if not has_content(row.text):
            continue
        if len(row.cells) > len(table.header) > 1:  # a delimiter unquoted in a text has moved its cells on
            yield row, without_header(row)
        else:
            category = (
                row.cells[category_at] if category_at is not None and category_at < len(row.cells) else ""
            )
            yield row, (_link_in(row, places), category.strip())


def _by_use(rows: Sequence[Row], places: Iterable[int]) -> list[int]:
    """Those columns that name tweets, the one that does so most often first."""
    places = list(places)
    return _used(rows, places, is_tweet) or places


def _used(rows: Sequence[Row], places: Iterable[int], is_one: Callable[[str], bool]) -> list[int]:
    """Those of these columns in which any cell is one."""
    counts = {at: sum(at < len(row.cells) and is_one(row.cells[at]) for row in rows) for at in places}
    return sorted((at for at, count in counts.items() if count), key=lambda at: -counts[at])


def _is_link(cell: str) -> bool:
    """Whether a cell is a tweet's address; a number may be the id of whatever else."""
    return "/" in cell and is_tweet(cell)


def _link_in(row: Row, places: Sequence[int]) -> str:
    return usable_cell([row.cells[at].strip() for at in places if at < len(row.cells)])


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


def _category_column(table: Table) -> int | None:
    for at in table.columns(*CATEGORY_COLUMNS):
        return at
    for at in table.columns(*GROUP_COLUMNS):
        cells = [row.cells[at] for row in table.rows if at < len(row.cells) and row.cells[at].strip()]
        if cells and 2 * sum(is_category(cell) for cell in cells) > len(cells):
            return at
    return None


def looks_like_table(rows: Sequence[Row]) -> bool:
    """Whether at least half of the rows hold a tweet in a cell beside other cells."""
    return 0 < len(rows) <= 2 * sum(len(row.cells) > 1 and row.has_key(is_tweet) for row in rows)


def without_header(row: Row) -> tuple[str, str]:
    """The link and the category in a row of url, category and whatever else, in any order."""
    cells = [cell.strip() for cell in row.cells if cell.strip()]
    keys = [cell for cell in cells if is_tweet(cell)]
    others = [cell for cell in cells if cell not in keys]
    named = [cell for cell in others if is_category(cell)]
    guess = [cell for cell in others[:1] if cell.isalpha()]
    if others and not any(map(_is_link, keys)):
        keys = keys[:1]  # beside other cells the further numbers are those of authors and conversations
    return " ".join(keys) or row.text, (named or guess or [""])[0]


def has_content(text: str) -> bool:
    """Whether a line holds more than the marks that people rule pages with."""
    return any(character.isalnum() for character in text)
