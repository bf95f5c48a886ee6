"""The mail edition: tables, inline styles, one chart by Content-ID, under 90 KB of HTML, a plain text first."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

from socap_cli.errors import SocapError
from socap_cli.model.campaign import Campaign, CampaignStatus
from socap_cli.report.analytics import DAY_STEP, step_for
from socap_cli.report.charts import Drawing, png_chart
from socap_cli.report.page import Brand, drawing, step_name, template
from socap_cli.report.values import CampaignReport
from socap_cli.settings import MailAddress, parse_address
from socap_cli.store import Db
from socap_cli.store import campaigns as store_campaigns

if TYPE_CHECKING:
    from socap_cli.channels.email import Server

CHART = "growth"


PEOPLE, TWEETS = 5, 3


LONG = 96
"""Columns from which the chart goes by day."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file beside the mail."""

    name: str
    content: bytes
    kind: tuple[str, str]
    """Its MIME type in two parts."""


@dataclass(frozen=True, slots=True)
class MailEdition:
    """A report as mail, before it has a receiver."""

    subject: str
    text: str
    html: str
    chart: bytes
    attachments: tuple[Attachment, ...] = ()

    def body(self) -> EmailMessage:
        """mixed > alternative > text, related > HTML and chart."""
        from socap_cli.channels.email import (
            text_body,  # SMTP and HTTP: a page that is only drawn needs neither
        )

        mail = text_body(self.text, self.html)
        if self.chart:
            html: Any = mail.get_payload()[1]  # type: ignore[index]
            html.add_related(
                self.chart, "image", "png", cid=f"<{CHART}>", disposition="inline", filename="growth.png"
            )
        for one in self.attachments:
            mail.add_attachment(one.content, one.kind[0], one.kind[1], filename=one.name)
        return mail


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
        from socap_cli.channels.email import submit, write_letter

        recipient = parse_address(receiver)
        letter = write_letter(
            edition.body(),
            self.sender,
            recipient,
            edition.subject,
            ("report", slug, mark),
            now=now,
            thread=f"report {slug}",
            unsubscribe=f"unsubscribe {slug}",
        )
        submit(self.server, letter, self.sender, recipient, timeout=self.timeout)


def compose(
    report: CampaignReport,
    brand: Brand,
    zone: tzinfo,
    *,
    url: str | None = None,
    attachments: tuple[Attachment, ...] = (),
) -> MailEdition:
    """A campaign's report as mail; a completed campaign's is its final one."""
    one = _drawing(report, zone)
    chart = png_chart(one) if one else b""
    is_final = report.campaign.status is CampaignStatus.COMPLETED
    facts = {
        "report": report, "brand": brand, "zone": zone, "chart": f"cid:{CHART}" if chart else "", "is_final": is_final,
        "page": f"{url.rstrip('/')}/{report.campaign.slug}.html" if url else "",
        "step": step_name(one.step) if one else "", "posted": {mark for _, mark in one.posts} if one else set(),
        "people": report.people[:PEOPLE], "tweets": [t for t in report.tweets if t.engagements][:TWEETS],
    }  # fmt: skip
    as_of = template("mail.txt").module.as_of(report, zone)
    return MailEdition(
        subject=f"{report.campaign.name}: {'final report' if is_final else 'engagement as of ' + as_of}",
        text=template("mail.txt").render(**facts),
        html=template("mail.html").render(**facts),
        chart=chart,
        attachments=attachments,
    )


def _drawing(report: CampaignReport, zone: tzinfo) -> Drawing | None:
    growth = report.series.growth
    if len(growth) < 2:
        return None
    span = growth[-1][0] - growth[0][0]
    step = step_for(span)
    return drawing(report, DAY_STEP if span / step > LONG else step, zone)


def as_zip(name: str, content: bytes) -> Attachment:
    """A page in an archive: an HTML attachment is widely blocked, as phishing comes that way."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(f"{name}.html", (1980, 1, 1, 0, 0, 0)), content)
    return Attachment(f"{name}.zip", out.getvalue(), ("application", "zip"))


def as_html(name: str, content: bytes) -> Attachment:
    """A page as it is."""
    return Attachment(f"{name}.html", content, ("text", "html"))


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
        if store_campaigns.is_free(db, one.slug, one.completed_at, one.client_email, now=now)
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
        token = store_campaigns.claim(db, campaign.slug, ended, receiver, now=now)
        if token is None:
            continue
        try:
            edition = compose(campaign)
            office.post(campaign.slug, edition, receiver, mark=f"final {ended:%Y%m%dT%H%M%S}", now=now)
        except SocapError as error:
            store_campaigns.release(db, campaign.slug, ended, receiver, token)
            refused.append(f"{campaign.slug}: {receiver}: {error.message}")
            continue
        store_campaigns.note_sent(db, campaign.slug, ended, receiver, token, now=now)
        sent += 1
    return Sent(sent, tuple(refused))
