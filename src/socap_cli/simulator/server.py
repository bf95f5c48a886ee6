"""The simulator on real HTTP, a Slack-like webhook, `/sim/...` to steer it; and a mail server."""

from __future__ import annotations

import csv
import io
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from socap_cli.errors import SocapError
from socap_cli.simulator import faults as faults_table
from socap_cli.simulator.faults import FAULTS, Fate, Faults, Manner
from socap_cli.simulator.twitterapi import TwitterApi
from socap_cli.simulator.wire import WireAnswer, WireFormat
from socap_cli.simulator.world import Clock, World
from socap_cli.simulator.x_api import XApiFormat

FORMATS: dict[str, type[WireFormat]] = {"twitterapi": TwitterApi, "x": XApiFormat}
BLOCK, BLOCKS = b" " * 65_536, 4_096
"""Of an answer without end."""


@dataclass
class Ledger:
    """What was asked and what it cost."""

    keeps_times: bool = False
    """Whether the moment of each request is kept: it grows for as long as the simulator runs."""
    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    times: dict[str, list[float]] = field(default_factory=dict)
    """Per path, the monotonic time of each request."""
    items: int = 0
    credits: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return {
            "requests": dict(self.requests),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "items": self.items,
            "credits": self.credits,
        }


@dataclass
class Sink:
    """A webhook's receiver: keeps what it was sent and answers as set."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    body: str = "ok"
    retry_after: str | None = None
    hang_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ServedResponse:
    """An answer as bytes, and how it is sent."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = "plain"
    delay: float = 0.0
    """Seconds before the answer begins."""
    drip_pause: float = 0.2
    """Seconds between two bytes of one that drips."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request; headers are named in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(eq=False)
class Simulator:
    """Serves one World on loopback until closed. Usable as a context manager. Raises SocapError for a taken port."""

    world: World
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""
    speed: float = 0.0
    """World seconds in a real one."""
    key: str | None = None
    """The only key that is taken; None takes any."""
    page: int = 20
    seed: int = 7
    faults: Faults = field(default_factory=Faults)
    wire_format: str = "twitterapi"
    ledger: Ledger = field(default_factory=Ledger)
    slack: Sink = field(default_factory=Sink)

    def __post_init__(self) -> None:
        self.clock = Clock(self.world.start, speed=self.speed)
        self.fate = Fate(self.faults, self.seed)
        self.api = FORMATS[self.wire_format](self.world, self.clock.now, self.fate, self.page)
        self._lock = threading.Lock()
        try:
            self._server = _Server((self.host, self.port), self.respond)
        except OSError as error:
            reason = f"cannot listen on port {self.port}: {error.strerror}"
            raise SocapError(reason, hint="name another with --port") from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> Simulator:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def serve_forever(self) -> None:
        """Serve in this thread."""
        self._server.serve_forever()

    def close(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def truth(self) -> dict[str, Any]:
        """What exists now, for JSON: {tweet: {list: source ids}}."""
        truth = self.world.truth(self.clock.now())
        return {
            tweet_id: {kind: sorted(ids) for kind, ids in lists.items()} for tweet_id, lists in truth.items()
        }

    def tweets_csv(self) -> str:
        """A campaign file: every tweet's URL with its category."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("url", "category"))
        writer.writerows((tweet.url, tweet.category.short) for tweet in self.world.tweets.values())
        return out.getvalue()

    def importance_json(self) -> str:
        """The important people and the following index, as `importance import` reads them."""
        world = self.world
        return json.dumps({"important_people": world.important, "following_index": world.following_index})

    def respond(self, request: Request) -> ServedResponse:
        """Answer a request to the provider, or to `/sim/...`."""
        if request.path.startswith("/sim/"):
            return self._control(request)
        if request.method != "GET":
            return ServedResponse(405, b'{"detail":"Method Not Allowed"}')
        endpoint = self.api.endpoint(request.path)
        with self._lock:
            self.ledger.requests[endpoint] += 1
            if self.ledger.keeps_times:
                self.ledger.times.setdefault(endpoint, []).append(time.monotonic())
        name, delay = "ok", 0.0
        if self.key is not None and self.api.key_in(request.headers) != self.key:
            answer = self.api.refused_key()
        else:
            name = self.fate.draw(has_cursor=bool(self.api.cursor_in(request.query)))
            delay = self.faults.latency and self.faults.latency * self.fate.jitter()
            delay += self.faults.hang_seconds if name == "hang" else 0.0
            answer = self._faulty(name) or self._paid(request)
        with self._lock:
            self.ledger.statuses[answer.status] += 1
            self.ledger.items += answer.items
            self.ledger.credits += answer.credits
        kind = "text/html" if isinstance(answer.body, str) else "application/json"
        response = ServedResponse(
            answer.status, _encoded(answer.body), kind, answer.headers, FAULTS[name].manner
        )
        return replace(response, delay=delay, drip_pause=self.faults.drip_pause)

    def _faulty(self, name: str) -> WireAnswer | None:
        """The answer that a fault is; None when the provider answers."""
        if name == "bomb":
            return WireAnswer(200, faults_table.bomb(), headers={"Content-Encoding": "gzip"})
        if name == "nested":
            return WireAnswer(200, faults_table.NESTED)
        return self.api.failures[name]() if name in self.api.failures else None

    def _paid(self, request: Request) -> WireAnswer:
        """The provider's answer, if the account can pay for it."""
        answer = self.api.answer(request.path, request.query)
        with self._lock:
            left = self.faults.credits
            if left is not None and not self.api.is_free(request.path):
                if left < answer.credits:
                    return self.api.no_credits()
                self.faults.credits = left - answer.credits
        return answer

    def _control(self, request: Request) -> ServedResponse:
        """Answer a `/sim/...` request."""
        match request.method, request.path.removeprefix("/sim/"):
            case "POST", "slack":
                with self._lock:
                    self.slack.messages.append(json.loads(request.body or b"{}"))
                wait, sink = self.slack.retry_after, self.slack
                headers = {} if wait is None else {"Retry-After": wait}
                return ServedResponse(
                    sink.status, sink.body.encode(), "text/plain", headers, delay=sink.hang_seconds
                )
            case "POST", "advance":
                step = timedelta(minutes=float(request.query.get("minutes", 30)))
                return _json({"now": self.clock.advance(step).isoformat()})
            case "POST", "faults":
                try:
                    self.faults.update(json.loads(request.body or b"{}"))
                except ValueError as error:
                    return ServedResponse(400, str(error).encode(), "text/plain")
                return _json({"ok": True})
            case "GET", "state":
                return _json({"now": self.clock.now().isoformat(), "ledger": self.ledger.as_dict()})
            case "GET", "truth":
                return _json(self.truth())
            case "GET", "messages":
                return _json({"slack": self.slack.messages})
            case "GET", "tweets.csv":
                return ServedResponse(200, self.tweets_csv().encode(), "text/csv")
        return ServedResponse(404, f"there is no {request.method} {request.path} here".encode(), "text/plain")


