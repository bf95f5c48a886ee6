"""E-mail over SMTP: one recipient a delivery, a Message-ID that stays the same when one is sent again."""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from html import escape
from urllib.parse import unquote, urlsplit

from socap_cli.alerts.message import Line, Message, detail
from socap_cli.errors import ChannelDead, ConfigError, DeliveryFailed, DeliveryUnknown, MessageRefused


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in."""

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_server(url: str) -> Server:
    """`smtp://user:password@host:port` (STARTTLS when offered) or `smtps://…` (TLS from the start)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _bad_server() from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise _bad_server()
    tls = parts.scheme == "smtps"
    return Server(
        host=parts.hostname,
        port=port or (465 if tls else 587 if parts.username else 25),
        tls=tls,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def _bad_server() -> ConfigError:
    return ConfigError(
        "SOCAP_ALERT_EMAIL_SMTP is no SMTP URL",
        hint="it looks like smtp://user:password@host:587 or smtps://host",
    )


def check_address(address: str) -> str:
    """A plain e-mail address. Raises ConfigError."""
    _, bare = parseaddr(address)
    user, at, host = bare.rpartition("@")
    if not at or not user or not host or any(c.isspace() for c in bare) or bare != address.strip():
        raise ConfigError(f"{address!r} is no e-mail address")
    return bare


def send(
    server: Server, sender: str, receiver: str, message: Message, *, now: datetime, timeout: float
) -> None:
    """Hand one mail in. Raises ChannelError; an answer lost after the data went is DeliveryUnknown."""
    hand_in(server, sender, receiver, compose(sender, receiver, message, now=now), timeout=timeout)


def notify(server: Server, sender: str, receiver: str, text: str, *, now: datetime, timeout: float) -> None:
    """Mail a plain line to the operator. Raises ChannelError."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Date"] = sender, receiver, format_datetime(now)
    mail["Subject"] = _header(text)
    mail["Message-ID"] = (
        f"<{_mark(text, receiver, f'{now:%Y%m%d}')}@{parseaddr(sender)[1].rpartition('@')[2] or 'localhost'}>"
    )
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text + "\n")
    hand_in(server, sender, receiver, mail, timeout=timeout)


def hand_in(server: Server, sender: str, receiver: str, mail: EmailMessage, *, timeout: float) -> None:
    written = False
    try:
        with _connected(server, timeout) as smtp:
            code, said = smtp.mail(parseaddr(sender)[1])
            _judge(code, said)
            code, said = smtp.rcpt(receiver)
            _judge(code, said)
            written = True
            code, said = smtp.data(mail.as_bytes(policy=mail.policy.clone(linesep="\r\n")))
            _judge(code, said)
    except smtplib.SMTPAuthenticationError as error:
        raise ChannelDead(
            f"the mail server refused the login: {error.smtp_code}", hint="check SOCAP_ALERT_EMAIL_SMTP"
        ) from None
    except smtplib.SMTPResponseException as error:
        _judge(error.smtp_code, error.smtp_error)
    except ssl.SSLError as error:
        raise DeliveryFailed(f"the mail server's TLS does not work: {error.reason}") from error
    except (OSError, smtplib.SMTPException) as error:
        said_why = str(error) or type(error).__name__
        if written:
            raise DeliveryUnknown(
                f"the mail server did not answer, it may have arrived: {said_why}"
            ) from error
        raise DeliveryFailed(f"the mail server cannot be reached: {said_why}") from error


class _connected:  # noqa: N801  (reads as a phrase: with _connected(...) as smtp)
    """An SMTP session that is quit without asking whether quitting worked: by then the mail is decided."""

    def __init__(self, server: Server, timeout: float) -> None:
        make = smtplib.SMTP_SSL if server.tls else smtplib.SMTP
        self._smtp = make(server.host, server.port, timeout=timeout)
        if not server.tls:
            self._smtp.ehlo_or_helo_if_needed()
            if self._smtp.has_extn("starttls"):
                self._smtp.starttls(context=ssl.create_default_context())
                self._smtp.ehlo()
        self._smtp.ehlo_or_helo_if_needed()
        if server.username:
            self._smtp.login(server.username, server.password or "")

    def __enter__(self) -> smtplib.SMTP:
        return self._smtp

    def __exit__(self, *_: object) -> None:
        try:
            self._smtp.quit()
        except (OSError, smtplib.SMTPException):
            self._smtp.close()


def _judge(code: int, said: bytes | str) -> None:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    text = " ".join(text.split())[:150]
    if 200 <= code < 400:
        return
    if 400 <= code < 500:
        raise DeliveryFailed(f"the mail server asks to try later: {code} {text}")
    raise MessageRefused(f"the mail server refused: {code} {text}")


def compose(sender: str, receiver: str, message: Message, *, now: datetime) -> EmailMessage:
    """Plain text first, HTML last; every header that keeps robots and threads in order."""
    mail = EmailMessage()
    name, address = parseaddr(sender)
    domain = address.rpartition("@")[2] or "localhost"
    user = address.rpartition("@")[0]
    mail["From"] = Address(display_name=name or "socap", username=user, domain=domain)
    mail["To"] = receiver
    mail["Subject"] = _header(message.title)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{_mark(message.message_id, receiver)}@{domain}>"
    mail["References"] = f"<{_mark(message.thread, receiver)}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(_text(message))
    mail.add_alternative(_html(message), subtype="html")
    return mail


def _header(text: str) -> str:
    return " ".join(text.split())[:200]


def _mark(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]


def _text(message: Message) -> str:
    rows = [message.title, ""]
    for line in message.lines:
        rows.append(f"{line.who} (@{line.username}) {line.verb} {line.tweet_label}")
        rows.append(f"  {detail(line)}")
        if line.text:
            rows.extend(f"  > {row}" for row in line.text.splitlines())
        rows.extend([f"  {line.url}", f"  on {line.tweet_url}", ""])
    rows.extend(_footer(message))
    return "\n".join(rows) + "\n"


def _footer(message: Message) -> list[str]:
    rows = [f"Campaign {message.campaign_name}."]
    if message.left_out:
        rows.append(f"And {message.left_out} more; see the report.")
    if message.repeated:
        rows.append("Repeated: it may have arrived before.")
    return rows


def _html(message: Message) -> str:
    cells = "".join(_html_line(line) for line in message.lines)
    footer = " ".join(escape(row) for row in _footer(message))
    return (
        '<html><body style="margin:0;background:#f4f5f7"><table role="presentation" width="100%" cellpadding="0" '
        'cellspacing="0"><tr><td align="center" style="padding:24px 12px"><table role="presentation" width="600" '
        'cellpadding="0" cellspacing="0" style="max-width:600px;background:#fefefe;border:1px solid #dfe2e6;'
        'font-family:Helvetica,Arial,sans-serif;color:#1d2430">'
        '<tr><td style="padding:20px 24px 4px;font-size:18px;font-weight:bold;line-height:1.35">'
        f"{escape(message.title)}"
        f'</td></tr>{cells}<tr><td style="padding:12px 24px 20px;font-size:12px;color:#667080">{footer}</td></tr>'
        "</table></td></tr></table></body></html>"
    )


def _html_line(line: Line) -> str:
    quoted = ""
    if line.text:
        quoted = (
            '<div style="margin-top:6px;padding-left:10px;border-left:3px solid #cfd5dc;color:#3a4452">'
            f"{escape(line.text)}</div>"
        )
    return (
        '<tr><td style="padding:12px 24px;font-size:14px;line-height:1.5;border-bottom:1px solid #eceef1">'
        f'<strong>{escape(line.who)}</strong> (<a href="{escape(line.url)}" style="color:#1b5fc1">'
        f"@{escape(line.username)}</a>) "
        f'{line.verb} <a href="{escape(line.tweet_url)}" style="color:#1b5fc1">{escape(line.tweet_label)}</a>'
        f'<div style="color:#667080;font-size:13px">{escape(detail(line))}</div>{quoted}</td></tr>'
    )
