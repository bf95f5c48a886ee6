"""Read a list of tweets from text, a table, TOML or JSON: good lines are kept, bad ones named with a reason."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from socap_cli.campaigns.urls import is_tweet, tweet_ids
from socap_cli.errors import NotATweet, UsageError
from socap_cli.files import (
    COMMENT,
    Document,
    NotJson,
    Row,
    Table,
    documents,
    fold_column,
    read_table,
    split_lines,
    visible,
)
from socap_cli.model.campaign import TweetCategory

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


LISTS = frozenset({"tweets", "posts", "data", "items", "results", "urls", "links"})
"""Folded names under which JSON holds a list of tweets."""


IS_JSON = re.compile(r'\s*(?:\{\s*"|\[\s*(?:\{\s*"|"(?:https?:|[0-9])|[0-9]{10,}\s*[,\]]))')
"""How JSON begins that lists tweets; a link of Markdown begins with a bracket as well."""


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
