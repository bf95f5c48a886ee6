"""Hand a mail to a server: TLS verified, nothing over a plain line unless the address says so, all in a given time."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from socap_cli.channels.letter import Letter
from socap_cli.channels.smtp_address import Server
from socap_cli.channels.smtp_session import Session, secrets_of
from socap_cli.config.environment import check_http_environment
from socap_cli.errors import (
    ChannelDead,
    ChannelError,
    ConfigError,
    DeliveryFailed,
    DeliveryUnknown,
    MessageRefused,
)
from socap_cli.model import cleaning
from socap_cli.network.masking import Mask

LONGEST_SHOWN = 150
GOODBYE = 1.0
"""Seconds that a server has to say goodbye."""
MAILBOX_FULL = 552
"""Answers to a receiver that pass: RFC 5321, 4.5.3.1.10 asks to take this one for 452."""
CHECK = "check SOCAP_ALERT_EMAIL_SMTP"


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


@dataclass(slots=True)
class _Progress:
    """How far an exchange came, and what of it nobody may see."""

    mask: Mask
    written: bool = False
    """From then on it may have arrived."""
    out_of_time: bool = False


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
