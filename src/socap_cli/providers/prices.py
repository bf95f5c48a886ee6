"""What a provider's answers cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

from socap_cli.config import Provider as Settings


@dataclass(frozen=True, slots=True)
class Prices:
    """Credits for a tweet, for an account in a list, and the least that a request costs, empty or failed."""

    tweet: float
    user: float
    minimum: float

    def of(self, items: int, *, are_posts: bool) -> float:
        """What an answer with so many rows costs."""
        return max(self.minimum, items * (self.tweet if are_posts else self.user))

    def as_set(self, settings: Settings) -> Prices:
        """These, but for what the settings say."""
        named = {
            "tweet": settings.price_tweet,
            "user": settings.price_user,
            "minimum": settings.price_minimum,
        }
        return replace(self, **{name: price for name, price in named.items() if price is not None})
