"""A mail as bytes: every header literal, everything in 7 bits.

Headers are written here and nowhere else, for alerts, plain lines and reports. The standard library's message
would parse what it is given, and so decode encoded words (RFC 2047) that a stranger wrote in a name: a line
feed in one of them began a header of its own. Here a text is a text: what is not plain ASCII, or looks like an
encoded word, is encoded as a whole.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from socap_cli.config.mail_address import MailAddress
from socap_cli.model import cleaning

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
