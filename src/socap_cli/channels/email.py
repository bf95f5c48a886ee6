"""E-mail: one recipient a mail, a Message-ID that stays the same when one is sent again. smtplib sends it."""

from __future__ import annotations

import base64
import hashlib
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, quote
from urllib.parse import parse_qsl, unquote, urlsplit

from socap_cli.channels import Now, utc_now
from socap_cli.channels.common import Templates, is_loopback
from socap_cli.errors import (
    ChannelDead,
    ChannelError,
    ConfigError,
    DeliveryFailed,
    DeliveryUnknown,
    MessageRefused,
    MessageTooLarge,
)
from socap_cli.http import check_environment
from socap_cli.model import cleaning
from socap_cli.model.campaign import Campaign
from socap_cli.model.message import Message
from socap_cli.settings import AlertSettings, MailAddress, check_address, parse_address
from socap_cli.text import Mask

SEVEN_BITS = SMTP.clone(cte_type="7bit")
LONGEST_SUBJECT = 200
LONGEST_NAME = 100
LONGEST_TEXT = 1_000_000
LONGEST_SHOWN = 150
PLAIN = re.compile(r"[\x20-\x7e]*")
ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
MAILBOX_FULL = 552
"""Passes by itself: RFC 5321, 4.5.3.1.10 asks to take this answer for 452."""
PASSES = re.compile(r"5\.(?:2\.2|3\.\d+|4\.5|7\.\d+)\b")
"""Refusals that pass by themselves (RFC 3463): mailbox or system full, limit of the day, policy about the sender."""
TOO_LARGE = re.compile(r"5\.(?:2\.3|3\.4)\b")
LARGEST_HTML = 100_000
"""Bytes. Gmail hides what is beyond 102 KB."""
CHECK = "check SOCAP_ALERT_EMAIL_SMTP"


class Email:
    """Mail to the team, and to a campaign's client when the campaign names this channel."""

    name = "email"
    interval = 0.0
    most_people = 50
    missing = "no mail recipient; set SOCAP_ALERT_EMAIL_SMTP and SOCAP_ALERTS__EMAIL_TO or --client-email"

    def __init__(self, settings: AlertSettings, *, now: Now = utc_now) -> None:
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
        return examine(self._ready_server(), timeout=self._settings.timeout)

    def send(self, address: str, message: Message) -> None:
        """See Channel."""
        text = self._templates.render("email.txt", message)
        html = self._templates.render("email.html", message)
        if len(html.encode("utf-8", "replace")) > LARGEST_HTML and len(message.people) > 1:
            raise MessageTooLarge("the mail is larger than Gmail shows")
        subject = self._templates.render("subject.txt", message)
        is_team = address in self._settings.email_to
        unsubscribe = "" if is_team else f"unsubscribe {message.campaign_id}"
        identity, body = (message.message_id,), text_body(text, html)
        self._submit(address, subject, identity, body, thread=message.thread, unsubscribe=unsubscribe)

    def notify(self, address: str, text: str) -> None:
        """See Channel. The same line of the same day is the same mail."""
        self._submit(address, text, ("notice", text, f"{self._now():%Y%m%d}"), text_body(f"{text}\n", ""))

    def _ready_server(self) -> Server:
        if self._server is None:
            raise ConfigError("no mail server", hint="set SOCAP_ALERT_EMAIL_SMTP")
        return self._server

    def _submit(
        self, address: str, subject: str, identity: tuple[str, ...], body: EmailMessage, **headers: str
    ) -> None:
        recipient = parse_address(self.check(address))
        letter = write_letter(body, self._sender, recipient, subject, identity, now=self._now(), **headers)
        submit(self._ready_server(), letter, self._sender, recipient, timeout=self._settings.timeout)


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in."""

    host: str
    port: int
    tls: bool
    """From the start; else STARTTLS."""
    plain: bool = False
    """Whether the address asks for no TLS."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The password, and the words that a login sends for it; a server may repeat them without their padding."""
        if not self.password:
            return ()
        words = (self.password, f"\0{self.username or ''}\0{self.password}")
        return (self.password, *(_base64(word).rstrip("=") for word in words))


