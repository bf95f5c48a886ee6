"""Who is told of a campaign, over which channel, from which importance on. Knows no channel by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from socap_cli.channels import Channel
from socap_cli.model.alert import Alert
from socap_cli.model.campaign import Campaign, CampaignStatus
from socap_cli.model.digest import Digest
from socap_cli.model.receiver import AT_ONCE, Receiver, address_id, parse_receiver


@dataclass(frozen=True, slots=True)
class Target:
    """One address of one channel."""

    channel: str
    address: str = field(repr=False)
    shown: str
    min_importance: float = 0.0
    digest: Digest = AT_ONCE

    @property
    def address_id(self) -> str:
        """Names it without telling the address."""
        return address_id(self.channel, self.address)

    def wants(self, alert: Alert) -> bool:
        """Whether this importance is enough for it; of VIPs everybody is told."""
        return alert.is_vip or (alert.importance_score or 0.0) >= self.min_importance

    def waits_until(self, alert: Alert, *, now: datetime) -> datetime | None:
        """When its digest comes that tells this; None when that is now. Of VIPs everybody is told at once."""
        until = None if alert.is_vip else self.digest.next_after(alert.planned_at)
        return until if until is not None and until > now else None


@dataclass(frozen=True, slots=True)
class Targets:
    """Everybody who is told, and what is missing: channels that are named and reach nobody.

    An address may stand here twice, to be told of some at once and of the others in a digest.
    """

    found: tuple[Target, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    """By channel, what to do about it."""

    def of(self, channels: Sequence[str]) -> tuple[Target, ...]:
        """Those of these channels."""
        return tuple(target for target in self.found if target.channel in channels)


def nobody(now: datetime) -> Campaign:
    """A campaign of which nothing was said: its receivers are those of the configuration."""
    return Campaign("sample", "Sample", CampaignStatus.ACTIVE, now, None, 0.0, (), 0, 0, now)


def targets_of(
    campaign: Campaign, channels: Mapping[str, Channel], usual: Sequence[Receiver] = ()
) -> Targets:
    """Everybody whom a campaign tells: those whom it names, else every channel's usual ones and `usual`."""
    named, problems = _named(campaign)
    wanted = named or [*map(Receiver, channels), *usual]
    found: dict[Target, None] = {}
    missing = dict(problems)
    for receiver in wanted:
        targets = list(_addressed(receiver, campaign, channels))
        if not targets and named:
            channel = channels.get(receiver.channel)
            missing[receiver.channel] = (
                channel.missing if channel else f"there is no channel {receiver.channel!r}"
            )
        found.update(dict.fromkeys(targets))
    return Targets(tuple(found), missing)


def _named(campaign: Campaign) -> tuple[list[Receiver], dict[str, str]]:
    """The receivers that a campaign names, the least demanding first."""
    named, problems = [], {}
    for text in campaign.channels:
        try:
            named.append(parse_receiver(text))
        except ValueError as error:
            channel = text.partition("=")[0][:30]
            problems[channel] = f"channel {channel!r} {error}"
    return sorted(named, key=lambda receiver: receiver.min_importance), problems


def _addressed(receiver: Receiver, campaign: Campaign, channels: Mapping[str, Channel]) -> Iterator[Target]:
    channel = channels.get(receiver.channel)
    if channel is None or not channel.is_ready:
        return
    addresses = (receiver.address,) if receiver.address else channel.receivers(campaign)
    for address in addresses:
        yield Target(channel.name, address, channel.shown(address), receiver.min_importance, receiver.digest)
