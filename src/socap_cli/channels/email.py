"""E-mail: one receiver a mail, a Message-ID that stays the same when one is sent again."""

from __future__ import annotations

import base64
import hashlib
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import BinaryIO
from urllib.parse import parse_qsl, unquote, urlsplit

from socap_cli.channels.protocol import Templates, is_loopback
from socap_cli.errors import (
    ChannelDead,
    ChannelError,
    ConfigError,
    DeliveryFailed,
    DeliveryUnknown,
    MessageRefused,
)
from socap_cli.http import check_http_environment
from socap_cli.model import cleaning
from socap_cli.model.campaign import Campaign
from socap_cli.model.message import Message
from socap_cli.settings import Alerts, MailAddress, check_address, parse_address
from socap_cli.text import Mask


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
        return examine(self._ready_server(), timeout=self._settings.timeout)

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
        submit(self._ready_server(), write_letter(heading, body), timeout=self._settings.timeout)


SEVEN_BITS = SMTP.clone(cte_type="7bit")


LONGEST_SUBJECT = 200


LONGEST_NAME = 100


BYTES_OF_A_WORD = 45
"""Of UTF-8 in one encoded word, which may have 75 characters."""


PLAIN = re.compile(r"[\x20-\x7e]*")


ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")


LONGEST_TEXT = 1_000_000


@dataclass(frozen=True, slots=True)
class Heading:
    """What the headers of a mail say."""

    sender: MailAddress
    receiver: MailAddress
    subject: str
    identity: tuple[str, ...]
    """What makes this mail this one: the same again gives the same Message-ID."""
    now: datetime
    thread: str = ""
    """Mails of one thread are shown together."""
    unsubscribe: str = ""
    """The subject of a mail to the sender that asks for no more of these."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail for one receiver, ready to be handed to a server."""

    sender: MailAddress
    receiver: MailAddress
    content: bytes
    """ASCII, unless an address needs SMTPUTF8."""

    @property
    def needs_smtputf8(self) -> bool:
        """Whether one of its addresses is international."""
        return self.sender.needs_smtputf8 or self.receiver.needs_smtputf8


LONGEST_SHOWN = 150


GOODBYE = 1.0
"""Seconds that a server has to say goodbye."""


MAILBOX_FULL = 552
"""Answers to a receiver that pass: RFC 5321, 4.5.3.1.10 asks to take this one for 452."""


CHECK = "check SOCAP_ALERT_EMAIL_SMTP"


@dataclass(slots=True)
class _Progress:
    """How far an exchange came, and what of it nobody may see."""

    mask: Mask
    written: bool = False
    """From then on it may have arrived."""
    out_of_time: bool = False


MOST_SAID = 256 * 1024
"""Bytes that a server may say in a session; a mail takes some hundred."""


class Session(smtplib.SMTP):
    """One connection, to a socket of ours."""

    def __init__(self, server: Server, connection: socket.socket, timeout: float) -> None:
        super().__init__(timeout=timeout, local_hostname=_own_name())
        self._host = server.host
        self.sock = connection
        self.file = None
        code, said = self.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)

    def getreply(self) -> tuple[int, bytes]:
        """See smtplib, which would keep a reply without end."""
        if self.file is None and self.sock is not None:
            self.file = _Limited(self.sock.makefile("rb"))
        return super().getreply()

    def authenticate(self, username: str, password: str) -> None:
        """Log in; unlike the library's login also with what is not ASCII."""
        offered = str(self.esmtp_features.get("auth", "")).upper().split()
        if "PLAIN" in offered:
            self._expect_login(self.docmd("AUTH", f"PLAIN {_plain(username, password)}"))
        elif "LOGIN" in offered:
            code, said = self.docmd("AUTH", f"LOGIN {_base64(username)}")
            self._expect_login(self.docmd(_base64(password)) if code == 334 else (code, said))
        else:
            self.login(username, password)

    def _expect_login(self, reply: tuple[int, bytes]) -> None:
        if reply[0] not in (235, 503):  # 503: already logged in
            raise smtplib.SMTPAuthenticationError(*reply)