def parse_server(url: str) -> Server:
    """`smtp://user:password@host:port` (STARTTLS), with `?tls=no` plain; `smtps://…`: TLS from the start.

    Raises ConfigError without repeating the URL.
    """
    unusable = ConfigError(
        "SOCAP_ALERT_EMAIL_SMTP is not an SMTP URL",
        hint="it looks like smtp://user:password@host:587 or smtps://host, with / ? # @ in the password written as "
        "%2F %3F %23 %40; ?tls=no for a plain connection",
    )
    try:
        parts = urlsplit(url)
        port = parts.port
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise unusable from None
    plain = query.pop("tls", "yes")
    is_misread = parts.path not in ("", "/") or parts.fragment or query or plain not in ("yes", "no")
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or is_misread:
        raise unusable
    tls = parts.scheme == "smtps"
    if tls and plain == "no":
        raise ConfigError("SOCAP_ALERT_EMAIL_SMTP asks for smtps:// and for tls=no", hint="choose one")
    return Server(
        host=parts.hostname,
        port=port or (465 if tls else 587 if parts.username else 25),
        tls=tls,
        plain=plain == "no",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def text_body(text: str, html: str = "") -> EmailMessage:
    """A plain text, and the same as HTML beside it."""
    body = EmailMessage(policy=SEVEN_BITS)
    body.set_content(cleaning.text(text, limit=LONGEST_TEXT))
    if html:
        body.add_alternative(cleaning.text(html, limit=LONGEST_TEXT), subtype="html")
    return body


def write_letter(
    body: EmailMessage,
    sender: MailAddress,
    recipient: MailAddress,
    subject: str,
    identity: tuple[str, ...],
    *,
    now: datetime,
    thread: str = "",
    unsubscribe: str = "",
) -> bytes:
    """A mail as bytes: ASCII, unless an address needs SMTPUTF8. The body has no headers but those of MIME.

    The same `identity` gives the same Message-ID. Mails of one `thread` are shown together. `unsubscribe` is the
    subject of a mail to the sender that asks for no more of these. The headers are written here because EmailMessage
    decodes encoded words in a value, so that a stranger's name could become another text or a header line.
    """

    def message_id(*parts: str) -> str:
        digest = hashlib.sha256("|".join((*parts, recipient.address)).encode("utf-8", "replace")).hexdigest()
        return f"<{digest[:32]}@{sender.domain}>"

    headers = {
        "From": mailbox(sender),
        "To": mailbox(recipient),
        "Subject": literal(subject, limit=LONGEST_SUBJECT),
        "Date": format_datetime(now),
        "Message-ID": message_id(*identity),
    }
    if thread:
        headers["In-Reply-To"] = headers["References"] = message_id("thread", thread)
    if unsubscribe:
        words = re.sub(r"[^A-Za-z0-9._-]", "-", unsubscribe)
        headers["List-Unsubscribe"] = f"<mailto:{sender.address}?subject={words}>"
    headers |= {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return lines.encode() + body.as_bytes(policy=SEVEN_BITS)


def literal(text: str, *, limit: int) -> str:
    """A header's value that is shown as exactly this text, in one line."""
    line = cleaning.one_line(text, limit=limit)
    is_plain = PLAIN.fullmatch(line) and "=?" not in line
    return line if is_plain else Header(line, "utf-8").encode(linesep="\r\n")


def mailbox(address: MailAddress) -> str:
    """`Name <name@host>`, or the address alone."""
    if not address.name:
        return address.address
    name = literal(address.name, limit=LONGEST_NAME)
    if not name.startswith("=?") and not ATOMS.fullmatch(name):
        name = f'"{quote(name)}"'
    return f"{name} <{address.address}>"


def submit(
    server: Server, letter: bytes, sender: MailAddress, recipient: MailAddress, *, timeout: float
) -> None:
    """Hand one mail in. `timeout` is for one step, in seconds.

    Raises ChannelError: DeliveryUnknown when the mail may have arrived.
    """
    with _session(server, timeout) as smtp:
        options = ["SMTPUTF8"] if sender.needs_smtputf8 or recipient.needs_smtputf8 else []
        if options and not smtp.has_extn("smtputf8"):
            raise MessageRefused("the mail server takes no international addresses (SMTPUTF8)")
        mask = Mask(server.secrets)
        smtp.ehlo_or_helo_if_needed()
        largest = smtp.esmtp_features.get("size", "")
        if largest.isdigit() and 0 < int(largest) < len(letter):
            raise MessageTooLarge(f"the mail server takes at most {int(largest):,} bytes")
        _expect(smtp.mail(sender.address, options), MessageRefused, mask)
        _expect(smtp.rcpt(recipient.address), ChannelDead, mask)
        try:
            reply = smtp.data(letter)
        except smtplib.SMTPDataError as error:  # instead of "go ahead": nothing of the mail was sent
            code = error.smtp_code if 500 <= error.smtp_code < 600 else 451
            reply = code, _text(error.smtp_error, mask).encode()
        except (OSError, smtplib.SMTPException, ValueError) as error:
            reason = _reason(error, mask)
            raise DeliveryUnknown(
                f"the mail server did not answer, the mail may have arrived: {reason}"
            ) from None
        else:
            if not (200 <= reply[0] < 300 or 400 <= reply[0] < 600):
                answer = _text(reply[1], mask)
                raise DeliveryUnknown(f"ambiguous response of the mail server, it may have arrived: {answer}")
        _expect(reply, MessageRefused, mask)


def examine(server: Server, *, timeout: float) -> str:
    """Connect, start TLS and log in, send nothing; a line that says how it went. Raises ChannelError."""
    with _session(server, timeout) as smtp:
        secured = "TLS" if isinstance(smtp.sock, ssl.SSLSocket) else "a plain connection"
    login = ", logged in" if server.username else ""
    return f"{server.host}:{server.port} answers over {secured}{login}"


@contextmanager
def _session(server: Server, timeout: float) -> Iterator[smtplib.SMTP]:
    """A session that is encrypted where it must be, and logged in. Foreign errors leave as ours."""
    mask, place = Mask(server.secrets), f"{server.host}:{server.port}"
    try:
        check_environment(f"https://{server.host}")
        smtp = _connect(server, timeout)
        try:
            if server.username:
                _log_in(smtp, server.username, server.password or "")
            yield smtp
        finally:
            with suppress(OSError, smtplib.SMTPException, ValueError):
                smtp.quit()
            smtp.close()
    except ConfigError as error:
        raise DeliveryFailed(error.message, hint=error.hint) from None
    except smtplib.SMTPAuthenticationError as error:
        reason = (
            f"the mail server refused the login: {error.smtp_code} {_text(error.smtp_error, mask)}".rstrip()
        )
        if 500 <= error.smtp_code < 600:
            raise ChannelDead(reason, hint=f"{CHECK}, then: socap alerts retry") from None
        raise DeliveryFailed(reason) from None
    except ssl.SSLCertVerificationError as error:
        raise DeliveryFailed(
            f"the mail server's certificate is not trusted: {error.verify_message}", hint=CHECK
        ) from None
    except (OSError, smtplib.SMTPException, ValueError) as error:
        reason = _reason(error, mask)
        raise DeliveryFailed(f"{place}: the mail server cannot be used: {reason}", hint=CHECK) from None


def _connect(server: Server, timeout: float) -> smtplib.SMTP:
    own_name = socket.gethostname()  # smtplib would ask the network for it
    if not own_name.isascii() or "." not in own_name or " " in own_name:
        own_name = "[127.0.0.1]"
    if server.tls:
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(server.host, server.port, own_name, timeout=timeout, context=context)
    smtp = smtplib.SMTP(server.host, server.port, own_name, timeout=timeout)
    try:
        smtp.ehlo_or_helo_if_needed()
        if not server.plain and smtp.has_extn("starttls"):
            smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo_or_helo_if_needed()
        elif not server.plain and not is_loopback(server.host):
            raise DeliveryFailed(
                "the mail server offers no STARTTLS, and nothing is sent over a plain connection",
                hint=f"{CHECK}: smtps://…, or ?tls=no if a plain connection is intended",
            )
    except BaseException:
        smtp.close()
        raise
    return smtp


def _log_in(smtp: smtplib.SMTP, username: str, password: str) -> None:
    """Raises SMTPAuthenticationError. What is not ASCII is sent here: smtplib cannot (cpython issue 73936)."""
    if f"{username}{password}".isascii():
        smtp.login(username, password)
        return
    smtp.ehlo_or_helo_if_needed()
    code, text = smtp.docmd("AUTH", f"PLAIN {_base64(f'{chr(0)}{username}{chr(0)}{password}')}")
    if code not in (235, 503):  # 503: already logged in
        raise smtplib.SMTPAuthenticationError(code, text)


def _reason(error: Exception, mask: Mask) -> str:
    if isinstance(error, TimeoutError):
        return "no complete answer in time"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error, mask)}"
    return _text(str(error) or type(error).__name__, mask)


def _text(text: bytes | str, mask: Mask) -> str:
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return cleaning.one_line(mask(text), limit=LONGEST_SHOWN)


def _expect(reply: tuple[int, bytes | str], refusal: type[ChannelError], mask: Mask) -> None:
    """Nothing for a 2xx, `refusal` for a 5xx that stays; whatever else comes may pass by itself."""
    code, text = reply[0], _text(reply[1], mask)
    if 200 <= code < 300:
        return
    if 500 <= code < 600 and TOO_LARGE.match(text):
        raise MessageTooLarge(f"the mail server refused: {code} {text}")
    if 500 <= code < 600 and code != MAILBOX_FULL and not PASSES.match(text):
        raise refusal(f"the mail server refused: {code} {text}")
    raise DeliveryFailed(f"the mail server refused for now: {code} {text}")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
