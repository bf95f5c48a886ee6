"""Stage one: an alert for every engagement that a campaign is owed.

An engagement is stored, and scored anew, with its mark in the same write; an alert is written, under an id that
repeats, before the mark is taken away. A campaign whose settings or tweets changed since its last planning,
by whomever, has all its engagements marked once more. So nothing falls between, wherever a run is killed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.importance_faults import told_unreadable
from socap_cli.alerts.plan import fingerprint, plan
from socap_cli.alerts.receivers import Target, targets_of
from socap_cli.model.alert import Alert
from socap_cli.model.campaign import Campaign, CampaignTweet
from socap_cli.model.engagement import Engagement
from socap_cli.store import alert_plans, alert_queue, campaigns, engagements, importance
from socap_cli.store.alert_plans import LastPlan

BATCH = 500
SHOWN = 3


@dataclass
class PlanResult:
    """What a planning did."""

    planned: int = 0
    """Alerts that were not there before."""
    unscored: int = 0
    """Engagements that wait for their importance."""
    unreadable: list[str] = field(default_factory=list)
    """Ids of documents that are no engagements."""
    problems: list[str] = field(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        """What an operator should know."""
        found = list(self.problems)
        if self.unscored:
            found.append(f"{self.unscored} engagements wait for their importance; it could not be looked up")
        if self.unreadable:
            named = ", ".join(self.unreadable[:SHOWN])
            found.append(f"{len(self.unreadable)} engagements cannot be read and are left out: {named}")
        return found


@dataclass(frozen=True)
class _Changed:
    """A campaign whose settings or tweets are others than at its last planning."""

    fingerprint: str
    """What was read before anything was considered: what changes meanwhile is seen by the next planning."""
    tweet_ids: tuple[str, ...]
    considered_until: datetime | None


@dataclass(frozen=True)
class _Homes:
    """The campaigns that can be read, and since when each has considered its engagements under other settings."""

    campaigns: Mapping[str, Campaign]
    considered_until: Mapping[str, datetime]


def plan_alerts(context: AlertContext, *, dry_run: bool = False) -> tuple[PlanResult, list[Alert]]:
    """Consider every engagement that carries its mark. Returns what was done, and with `dry_run` what would be."""
    db, now = context.db, context.now()
    result, dry = PlanResult(), list[Alert]()
    by_slug = {campaign.slug: campaign for campaign in campaigns.listed(db)}
    result.problems += [f"campaign {slug}: its document cannot be read" for slug in campaigns.unreadable(db)]
    changed = _reconsider(context, by_slug)
    tweets = sorted({tweet for one in changed.values() for tweet in one.tweet_ids})
    unmarked = tweets if dry_run else ()
    if not dry_run:
        alert_plans.consider_again(db, tweets)
    homes = _Homes(
        by_slug, {slug: one.considered_until for slug, one in changed.items() if one.considered_until}
    )
    after = ""
    while True:
        found, unreadable, after = engagements.needing_plan(db, after=after, limit=BATCH, also_of=unmarked)
        result.unreadable += unreadable
        if not after:
            break
        scored = _scored(context, found, result, dry_run=dry_run)
        alerts, considered = _alerts_of(context, scored, homes, result)
        if dry_run:
            known = alert_queue.known(db, [alert.alert_id for alert in alerts])
            dry += [alert for alert in alerts if alert.alert_id not in known]
            result.planned = len(dry)
            continue
        result.planned += alert_queue.put(db, alerts)
        alert_queue.reopen_risen(db, list(_wanted_by_more(context, by_slug, alerts)))
        engagements.mark_planned(db, considered)
    if not dry_run:
        for slug, one in changed.items():
            alert_plans.write(db, slug, LastPlan(one.fingerprint, now))
    return result, dry


def _reconsider(context: AlertContext, by_slug: Mapping[str, Campaign]) -> dict[str, _Changed]:
    """Campaigns that may be owed more than when they were planned last: their engagements are looked at again."""
    plans = alert_plans.read(context.db)
    changed: dict[str, _Changed] = {}
    for slug, campaign in by_slug.items():
        tweets = campaigns.tweets_of(context.db, slug)
        last, today = plans.get(slug), fingerprint(campaign, tweets)
        if last is None or last.fingerprint != today:
            ids = tuple(tweet.tweet_id for tweet in tweets)
            changed[slug] = _Changed(today, ids, last.considered_until if last else None)
    return changed


def _wanted_by_more(
    context: AlertContext, by_slug: Mapping[str, Campaign], alerts: Sequence[Alert]
) -> Iterator[tuple[Alert, float]]:
    """Alerts that a receiver wants who does not want every one, with the importance from which it does."""
    receivers: dict[str, list[Target]] = {}
    for alert in alerts:
        slug = alert.campaign_id
        if slug not in receivers:
            found = targets_of(by_slug[slug], context.channels, context.usual_receivers).found
            receivers[slug] = [target for target in found if target.min_importance > 0]
        wanted = [target.min_importance for target in receivers[slug] if target.wants(alert)]
        if wanted:
            yield alert, max(wanted)


def _scored(
    context: AlertContext, found: Sequence[Engagement], result: PlanResult, *, dry_run: bool
) -> list[Engagement]:
    """Look up what could not be scored before; what still cannot stays unknown, and is never taken for 0."""
    unknown = [one for one in found if one.importance.score is None]
    if not unknown:
        return list(found)
    try:
        scores = importance.look_up(context.db, context.names, [one.profile for one in unknown])
    except Exception as error:
        result.problems.append(told_unreadable(error))
        return list(found)
    by_id = {one.engagement_id: scores[one.profile.user_id] for one in unknown}
    if not dry_run:
        engagements.rescore(
            context.db, {key: value for key, value in by_id.items() if value.score is not None}
        )
    return [replace(one, importance=by_id.get(one.engagement_id, one.importance)) for one in found]


def _alerts_of(
    context: AlertContext, found: Sequence[Engagement], homes: _Homes, result: PlanResult
) -> tuple[list[Alert], list[Engagement]]:
    """(alerts, engagements that are considered by that). One that cannot be considered keeps its mark."""
    tweets = campaigns.with_tweets(context.db, (one.tweet_id for one in found))
    alerts: list[Alert] = []
    considered: list[Engagement] = []
    for one in found:
        try:
            alerts += _planned(one, tweets.get(one.tweet_id, ()), homes, context.now())
        except Exception:
            result.unreadable.append(one.engagement_id)
            continue
        if one.importance.score is None:
            result.unscored += 1
        else:
            considered.append(one)
    return alerts, considered


def _planned(one: Engagement, tweets: Sequence[CampaignTweet], homes: _Homes, now: datetime) -> list[Alert]:
    found = []
    for tweet in tweets:
        campaign = homes.campaigns.get(tweet.campaign_id)
        if campaign is not None:
            until = homes.considered_until.get(campaign.slug)
            alert = plan(campaign, one, tweet, now=now, considered_until=until)
            found += [alert] if alert else []
    return found
