"""Campaigns that exist: found, and changed."""

from __future__ import annotations

from socap_cli.errors import SocapError
from socap_cli.model.campaign import Campaign, CampaignTweet, TweetCategory
from socap_cli.store import Db, campaigns


def find(db: Db, slug: str) -> Campaign:
    """The campaign of that slug. Raises SocapError that names what there is instead, or that it cannot be read."""
    campaign = campaigns.find(db, slug)
    if campaign is not None:
        return campaign
    if campaigns.exists(db, slug):
        raise SocapError(
            f"the document of campaign {slug!r} cannot be read: a field is missing or of a wrong type",
            hint=f"mend it in the database, or take it away: socap campaign delete {slug} --yes",
        )
    known = [c.slug for c in campaigns.listed(db)]
    hint = f"there are: {', '.join(known[:8])}" if known else "there is none yet: socap campaign add"
    raise SocapError(f"no campaign {slug!r}", hint=hint)


def left_out(db: Db) -> list[str]:
    """A warning for each document that is no campaign, so that none is left out silently."""
    return [
        f"the document of campaign {slug!r} cannot be read, and it is left out: socap campaign show {slug}"
        for slug in campaigns.unreadable(db)
    ]


def update(db: Db, before: Campaign, after: Campaign) -> Campaign:
    """Write what differs. Raises SocapError when the campaign is gone meanwhile."""
    return campaigns.update(db, before, after) or find(db, before.slug)


def tweet_of(db: Db, slug: str, tweet_id: str) -> CampaignTweet:
    """A tweet of a campaign. Raises SocapError when it is not in it."""
    find(db, slug)
    for tweet in campaigns.tweets_of(db, slug):
        if tweet.tweet_id == tweet_id:
            return tweet
    raise SocapError(f"tweet {tweet_id} is not in campaign {slug!r}", hint=f"socap campaign show {slug}")


def set_category(db: Db, slug: str, tweet_id: str, category: TweetCategory) -> bool:
    """Give a tweet another category; False when it has it already. What was collected counts under the new one."""
    if tweet_of(db, slug, tweet_id).category is category:
        return False
    campaigns.set_category(db, slug, tweet_id, category)
    return True
