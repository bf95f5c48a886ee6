"""Mail reports: one receiver a mail, the same report to the same receiver under the same Message-ID."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from socap_cli.channels import smtp
from socap_cli.channels.letter import Heading, write_letter
from socap_cli.channels.smtp_address import Server
from socap_cli.config.mail_address import MailAddress, parse_address
from socap_cli.errors import SocapError
from socap_cli.model.campaign import Campaign, CampaignStatus
from socap_cli.report.mail import MailEdition
from socap_cli.store import Db, final_reports


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a report's mails."""

    sent: int = 0
    refused: tuple[str, ...] = ()
    """Receivers that did not get it, each with the reason."""


@dataclass(frozen=True, slots=True)
class PostOffice:
    """Where mails are handed in, and from whom they are."""

    server: Server
    sender: MailAddress
    timeout: float

    def post(self, slug: str, edition: MailEdition, receiver: str, *, mark: str, now: datetime) -> None:
        """Hand one mail in. Raises SocapError."""
        heading = Heading(
            sender=self.sender,
            receiver=parse_address(receiver),
            subject=edition.subject,
            identity=("report", slug, mark),
            now=now,
            thread=f"report {slug}",
            unsubscribe=f"unsubscribe {slug}",
        )
        smtp.submit(self.server, write_letter(heading, edition.body()), timeout=self.timeout)


def send(
    office: PostOffice,
    campaign: Campaign,
    edition: MailEdition,
    receivers: Sequence[str],
    *,
    mark: str,
    now: datetime,
) -> Sent:
    """Mail a report to each receiver; one that is refused costs no other. `mark` says which state it is of."""
    sent, refused = 0, []
    for receiver in receivers:
        try:
            office.post(campaign.slug, edition, receiver, mark=mark, now=now)
            sent += 1
        except SocapError as error:
            refused.append(f"{receiver}: {error.message}")
    return Sent(sent, tuple(refused))


def waiting_finals(
    db: Db, campaigns: Sequence[Campaign], *, now: datetime
) -> list[tuple[Campaign, datetime, str]]:
    """Completed campaigns whose client was not sent the last report, with the end and the client's address."""
    return [
        (one, one.completed_at, one.client_email)
        for one in campaigns
        if one.status is CampaignStatus.COMPLETED and one.completed_at and one.client_email
        if final_reports.is_free(db, one.slug, one.completed_at, one.client_email, now=now)
    ]


def send_final(
    db: Db,
    office: PostOffice,
    campaigns: Sequence[Campaign],
    compose: Callable[[Campaign], MailEdition],
    *,
    now: datetime,
) -> Sent:
    """Mail each completed campaign's final report to its client, once. Repeating it sends nothing again.

    A run that is killed between sending and noting it sends once more later, under the same Message-ID.
    """
    sent, refused = 0, []
    for campaign, ended, receiver in waiting_finals(db, campaigns, now=now):
        token = final_reports.claim(db, campaign.slug, ended, receiver, now=now)
        if token is None:
            continue
        try:
            edition = compose(campaign)
            office.post(campaign.slug, edition, receiver, mark=f"final {ended:%Y%m%dT%H%M%S}", now=now)
        except SocapError as error:
            final_reports.release(db, campaign.slug, ended, receiver, token)
            refused.append(f"{campaign.slug}: {receiver}: {error.message}")
            continue
        final_reports.note_sent(db, campaign.slug, ended, receiver, token, now=now)
        sent += 1
    return Sent(sent, tuple(refused))
