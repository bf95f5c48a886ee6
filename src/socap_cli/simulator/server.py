"""The simulator on real HTTP: the provider's paths, a Slack-like webhook, and `/sim/...` to steer it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any, ClassVar

from socap_cli.errors import SocapError
from socap_cli.simulator.clock import Clock
from socap_cli.simulator.faults import Fate, Fault, Faults
from socap_cli.simulator.ledger import Ledger, Sink
from socap_cli.simulator.serving import Manner, Request, Response, Server
from socap_cli.simulator.twitterapi import TwitterApi
from socap_cli.simulator.wire import Answer, Setting, WireFormat
from socap_cli.simulator.world import World
from socap_cli.simulator.x_api import XApi

FORMATS: dict[str, Callable[[Setting], WireFormat]] = {
    "twitterapi": TwitterApi,
    "x": XApi,
}
MANNERS: dict[Fault, Manner] = {"garble": "cut", "drop": "drop", "drip": "drip", "oversized": "endless"}
NESTED = b'{"tweets": ' + b"[" * 200_000


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


@cache
def _bomb() -> bytes:
    """30 MB in 30 kB."""
    return gzip.compress(b'{"tweets": [' + b" " * 30_000_000)


def _json(value: object) -> Response:
    return Response(200, json.dumps(value, separators=(",", ":"), default=str).encode())


def _csv(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
