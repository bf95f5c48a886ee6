"""One session with a mail server: bounded in what it may say, with a login of any letters."""

from __future__ import annotations

import base64
import smtplib
import socket
from typing import BinaryIO

from socap_cli.channels.smtp_address import Server

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