class _Limited:
    """What a server says, up to so many bytes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = MOST_SAID

    def readline(self, size: int) -> bytes:
        """A line. Raises OSError when it was too much."""
        line = self._stream.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise OSError(f"it says more than {MOST_SAID // 1024} KB")
        return line

    def close(self) -> None:
        """Let go of the stream."""
        self._stream.close()


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in."""

    host: str
    port: int
    tls: bool
    """From the start; else STARTTLS."""
    plain: bool = False
    """Whether the address says in words that no TLS is wanted."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def may_be_plain(self) -> bool:
        """Whether login and mail may go over a line that is not encrypted."""
        return self.plain or is_loopback(self.host)


def write_letter(heading: Heading, body: EmailMessage) -> Letter:
    """A mail of these headers and a body that has none of its own but those of MIME."""
    head = "".join(f"{name}: {value}\r\n" for name, value in _headers(heading))
    content = head.encode() + body.as_bytes(policy=SEVEN_BITS)
    return Letter(heading.sender, heading.receiver, content)


def text_body(text: str, html: str = "") -> EmailMessage:
    """A plain text, and the same as HTML beside it."""
    body = EmailMessage(policy=SEVEN_BITS)
    body.set_content(cleaning.text(text, limit=LONGEST_TEXT))
    if html:
        body.add_alternative(cleaning.text(html, limit=LONGEST_TEXT), subtype="html")
    return body


def message_id(identity: tuple[str, ...], receiver: str, domain: str) -> str:
    """An id that is the same for the same mail to the same receiver."""
    digest = hashlib.sha256("|".join((*identity, receiver)).encode("utf-8", "replace")).hexdigest()
    return f"<{digest[:32]}@{domain}>"


def _headers(heading: Heading) -> Iterator[tuple[str, str]]:
    domain, receiver = heading.sender.domain, heading.receiver.address
    yield "From", mailbox(heading.sender)
    yield "To", mailbox(heading.receiver)
    yield "Subject", literal(heading.subject, limit=LONGEST_SUBJECT)
    yield "Date", format_datetime(heading.now)
    yield "Message-ID", message_id(heading.identity, receiver, domain)
    if heading.thread:
        root = message_id(("thread", heading.thread), receiver, domain)
        yield "In-Reply-To", root
        yield "References", root
    if heading.unsubscribe:
        subject = re.sub(r"[^A-Za-z0-9._-]", "-", heading.unsubscribe)
        yield "List-Unsubscribe", f"<mailto:{heading.sender.address}?subject={subject}>"
    yield "Auto-Submitted", "auto-generated"
    yield "X-Auto-Response-Suppress", "All"


def literal(text: str, *, limit: int) -> str:
    """A header's value that is shown as exactly this text, in one line."""
    line = cleaning.one_line(text, limit=limit)
    if PLAIN.fullmatch(line) and "=?" not in line:
        return line
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(part).decode()}?=" for part in _parts(line))


def _parts(text: str) -> Iterator[bytes]:
    """Whole characters, so many bytes at a time."""
    part = b""
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(part) + len(encoded) > BYTES_OF_A_WORD:
            yield part
            part = b""
        part += encoded
    yield part


