"""Read a list of tweets from text, CSV or TOML: good lines are kept, bad ones named with a reason."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from socap_cli.campaigns.urls import NotATweet, tweet_id
from socap_cli.errors import UsageError
from socap_cli.model import Category

CATEGORY_NAMES = {
    "client": Category.CLIENT, "clients": Category.CLIENT, "own": Category.CLIENT, "main": Category.CLIENT,
    "main_twt": Category.CLIENT,
    "influencer": Category.INFLUENCER, "influencers": Category.INFLUENCER, "influencer_twt": Category.INFLUENCER,
    "investor": Category.INVESTOR, "investors": Category.INVESTOR, "investor_twt": Category.INVESTOR,
}  # fmt: skip
URL_COLUMNS = ("url", "tweet", "tweet_url", "link", "tweet_id", "id")
BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Line:
    """One tweet as somebody wrote it."""

    number: int
    url: str
    category: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tweet to watch."""

    tweet_id: str
    category: Category
    url: str
    line: Line


@dataclass(frozen=True, slots=True)
class Rejected:
    line: int
    text: str
    reason: str


def read(content: str, *, name: str = "-") -> list[Line]:
    """The lines of a file: TOML by its name, CSV by its commas, else a URL a line."""
    content = content.removeprefix(BOM)
    if name.lower().endswith(".toml"):
        return list(_read_toml(content, name))
    first = next(
        (row for row in content.splitlines() if row.strip() and not row.lstrip().startswith("#")), ""
    )
    delimiter = next((mark for mark in (",", ";", "\t") if mark in first), None)
    if delimiter is None and first.strip().lower() not in URL_COLUMNS:
        return list(_read_text(content))
    return list(_read_csv(content, delimiter or ","))


def from_options(options: Iterable[str]) -> list[Line]:
    """`URL[=CATEGORY]`; an equals sign inside a URL's query is not a category."""
    lines = []
    for number, option in enumerate(options, start=1):
        url, mark, category = option.rpartition("=")
        is_category = bool(mark) and "/" not in category and "&" not in category and not _in_query(url)
        lines.append(Line(number, url if is_category else option, category if is_category else "", option))
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
            found = tweet_id(line.url)
            category = CATEGORY_NAMES.get(line.category.strip().lower() or "client")
            if category is None:
                known = ", ".join(category.value for category in Category)
                raise NotATweet(f"no category {line.category!r}; there are {known}")
            if found in wanted:
                raise NotATweet(f"the same tweet as on line {wanted[found].line.number}")
        except NotATweet as reason:
            rejected.append(Rejected(line.number, (line.text or line.url)[:200], str(reason)))
        else:
            wanted[found] = Wanted(found, category, line.url.strip(), line)
    return list(wanted.values()), rejected


def _read_text(content: str) -> Iterator[Line]:
    for number, row in enumerate(content.splitlines(), start=1):
        bare = row.strip()
        if bare and not bare.startswith("#"):
            url, _, category = bare.partition(" ")
            yield Line(number, url, category.strip(), bare)


def _read_csv(content: str, delimiter: str) -> Iterator[Line]:
    reader = csv.reader(content.splitlines(), delimiter=delimiter, skipinitialspace=True)
    url_at, category_at = 0, 1
    is_first = True
    for row in reader:
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if is_first:
            is_first = False
            names = [cell.lower() for cell in cells]
            found = next((names.index(name) for name in URL_COLUMNS if name in names), None)
            if found is not None:
                url_at = found
                category_at = names.index("category") if "category" in names else -1
                continue
        url = cells[url_at] if url_at < len(cells) else ""
        category = cells[category_at] if 0 <= category_at < len(cells) else ""
        yield Line(reader.line_num, url, category, delimiter.join(row))


def _read_toml(content: str, name: str) -> Iterator[Line]:
    """`[[tweets]]` tables with url and category, or `tweets = [urls]`, or a list of URLs per category."""
    try:
        tree = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name}: {error}", hint="mend that line") from error
    number = 0
    for key, entries in tree.items():
        if not isinstance(entries, list):
            raise UsageError(
                f"{name}: {key} is not a list of tweets", hint="use [[tweets]] with url and category"
            )
        for entry in entries:
            number += 1
            fallback = key if key.lower() in CATEGORY_NAMES else ""
            if isinstance(entry, dict):
                yield Line(
                    number, str(entry.get("url", "")), str(entry.get("category", fallback)), str(entry)
                )
            else:
                yield Line(number, str(entry), fallback, str(entry))