def _encoded(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    text = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"), default=str)
    return text.encode()


def _json(value: object) -> ServedResponse:
    return ServedResponse(200, _encoded(value))


class _Server(ThreadingHTTPServer):
    """Each request has a thread."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], respond: Callable[[Request], ServedResponse]) -> None:
        self.respond = respond
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that closed the connection is not reported."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        response = self.server.respond(Request(self.command, parts.path, query, headers, body))
        if response.delay:
            time.sleep(response.delay)
        self._send(response)

    do_POST = do_GET  # noqa: N815  (the name is http.server's)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name is http.server's)
        """Nothing is logged."""

    def _send(self, response: ServedResponse) -> None:
        if response.manner == "drop":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = response.body
        if response.manner == "cut":
            body = body[: max(1, len(body) // 2)]
        length = len(BLOCK) * BLOCKS if response.manner == "endless" else len(body)
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(length))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if response.manner == "drip":
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(response.drip_pause)
        elif response.manner == "endless":
            for _ in range(BLOCKS):
                self.wfile.write(BLOCK)
        else:
            self.wfile.write(body)


class Mailbox:
    """A real SMTP server on loopback that keeps what it is sent, until the `with` block ends."""

    def __init__(self) -> None:
        try:
            from aiosmtpd.controller import Controller
        except ImportError as error:
            raise SocapError(
                "the local SMTP server needs aiosmtpd", hint="pip install 'socap[embedded]'"
            ) from error
        self.messages: list[Message] = []
        self.answers: dict[str, str] = {}
        """The SMTP reply that a recipient gets."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.url = f"smtp://127.0.0.1:{port}"
        self._controller: Any = Controller(self, hostname="127.0.0.1", port=port, ready_timeout=10)

    def __enter__(self) -> Mailbox:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_RCPT(self, _1: Any, _2: Any, envelope: Any, address: str, _3: Any) -> str:  # noqa: N802
        if refusal := self.answers.get(address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.messages.append(message_from_bytes(envelope.content))
        return "250 Message accepted for delivery"