def mailbox(address: MailAddress) -> str:
    """`Name <name@host>`, or the address alone."""
    if not address.name:
        return address.address
    name = literal(address.name, limit=LONGEST_NAME)
    if not name.startswith("=?") and not ATOMS.fullmatch(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{address.address}>"


def submit(server: Server, letter: Letter, *, timeout: float) -> None:
    """Hand one mail in, within `timeout` seconds. Raises ChannelError: DeliveryUnknown when it may have arrived."""
    with _translated(server) as progress, _session(server, timeout, progress) as session:
        options = ["SMTPUTF8"] if letter.needs_smtputf8 else []
        if options and not session.has_extn("smtputf8"):
            raise MessageRefused("the mail server takes no international addresses (SMTPUTF8)")
        mask = progress.mask
        _expect(session.mail(letter.sender.address, options), MessageRefused, mask)
        code, said = session.rcpt(letter.receiver.address)
        _expect((451 if code == MAILBOX_FULL else code, said), ChannelDead, mask)
        _expect(session.docmd("DATA"), MessageRefused, mask, wanted=354)
        progress.written = True
        session.send(_dotted(letter.content))
        reply = session.getreply()
        if not 200 <= reply[0] < 600 or 300 <= reply[0] < 400:
            raise DeliveryUnknown(
                f"the mail server's answer is neither yes nor no, it may have arrived: {_text(reply[1], mask)}"
            )
        _expect(reply, MessageRefused, mask)


def examine(server: Server, *, timeout: float) -> str:
    """Connect, speak TLS and log in, send nothing; say in a line what was found. Raises ChannelError."""
    with _translated(server) as progress, _session(server, timeout, progress) as session:
        secured = "TLS" if isinstance(session.sock, ssl.SSLSocket) else "a plain line"
    login = ", logged in" if server.username else ""
    return f"{server.host}:{server.port} answers over {secured}{login}"


def _dotted(content: bytes) -> bytes:
    """The data with its lines' first dots doubled, and its end."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n").split(b"\n")
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"


@contextmanager
def _session(server: Server, timeout: float, progress: _Progress) -> Iterator[Session]:
    """A session that is encrypted where it must be, logged in, and cut off when its time is over."""
    check_http_environment(f"https://{server.host}")
    with _connected(server, timeout, progress) as connection:
        session = Session(server, connection, timeout)
        _greet(session)
        if not server.tls and not server.plain and session.has_extn("starttls"):
            session.starttls(context=ssl.create_default_context())
            _greet(session)
        elif not server.tls and not server.may_be_plain:
            raise DeliveryFailed(
                "the mail server offers no STARTTLS, and nothing is sent over a plain line",
                hint=f"{CHECK}: smtps://…, or ?tls=no if a plain line is wanted",
            )
        if server.username:
            session.authenticate(server.username, server.password or "")
        try:
            yield session
        finally:
            _leave(session)


def _leave(session: Session) -> None:
    """Say goodbye without asking whether that worked: by now the mail is decided."""
    with suppress(OSError, smtplib.SMTPException, ValueError):
        if session.sock:
            session.sock.settimeout(GOODBYE)
        session.quit()
    session.close()


def _greet(session: Session) -> None:
    code, said = session.ehlo()
    if not 200 <= code < 300:
        code, said = session.helo()
    if not 200 <= code < 300:
        raise smtplib.SMTPHeloError(code, said)


@contextmanager
def _connected(server: Server, timeout: float, progress: _Progress) -> Iterator[socket.socket]:
    """A connection that is shut down after so many seconds, however steadily its bytes trickle in."""
    with socket.create_connection((server.host, server.port), timeout) as raw, raw.dup() as twin:

        def cut() -> None:
            progress.out_of_time = True
            with suppress(OSError):
                twin.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(timeout, cut)
        timer.daemon = True
        timer.start()
        try:
            if server.tls:
                context = ssl.create_default_context()
                with context.wrap_socket(raw, server_hostname=server.host) as secure:
                    yield secure
            else:
                yield raw
        finally:
            timer.cancel()


@contextmanager
def _translated(server: Server) -> Iterator[_Progress]:
    """Foreign errors as ours, judged by how far the exchange came."""
    mask = Mask(secrets_of(server))
    progress = _Progress(mask)
    try:
        yield progress
    except ChannelError:
        raise
    except ConfigError as error:
        raise DeliveryFailed(error.message, hint=error.hint) from None
    except smtplib.SMTPAuthenticationError as error:
        raise _refused_login(error, mask) from None
    except ssl.SSLCertVerificationError as error:
        raise DeliveryFailed(
            f"the mail server's certificate is not trusted: {error.verify_message}", hint=CHECK
        ) from None
    except (OSError, smtplib.SMTPException, UnicodeError, ValueError) as error:
        said = _why(error, mask, out_of_time=progress.out_of_time)
        if progress.written:
            raise DeliveryUnknown(f"the mail server did not answer, it may have arrived: {said}") from None
        place = f"{server.host}:{server.port}"
        raise DeliveryFailed(f"{place}: the mail server cannot be used: {said}", hint=CHECK) from None


def _refused_login(error: smtplib.SMTPAuthenticationError, mask: Mask) -> ChannelError:
    said = f"the mail server refused the login: {error.smtp_code} {_text(error.smtp_error, mask)}".rstrip()
    if 500 <= error.smtp_code < 600:
        return ChannelDead(said, hint=f"{CHECK}, then: socap alerts retry")
    return DeliveryFailed(said)


def _why(error: Exception, mask: Mask, *, out_of_time: bool) -> str:
    if out_of_time or isinstance(error, TimeoutError):
        return "no complete answer in time"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error, mask)}"
    return cleaning.one_line(mask(str(error) or type(error).__name__), limit=LONGEST_SHOWN)


def _text(said: bytes | str, mask: Mask) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return cleaning.one_line(mask(text), limit=LONGEST_SHOWN)


def _expect(
    reply: tuple[int, bytes], refusal: type[ChannelError], mask: Mask, *, wanted: int | None = None
) -> None:
    """Nothing for the reply that is wanted, `refusal` for a plain no; whatever else comes may pass."""
    code, said = reply
    text = _text(said, mask)
    if code == wanted or (wanted is None and 200 <= code < 300):
        return
    if 500 <= code < 600:
        raise refusal(f"the mail server refused: {code} {text}")
    raise DeliveryFailed(f"the mail server asks to try later: {code} {text}")


def secrets_of(server: Server) -> tuple[str, ...]:
    """The password, and the words that a login sends for it; a server may repeat them without their padding."""
    if not server.password:
        return ()
    sent = (_base64(server.password), _plain(server.username or "", server.password))
    return (server.password, *(word.rstrip("=") for word in sent))


def _plain(username: str, password: str) -> str:
    return _base64(f"\0{username}\0{password}")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _own_name() -> str:
    """What we call ourselves: a name that may be looked up, else an address literal, without asking the network."""
    name = socket.gethostname()
    return name if name.isascii() and "." in name and " " not in name else "[127.0.0.1]"


def parse_server(url: str) -> Server:
    """`smtp://user:password@host:port` (STARTTLS), with `?tls=no` plain; `smtps://…`: TLS from the start.

    Raises ConfigError without repeating the URL.
    """
    try:
        parts = urlsplit(url)
        port, query = (
            parts.port,
            dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))),
        )
    except ValueError:
        raise _unusable() from None
    plain = query.pop("tls", "yes")
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or query or plain not in ("yes", "no"):
        raise _unusable()
    if parts.scheme == "smtps" and plain == "no":
        raise ConfigError("SOCAP_ALERT_EMAIL_SMTP asks for smtps:// and for tls=no", hint="choose one")
    tls = parts.scheme == "smtps"
    return Server(
        host=parts.hostname,
        port=port or (465 if tls else 587 if parts.username else 25),
        tls=tls,
        plain=plain == "no",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def _unusable() -> ConfigError:
    return ConfigError(
        "SOCAP_ALERT_EMAIL_SMTP is no SMTP URL",
        hint="it looks like smtp://user:password@host:587 or smtps://host; ?tls=no for a plain line",
    )
