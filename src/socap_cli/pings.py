"""Dead-man switches: a service that is told when a command starts and how it ends, and calls people when nobody tells.

The form is that of healthchecks.io, which others speak too: POST to the address with `/start` behind it, later with
the exit code behind it (0 is success); `rid` tells runs apart that overlap. A ping that fails never fails the command:
it is logged, and the switch does what it is for.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from socap_cli.channels.common import post, raise_for_status
from socap_cli.errors import SocapError

log = logging.getLogger("socap.pings")

START = "start"
NAME = "the dead-man switch"
ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Ping:
    """The switch of one run of a command."""

    address: str
    run_id: str
    timeout: float
    """Seconds for one attempt."""

    def started(self) -> None:
        self._tell(START)

    def ended(self, exit_code: int) -> None:
        self._tell(str(exit_code))

    def _tell(self, word: str) -> None:
        url = ping_url(self.address, word, self.run_id)
        body = f"socap run {self.run_id}".encode()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                reply = post(url, body, {"Content-Type": "text/plain"}, timeout=self.timeout, name=NAME)
                raise_for_status(reply, NAME)
            except SocapError as error:
                log.log(logging.INFO if attempt < ATTEMPTS else logging.WARNING, "%s", error.message)
            else:
                return


def ping_url(address: str, word: str, run_id: str) -> str:
    """The address with a word behind its path, and the run; what it asks for itself stays."""
    parts = urlsplit(address)
    rid = urlencode({"rid": str(uuid.UUID(run_id))})
    path = f"{parts.path.rstrip('/')}/{word}"
    query = f"{parts.query}&{rid}" if parts.query else rid
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))
