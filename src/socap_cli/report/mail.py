"""The mail edition: tables, inline styles, one chart by Content-ID, a few KB of HTML, a plain text first."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

from socap_cli.errors import SocapError
from socap_cli.model.campaign import Campaign, CampaignStatus
from socap_cli.report import words
from socap_cli.report.charts import png_chart
from socap_cli.report.page import bar_chart, template
from socap_cli.report.values import Brand, CampaignReport
from socap_cli.settings import MailAddress, parse_address
from socap_cli.store import Db
from socap_cli.store import campaigns as store_campaigns

if TYPE_CHECKING:
    from socap_cli.channels.email import Server

CHART = "growth"
PEOPLE, TWEETS, LONGEST_NAME = 3, 3, 200


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file beside the mail."""

    name: str
    content: bytes
    kind: tuple[str, str]
    """Its MIME type in two parts."""


@dataclass(frozen=True, slots=True)
class MailEdition:
    """A report as mail, before it has a recipient."""

    subject: str
    text: str
    html: str
    chart: bytes
    attachments: tuple[Attachment, ...] = ()

    def body(self) -> EmailMessage:
        """mixed > alternative > text, related > HTML and chart."""
        from socap_cli.channels.email import text_body  # here, as a page needs neither SMTP nor HTTP

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
    """Recipients that did not get it, each with the reason."""


@dataclass(frozen=True, slots=True)
class Mailer:
    """The mail server, and from whom the mails are."""

    server: Server
    sender: MailAddress
    timeout: float

    def post(self, slug: str, edition: MailEdition, recipient: str, *, mark: str, now: datetime) -> None:
        """Send one mail. Raises SocapError."""
        from socap_cli.channels.email import submit, write_letter

        address = parse_address(recipient)
        attached = "".join(f" {one.kind[1]}" for one in edition.attachments)
        message = write_letter(
            edition.body(),
            self.sender,
            address,
            edition.subject,
            ("report", slug, f"{mark}{attached}"),  # with another attachment it is another mail
            now=now,
            thread=f"report {slug}",
            unsubscribe=f"unsubscribe {slug}",
        )
        submit(self.server, message, self.sender, address, timeout=self.timeout)


def compose(
    report: CampaignReport,
    brand: Brand,
    zone: tzinfo,
    *,
    url: str | None = None,
    attachments: tuple[Attachment, ...] = (),
) -> MailEdition:
    """A campaign's report as mail, with a link to its page at `url`; a completed campaign's is its final one."""
    name, client, title = (
        words.shortened(text or "", LONGEST_NAME)
        for text in (report.campaign.name, report.campaign.client_name, brand.title)
    )
    report = replace(report, campaign=replace(report.campaign, name=name, client_name=client))
    brand = replace(brand, title=title)
    bars = bar_chart(report, zone)
    chart = png_chart(bars) if bars else b""
    is_final = report.campaign.status is CampaignStatus.COMPLETED
    facts = {
        "report": report, "brand": brand, "zone": zone, "chart": f"cid:{CHART}" if chart else "", "is_final": is_final,
        "page": url or "", "gaps": bool(bars and bars.gaps),
        "people": report.people[:PEOPLE], "tweets": [t for t in report.tweets if t.engagements][:TWEETS],
    }  # fmt: skip
    as_of = f"engagement as of {words.moment(report.as_of, zone)}" if report.as_of else "no data yet"
    return MailEdition(
        subject=f"{report.campaign.name}: {'final report' if is_final else as_of}",
        text=template("mail.txt").render(**facts),
        html=template("mail.html").render(**facts),
        chart=chart,
        attachments=attachments,
    )


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
    mailer: Mailer, campaign: Campaign, edition: MailEdition, recipients: Sequence[str], *, now: datetime
) -> Sent:
    """Mail a report to each recipient; one that is refused costs no other."""
    sent, refused = 0, []
    for recipient in recipients:
        try:
            mailer.post(campaign.slug, edition, recipient, mark=edition.subject, now=now)
            sent += 1
        except SocapError as error:
            refused.append(f"{recipient}: {error.message}")
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
    mailer: Mailer,
    campaigns: Sequence[Campaign],
    compose: Callable[[Campaign], MailEdition],
    *,
    now: datetime,
) -> Sent:
    """Mail each completed campaign's final report to its client, once. Repeating it sends nothing again.

    A run that is killed between sending and noting it sends once more later, under the same Message-ID.
    """
    sent, refused = 0, []
    for campaign, ended, recipient in waiting_finals(db, campaigns, now=now):
        token = store_campaigns.claim(db, campaign.slug, ended, recipient, now=now)
        if token is None:
            continue
        try:
            mark = f"final {ended:%Y%m%dT%H%M%S}"
            mailer.post(campaign.slug, compose(campaign), recipient, mark=mark, now=now)
        except SocapError as error:
            store_campaigns.release(db, campaign.slug, ended, recipient, token)
            refused.append(f"{campaign.slug}: {recipient}: {error.message}")
            continue
        store_campaigns.note_sent(db, campaign.slug, ended, recipient, token, now=now)
        sent += 1
    return Sent(sent, tuple(refused))
