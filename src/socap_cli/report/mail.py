"""The mail edition: tables, inline styles, one chart by Content-ID, under 90 KB of HTML, a plain text first."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from datetime import tzinfo
from email.message import EmailMessage
from typing import Any

from socap_cli.channels.letter import text_body
from socap_cli.model.campaign import CampaignStatus
from socap_cli.report.charts import Drawing, png_chart
from socap_cli.report.page import Brand, drawing, template
from socap_cli.report.series import DAY_STEP, step_for
from socap_cli.report.story import step_name
from socap_cli.report.values import CampaignReport

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
        mail = text_body(self.text, self.html)
        if self.chart:
            html: Any = mail.get_payload()[1]  # type: ignore[index]
            html.add_related(
                self.chart, "image", "png", cid=f"<{CHART}>", disposition="inline", filename="growth.png"
            )
        for one in self.attachments:
            mail.add_attachment(one.content, one.kind[0], one.kind[1], filename=one.name)
        return mail


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
