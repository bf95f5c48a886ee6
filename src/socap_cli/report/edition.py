"""The mail edition: tables, inline styles, one chart by Content-ID, under 90 KB of HTML."""

from __future__ import annotations

import hashlib
import io
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from socap_cli.report.charts import png_chart
from socap_cli.report.gather import CampaignReport
from socap_cli.report.render import template

CHART = "growth"


def compose(report: CampaignReport, *, sender: str, receiver: str, now: datetime) -> EmailMessage:
    """A campaign's report as mail: plain text first, HTML last, the chart beside it."""
    mail = EmailMessage()
    address = parseaddr(sender)[1]
    domain = address.rpartition("@")[2] or "localhost"
    as_of = f"{report.as_of:%Y-%m-%d %H:%M} UTC" if report.as_of else "no data yet"
    mail["From"], mail["To"], mail["Date"] = sender, receiver, format_datetime(now)
    mail["Subject"] = f"{' '.join(report.campaign.name.split())}: engagement as of {as_of}"
    mark = hashlib.sha256(f"{report.campaign.slug}|{as_of}|{receiver}".encode()).hexdigest()[:32]
    mail["Message-ID"] = f"<report-{mark}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["List-Unsubscribe"] = f"<mailto:{address}?subject=unsubscribe%20{report.campaign.slug}>"
    chart = png_chart(report.series.totals, ("retweets", "replies", "quotes"))
    context = {"report": report, "chart": f"cid:{CHART}@{domain}" if chart else ""}
    mail.set_content(template("mail.txt").render(**context))
    mail.add_alternative(template("mail.html").render(**context), subtype="html")
    if chart:
        html = mail.get_payload()[1]  # type: ignore[index]
        html.add_related(io.BytesIO(chart).getvalue(), "image", "png", cid=f"<{CHART}@{domain}>")  # type: ignore[union-attr]
    return mail
