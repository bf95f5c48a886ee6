"""The names that people write for a tweet's category."""

from __future__ import annotations

from socap_cli.errors import NotATweet
from socap_cli.files.column_names import fold_column
from socap_cli.model.campaign import TweetCategory

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
