"""A rendered page, read as a person would: its figures and its texts. Campaigns in each state that a page shows."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

from socap_cli.model.campaign import CampaignStatus, TweetCategory
from support.documents import START, Documents, plain_campaign, reasons

VOID = frozenset({"meta", "img", "input", "br", "link", "hr"})


class PageReader(HTMLParser):
    """Collects every figure by its name, the words outside scripts, all ids and all links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.figures: dict[str, str] = {}
        self.words: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self._open: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        if facts.get("id"):
            self.ids.append(str(facts["id"]))
        if tag == "a" and facts.get("href"):
            self.links.append(str(facts["href"]))
        if tag not in VOID:
            self._open.append((tag, facts.get("data-figure")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if any(tag in ("script", "style") for tag, _ in self._open):
            return
        self.words.append(data)
        for _, name in self._open:
            if name:
                self.figures[name] = self.figures.get(name, "") + data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read_page(html: str) -> PageReader:
    reader = PageReader()
    reader.feed(html)
    return reader


SAID = (
    "What does this cost for a team of forty, and can we have it in Europe before the end of the quarter? We would "
    "move two products to it, and our security people have asked for an audit of the last two years.",
    "发布得非常好，我们团队已经等了很久了。请问什么时候支持私有部署？价格会不会因为用户数量的增加而变化？",
    "متى سيكون هذا متاحا في منطقتنا؟ نحن مهتمون جدا بالتجربة مع فريقنا الصغير.",
    "Well said.",
)


def grown(
    hours: int, tweets: int, size: int, *, half: float, every: float = 0.5, seed: int = 7, **facts: Any
) -> Documents:
    """A campaign that was read so often for so many hours; of its engagements half came within `half` hours."""
    rng, one = random.Random(seed), Documents(campaign=plain_campaign(**facts))
    moments = sorted(rng.expovariate(math.log(2) / half) % hours for _ in range(size))
    kinds = rng.choices(["retweet", "reply", "quote"], [6, 3, 1], k=size)
    of_tweet = [min(int(rng.expovariate(6 / tweets)), tweets - 1) for _ in range(size)]
    ids = [
        one.tweet(
            f"{1_996_500_000_000_000_000 + n}", list(TweetCategory)[n % 3], author_username=f"author_{n}",
            text=f"Part {n} of what we made this year. " * 4, posted_at=START + timedelta(hours=n % 9),
        )
        for n in range(tweets)
    ]  # fmt: skip
    for n, tweet in enumerate(ids):
        mine = [(at, kind) for at, kind, which in zip(moments, kinds, of_tweet, strict=True) if which == n]
        for step in range(round(hours / every) + 1):
            there = [kind for at, kind in mine if at <= step * every]
            one.read(
                tweet, step * every * 60, retweets=there.count("retweet"), replies=there.count("reply"),
                quotes=there.count("quote"), likes=5 * len(there) + 3, views=900 * len(there) + 700, bookmarks=0,
            )  # fmt: skip
    for n, (at, kind, which) in enumerate(zip(moments, kinds, of_tweet, strict=True)):
        followers = [(f"partner_{k}", 9.0 - k) for k in range(rng.choice((1, 2, 3)))] if n % 7 == 0 else []
        seen = math.ceil(at / every) * every * 60 + 1 if kind == "retweet" else at * 60
        one.engage(
            ids[which], kind, minutes=seen, followers=rng.randrange(90, 90_000), backfill=at < every / 4,
            name=rng.choice(("Ada Silva", "Bob Okafor", "王小明", "مهندس", "Carla 🚀 Rossi")),
            bio="Founder and engineer.", text=None if kind == "retweet" else rng.choice(SAID),
            categories=[rng.choice(("founders", "vcs", "others"))], important_followers=40 if n % 14 == 0 else 0,
            **reasons(*followers),
        )  # fmt: skip
    return one


def one_tweet() -> Documents:
    """A small campaign with a single tweet and nobody important."""
    one = Documents(campaign=plain_campaign(name="One tweet"))
    one.tweet("11", posted_at=START)
    for hours in range(0, 51, 2):
        one.read(
            "11", hours * 60, retweets=min(hours, 20), replies=1, quotes=0, likes=9, views=400, bookmarks=0
        )
    for n in range(20):
        one.engage("11", minutes=60 * n + 61, **(reasons(("ada", 4)) if n < 5 else {}))
    return one


def no_engagement() -> Documents:
    """Read for a day, and nobody came."""
    one = Documents(campaign=plain_campaign(name="Quiet one"))
    for n in range(3):
        tweet, url = f"{11 + n}", f"https://x.com/maker{n}/status/{11 + n}"
        one.tweet(tweet, list(TweetCategory)[n], author_username=None, url=url)
        for hours in (0, 12, 24):
            one.read(tweet, hours * 60, retweets=0, replies=0, quotes=0, likes=hours, views=100 * hours)
    return one


def not_started() -> Documents:
    """It starts a day after the page is made."""
    one = Documents(campaign=plain_campaign(name="Later", starts_at=START + timedelta(days=1), ends_at=None))
    one.tweet("11", author_username=None, text=None)
    return one


STATES: dict[str, Callable[[], Documents]] = {
    "viral": lambda: grown(54, 24, 1500, half=5, name="Viral launch"),
    "finished": lambda: grown(
        72, 12, 400, half=9, name="Finished", status=CampaignStatus.COMPLETED, ends_at=START + timedelta(days=3),
        completed_at=START + timedelta(days=3),
    ),
    "month": lambda: grown(720, 6, 600, half=200, every=4, name="A month", ends_at=START + timedelta(days=30)),
    "one-tweet": one_tweet,
    "no-engagement": no_engagement,
    "not-started": not_started,
}  # fmt: skip
