"""Dead-man switches: told when a command starts and how it ends, and never in its way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.terminal import Cli

from socap_cli.cli.app import execute
from socap_cli.pings import ping_url
from socap_cli.settings import PingSettings

RUN = "0123456789abcdef0123456789abcdef"
RID = "rid=01234567-89ab-cdef-0123-456789abcdef"


@contextmanager
def switch(status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """A service that takes pings: its address, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hush-hush-uuid", asked
        server.shutdown()


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("https://hc-ping.com/uuid", f"https://hc-ping.com/uuid/start?{RID}"),
        ("https://hc-ping.com/uuid/", f"https://hc-ping.com/uuid/start?{RID}"),
        ("https://h.example:8000/ping/key/slug?create=1", f"https://h.example:8000/ping/key/slug/start?create=1&{RID}"),
        ("http://127.0.0.1", f"http://127.0.0.1/start?{RID}"),
        ("https://u:p@h.example/x#part", f"https://u:p@h.example/x/start?{RID}"),
    ],
)  # fmt: skip
def test_the_word_stands_behind_the_path_and_the_run_in_the_query(address: str, url: str) -> None:
    assert ping_url(address, "start", RUN) == url


COMMANDS = frozenset(PingSettings.model_fields) - {"timeout"}


@given(st.text() | st.just("timeout") | st.sampled_from(sorted(COMMANDS)))
def test_only_the_commands_of_the_table_have_a_switch(command: str) -> None:
    pings = PingSettings.model_validate(dict.fromkeys(COMMANDS, "https://h.example/x"))
    assert (pings.address_of(command) is not None) == (command.replace(" ", "_") in COMMANDS)


def test_a_run_tells_its_start_and_its_end_under_one_id(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with switch() as (address, asked):
        monkeypatch.setenv("SOCAP_PINGS__ENQUEUE", address)
        answer = cli("enqueue")
        cli("status")
    assert [path.partition("?")[0] for path in asked] == ["/hush-hush-uuid/start", "/hush-hush-uuid/0"]
    assert {path.partition("rid=")[2].replace("-", "") for path in asked} == {answer["run_id"]}


def test_a_run_that_fails_tells_its_exit_code_even_where_the_process_hides_it(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with switch() as (address, asked):
        monkeypatch.setenv("SOCAP_PINGS__WORK", address)
        assert execute(["--exit-zero", "work"]) == 0
    assert [path.partition("?")[0][-2:] for path in asked] == ["rt", "/2"]  # no provider key
    assert "no provider key" in capsys.readouterr().err


@pytest.mark.parametrize("status", [404, 500, 302])
def test_a_switch_that_refuses_is_told_once_and_fails_nothing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with switch(status) as (address, _):
        monkeypatch.setenv("SOCAP_PINGS__ENQUEUE", address)
        assert execute(["enqueue"]) == 0
    err = cli.capsys.readouterr().err
    assert "dead-man switch" in err
    assert "hush-hush" not in err


def test_a_switch_that_is_not_there_fails_nothing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCAP_PINGS__ENQUEUE", "http://127.0.0.1:1/hush-hush-uuid")
    cli("enqueue")
