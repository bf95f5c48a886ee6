"""E-mail: one receiver a mail, a Message-ID that stays the same when one is sent again."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage

from socap_cli.channels import smtp
from socap_cli.channels.letter import Heading, text_body, write_letter
from socap_cli.channels.smtp_address import Server, parse_server
from socap_cli.channels.templates import Templates
from socap_cli.config import Alerts
from socap_cli.config.mail_address import check_address, parse_address
from socap_cli.errors import ConfigError
from socap_cli.model.campaign import Campaign
from socap_cli.model.message import Message


def _now() -> datetime:
    return datetime.now(UTC)


class Email:
    """Mail to the team, and to a campaign's client when the campaign names this channel."""

    name = "email"
    interval = 0.0
    most_people = 50
    """About 90 KB of HTML, which Gmail shows whole."""
    missing = "nobody to mail to; set SOCAP_ALERT_EMAIL_SMTP and SOCAP_ALERTS__EMAIL_TO or --client-email"

    def __init__(self, settings: Alerts, *, now: Callable[[], datetime] = _now) -> None:
        url = settings.email_smtp
        self._server = parse_server(url.get_secret_value()) if url else None
        self._settings = settings
        self._sender = parse_address(settings.email_from)
        self._templates = Templates(settings.templates)
        self._now = now

    @property
    def is_ready(self) -> bool:
        """Whether there is a mail server."""
        return self._server is not None

    def receivers(self, campaign: Campaign) -> tuple[str, ...]:
        """The team; the client too, when the campaign names `email`."""
        if self._server is None:
            return ()
        is_named = any(re.match(r"email\b", channel) for channel in campaign.channels)
        client = [campaign.client_email] if is_named and campaign.client_email else []
        return tuple(dict.fromkeys([*self._settings.email_to, *client]))

    def check(self, address: str) -> str:
        """See Channel."""
        try:
            return check_address(address)
        except ValueError as error:
            raise ConfigError(f"{address!r} {error}") from None

    def shown(self, address: str) -> str:
        """An e-mail address is no secret."""
        return address

    def examine(self, address: str) -> str:
        """Connect and log in, send nothing."""
        self.check(address)
        return smtp.examine(self._ready_server(), timeout=self._settings.timeout)

    def send(self, address: str, message: Message) -> None:
        """See Channel."""
        text = self._templates.render("email.txt", message)
        html = self._templates.render("email.html", message)
        subject = self._templates.render("subject.txt", message)
        self._submit(address, subject, (message.message_id,), text_body(text, html), thread=message.thread)

    def notify(self, address: str, text: str) -> None:
        """See Channel. The same line of the same day is the same mail."""
        self._submit(address, text, ("notice", text, f"{self._now():%Y%m%d}"), text_body(f"{text}\n", ""))

    def _ready_server(self) -> Server:
        if self._server is None:
            raise ConfigError("no mail server", hint="set SOCAP_ALERT_EMAIL_SMTP")
        return self._server

    def submit(self, address: str, subject: str, identity: tuple[str, ...], body: EmailMessage) -> None:
        """Hand in a mail with a body of the caller's own, a report. Raises ConfigError, ChannelError."""
        self._submit(address, subject, identity, body, unsubscribe=f"unsubscribe {identity[0]}")

    def _submit(
        self, address: str, subject: str, identity: tuple[str, ...], body: EmailMessage, **more: str
    ) -> None:
        receiver = parse_address(self.check(address))
        heading = Heading(self._sender, receiver, subject, identity, self._now(), **more)
        smtp.submit(self._ready_server(), write_letter(heading, body), timeout=self._settings.timeout)
