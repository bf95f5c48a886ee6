"""The simulator on real HTTP: the provider's paths, a Slack-like webhook, and `/sim/...` to steer it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qsl, urlsplit

from socap_cli.errors import SocapError
from socap_cli.simulator.faults import Fate, Fault, Faults
from socap_cli.simulator.twitterapi import TwitterApi
from socap_cli.simulator.wire import Answer, Ledger, Setting, Sink, WireFormat
from socap_cli.simulator.world import Clock, World
from socap_cli.simulator.x_api import XApi

FORMATS: dict[str, Callable[[Setting], WireFormat]] = {
    "twitterapi": TwitterApi,
    "x": XApi,
}


Manner = Literal["plain", "cut", "drop", "drip", "endless"]
"""How an answer goes out: whole, with half of its body, not at all, byte by byte, or without end."""


MANNERS: dict[Fault, Manner] = {"garble": "cut", "drop": "drop", "drip": "drip", "oversized": "endless"}


NESTED = b'{"tweets": ' + b"[" * 200_000


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = "plain"
    delay: float = 0.0
    """Seconds before the answer begins."""
    drip_pause: float = 0.2
    """Seconds between two bytes of one that drips."""


def _json(value: object) -> Response:
    return Response(200, json.dumps(value, separators=(",", ":"), default=str).encode())


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
        self.api = FORMATS[self.wire_format](Setting(self.world, self.clock.now, self.fate, self.page))
        self._lock = threading.Lock()
        self._jitter = random.Random(self.seed)
        try:
            self._server = Server((self.host, self.port), self.respond)
        except OSError as error:
            reason = f"cannot listen on port {self.port}: {error.strerror}"
            raise SocapError(reason, hint="name another with --port") from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
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
        """End it."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def respond(self, request: Request) -> Response:
        """Answer any request."""
        if request.path.startswith("/sim/"):
            return self._control(request)
        if request.method != "GET":
            return Response(405, b'{"detail":"Method Not Allowed"}')
        endpoint = self.api.endpoint(request.path)
        with self._lock:
            self.ledger.asked(endpoint)
        key = self.api.key_in(request.headers)
        if self.key is not None and key != self.key:
            return self._sent(self.api.refused_key(), "ok")
        fate = self.fate.draw(endpoint, has_cursor=bool(self.api.cursor_in(request.query)))
        answer = self.api.failure(fate)
        if answer is None:
            answer = self._paid(request)
        return replace(self._sent(answer, fate), delay=self._delay(fate))

    def _paid(self, request: Request) -> Answer:
        """The provider's answer, if the account can pay for it."""
        answer = self.api.answer(request.path, request.query)
        with self._lock:
            left = self.faults.credits
            if left is not None and not self.api.is_free(request.path):
                if left < answer.credits:
                    return self.api.no_credits()
                self.faults.credits = left - answer.credits
        return answer

    def _delay(self, fate: Fault) -> float:
        latency = self.faults.latency * self._jitter.uniform(0.9, 1.1)
        return latency + (self.faults.hang_seconds if fate == "hang" else 0.0)

    def _sent(self, answer: Answer, fate: Fault) -> Response:
        with self._lock:
            self.ledger.answered(answer)
        headers = dict(answer.headers)
        if answer.status == 429 and self.faults.retry_after is not None:
            headers["Retry-After"] = f"{self.faults.retry_after:g}"
        manner = MANNERS.get(fate, "plain")
        pause = self.faults.drip_pause
        if fate == "bomb":
            return Response(200, _bomb(), headers={"Content-Encoding": "gzip"})
        if fate == "nested":
            return Response(200, NESTED)
        if isinstance(answer.body, str):
            return Response(
                answer.status, answer.body.encode(), "text/html", headers, manner, drip_pause=pause
            )
        return replace(
            _json(answer.body), status=answer.status, headers=headers, manner=manner, drip_pause=pause
        )

    def _control(self, request: Request) -> Response:
        """Answer a `/sim/...` request."""
        if request.path == "/sim/slack" and request.method == "POST":
            return self._slack(json.loads(request.body or b"{}"))
        if request.path == "/sim/advance" and request.method == "POST":
            step = timedelta(minutes=float(request.query.get("minutes", 30)))
            return _json({"now": self.clock.advance(step).isoformat()})
        if request.path == "/sim/faults" and request.method == "POST":
            try:
                self.faults.update(json.loads(request.body or b"{}"))
            except ValueError as error:
                return Response(400, str(error).encode(), "text/plain")
            return _json({"ok": True})
        if request.path in self._reads:
            return self._reads[request.path](self)
        return Response(404, f"there is no {request.method} {request.path} here".encode(), "text/plain")

    def _slack(self, message: dict[str, Any]) -> Response:
        with self._lock:
            self.slack.messages.append(message)
        wait = self.slack.retry_after
        headers = {} if wait is None else {"Retry-After": wait}
        return Response(
            self.slack.status, self.slack.body.encode(), "text/plain", headers, delay=self.slack.hang_seconds
        )

    def truth(self) -> dict[str, Any]:
        """What exists now, for JSON: {tweet: {list: source ids}}."""
        truth = self.world.truth(self.clock.now())
        return {
            tweet_id: {kind: sorted(ids) for kind, ids in lists.items()} for tweet_id, lists in truth.items()
        }

    def tweets_csv(self) -> str:
        """A campaign file: every tweet's URL with its category."""
        return _csv(("url", "category"), ((t.url, t.category.short) for t in self.world.tweets.values()))

    _reads: ClassVar[dict[str, Callable[[Simulator], Response]]] = {
        "/sim/state": lambda self: _json(
            {"now": self.clock.now().isoformat(), "ledger": self.ledger.as_dict()}
        ),
        "/sim/truth": lambda self: _json(self.truth()),
        "/sim/messages": lambda self: _json({"slack": self.slack.messages}),
        "/sim/tweets.csv": lambda self: Response(200, self.tweets_csv().encode(), "text/csv"),
        "/sim/following_index.json": lambda self: _json({"following_index": self.world.following_index}),
        "/sim/important_people.json": lambda self: _json({"important_people": self.world.important}),
    }


ENDLESS_BLOCKS = 4_096


BLOCK = b" " * 65_536


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes


class Server(ThreadingHTTPServer):
    """Listens on loopback; each request has a thread."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], respond: Callable[[Request], Response]) -> None:
        self.respond = respond
        super().__init__(address, Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def do_GET(self) -> None:
        """Answer a request."""
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

    def _send(self, response: Response) -> None:
        if response.manner == "drop":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = response.body
        if response.manner == "cut":
            body = body[: max(1, len(body) // 2)]
        length = len(BLOCK) * ENDLESS_BLOCKS if response.manner == "endless" else len(body)
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(length))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if response.manner == "drip":
            self._drip(body, response.drip_pause)
        elif response.manner == "endless":
            for _ in range(ENDLESS_BLOCKS):
                self.wfile.write(BLOCK)
        else:
            self.wfile.write(body)

    def _drip(self, body: bytes, pause: float) -> None:
        for number in range(len(body)):
            self.wfile.write(body[number : number + 1])
            self.wfile.flush()
            time.sleep(pause)


@cache
def _bomb() -> bytes:
    """30 MB in 30 kB."""
    return gzip.compress(b'{"tweets": [' + b" " * 30_000_000)


def _csv(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
