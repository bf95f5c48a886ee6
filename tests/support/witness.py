"""Reads a tweet's retweets, quotes and replies with somebody else's client of X's API: `witness.py NAME URL TWEET`.

Prints the ids as JSON. Runs in an interpreter that has the client; nothing of socap is imported.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import requests

HOSTS = ("https://api.x.com", "https://api.twitter.com")


def redirect(url: str) -> None:
    """Send what is meant for X to another address."""
    send = requests.Session.request

    def to_simulator(self: Any, method: str, wanted: str, *args: Any, **named: Any) -> Any:
        for host in HOSTS:
            wanted = wanted.replace(host, url)
        return send(self, method, wanted, *args, **named)

    requests.Session.request = to_simulator  # type: ignore[method-assign,assignment]


def by_tweepy(tweet: str) -> dict[str, list[str]]:
    import tweepy

    client = tweepy.Client("token")

    def ids(method: Any, *args: Any, **named: Any) -> list[str]:
        pages = tweepy.Paginator(method, *args, max_results=100, **named)
        return [str(row.id) for page in pages for row in page.data or []]

    return {
        "retweets": ids(client.get_retweeters, tweet),
        "quotes": ids(client.get_quote_tweets, tweet, exclude="retweets"),
        "replies": ids(client.search_recent_tweets, f"in_reply_to_tweet_id:{tweet}"),
    }


def by_twarc(tweet: str) -> dict[str, list[str]]:
    from twarc import Twarc2

    client = Twarc2(bearer_token="token")

    def ids(pages: Any) -> list[str]:
        return [row["id"] for page in pages for row in page.get("data", [])]

    return {
        "retweets": ids(client.retweeted_by(tweet)),
        "quotes": ids(client.quotes(tweet)),
        "replies": ids(client.search_recent(f"in_reply_to_tweet_id:{tweet}")),
    }


def by_xdk(tweet: str) -> dict[str, list[str]]:
    from xdk import Client

    client = Client(bearer_token="token")

    def ids(pages: Any) -> list[str]:
        rows = [row for page in pages for row in page.data or []]
        return [row["id"] if isinstance(row, dict) else row.id for row in rows]

    return {
        "retweets": ids(client.posts.get_reposted_by(tweet, max_results=100)),
        "quotes": ids(client.posts.get_quoted(tweet, max_results=100, exclude=["retweets"])),
        "replies": ids(client.posts.search_recent(query=f"in_reply_to_tweet_id:{tweet}", max_results=100)),
    }


CLIENTS: dict[str, Callable[[str], dict[str, list[str]]]] = {
    "tweepy": by_tweepy, "twarc": by_twarc, "xdk": by_xdk
}  # fmt: skip

if __name__ == "__main__":
    name, url, tweet_id = sys.argv[1:]
    redirect(url)
    sys.stdout.write(json.dumps(CLIENTS[name](tweet_id)))
