"""One request to a provider, whatever the server does: bounded in time and size, and no secret comes back."""

from __future__ import annotations

import gzip
import json
import socket
import time
import tracemalloc
import urllib.parse
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.answers import Canned, Serve, canned_provider, canned_server
from support.servers import raw_server

from socap_cli import errors, http
from socap_cli.errors import ConfigError, MalformedAnswer, ProviderError, ProviderUnavailable
from socap_cli.model.kinds import REPLIES
from socap_cli.providers.http_provider import LONGEST_WAIT, SHORTEST_WAIT, retry_after
from socap_cli.providers.twitterapi_io import TwitterApiIo
from socap_cli.text import Mask, secrets_of

pytestmark = pytest.mark.server

KEY = "sk-Live/0123+abc=&XYZ"
GOOD = b'{"tweets": [{"id": "5", "author": {"id": "1", "userName": "ada"}, "text": "%s"}]}'


@pytest.fixture
def canned() -> Iterator[tuple[Serve, Canned]]:
    with canned_provider(KEY, timeout=5.0) as found:
        yield found


@pytest.fixture
def serve(canned: tuple[Serve, Canned]) -> Serve:
    return canned[0]


def text_of(provider: TwitterApiIo) -> str | None:
    return provider.page(REPLIES, "9").items[0].text


def chunks(parts: Iterator[bytes], head: bytes = b"") -> Callable[[BinaryIO], None]:
    """Answers in chunks, for as long as somebody reads."""

    def write(out: BinaryIO) -> None:
        out.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + head + b"\r\n")
        for part in parts:
            out.write(b"%x\r\n%s\r\n" % (len(part), part))
            out.flush()
        out.write(b"0\r\n\r\n")

    return write


def drip(data: bytes, pause: float) -> Callable[[BinaryIO], None]:
    """Answers byte by byte."""

    def write(out: BinaryIO) -> None:
        for number in range(len(data)):
            out.write(data[number : number + 1])
            out.flush()
            time.sleep(pause)

    return write


def endless(part: bytes) -> Iterator[bytes]:
    while True:
        yield part


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"tweets": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"tweets": [' + b"{}," * 1_000_001 + b"{}]}",
        b"\x00" * 100,
        b"\x1f\x8b\x08" + b"junk" * 10,
        '{"tweets": ['.encode("utf-16"),
    ],
)
def test_what_cannot_be_parsed_is_malformed(serve: Serve, body: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        serve(200, body).page(REPLIES, "9")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (GOOD % b"plain", "plain"),
        (b"\xef\xbb\xbf" + GOOD % b"mark", "mark"),
        (b"\n\t " + GOOD % b"blanks" + b"\r\n", "blanks"),
        ((GOOD % b"wide").decode().encode("utf-16"), "wide"),
        ((GOOD % b"wider").decode().encode("utf-32"), "wider"),
        (GOOD % b"latin \xe9 \xff", "latin \ufffd \ufffd"),
        (GOOD % b"half \xed\xa0\xbd", "half \ufffd\ufffd\ufffd"),
        (GOOD % rb"half \ud83d", "half \ufffd"),
        (GOOD % b"raw \x00 \x07 \n line", "raw \ufffd \ufffd \n line"),
        (GOOD % b'", "followers": ' + b"", None),
        (GOOD.replace(b'"text"', b'"likeCount": ' + b"9" * 10_000 + b', "text"') % b"number", "number"),
        (GOOD.replace(b'"text"', b'"likeCount": -' + b"9" * 50_000 + b', "text"') % b"number", "number"),
        (GOOD.replace(b'"text"', b'"x": [NaN, Infinity, -Infinity, 1e999, -0, 1.5], "text"') % b"odd", "odd"),
        (GOOD.replace(b'"text"', b'"x": ' + b"[" * 500 + b"]" * 500 + b', "text"') % b"deep", "deep"),
    ],
)
def test_what_can_be_read_is_read(serve: Serve, body: bytes, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(MalformedAnswer):
            serve(200, body).page(REPLIES, "9")
        return
    assert text_of(serve(200, body)) == expected


@pytest.mark.parametrize("charset", ["hex", "rot13", "undefined", "utf-16", "idna", "\xff", "", "x" * 5000])
@pytest.mark.parametrize("status", [200, 404, 500])
def test_the_named_character_set_is_never_believed(serve: Serve, status: int, charset: str) -> None:
    provider = serve(status, GOOD % b"fine", Content_Type=f"text/plain; charset={charset}")
    if status == 200:
        assert text_of(provider) == "fine"
    else:
        with pytest.raises(ProviderError, match=f"HTTP {status}"):
            text_of(provider)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"message": "\\ud800 bad"}', "HTTP 400: \ufffd bad"),
        (b'{"message": "two\\nlines\\u0007\\u001b[31m"}', "HTTP 400: two lines\ufffd\ufffd[31m"),
        (b'{"detail": ' + b"[" * 700 + b"]" * 700 + b"}", "HTTP 400: [[[[...]]]]"),
        (b'{"message": "' + b"x" * 5_000 + b'"}', "x…"),
        (b"\xff\xfe\x00", "HTTP 400: "),
        (b"<p>" * 50_000, "HTTP 400: <p>"),
        (b"", "HTTP 400: (no text)"),
    ],
)
def test_whatever_an_error_says_is_told_in_one_short_line(serve: Serve, body: bytes, said: str) -> None:
    with pytest.raises(errors.RequestRefused) as raised:
        serve(400, body).page(REPLIES, "9")
    message = raised.value.message
    assert said in message
    assert message.isprintable()
    assert len(message) < 300
    json.dumps(message).encode()


@pytest.mark.parametrize(
    "encoding",
    [
        "gzip",
        "gzip with bytes beyond",
        "GZIP",
        "deflate",
        "raw deflate",
        "identity",
        "none such",
    ],
)
def test_compressed_answers_are_read(canned: tuple[Serve, Canned], encoding: str) -> None:
    serve, _ = canned
    body = GOOD % (b"y" * 300_000)
    raw = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "raw deflate": raw.compress(body) + raw.flush(),
        "gzip with bytes beyond": gzip.compress(body) + b"\0\0beyond",
    }.get(encoding.lower(), body)
    provider = serve(
        200,
        packed,
        Content_Encoding=encoding.removeprefix("raw ").partition(" with bytes")[0],
    )
    assert len(text_of(provider) or "") == 32_768
    assert len(text_of(provider) or "") == 32_768


@pytest.mark.parametrize(
    "body",
    [
        b"not gzip at all",
        gzip.compress(GOOD % b"x", mtime=0)[:-12],
        gzip.compress(GOOD % b"x", mtime=0)[:5],
        b"\x1f",
    ],
)
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_damaged_compression_is_malformed(serve: Serve, body: bytes, encoding: str) -> None:
    with pytest.raises(MalformedAnswer):
        serve(200, body, Content_Encoding=encoding).page(REPLIES, "9")
    with pytest.raises(ProviderUnavailable, match="HTTP 503"):
        serve(503, body, Content_Encoding=encoding).page(REPLIES, "9")


def bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    block = b"[" + b" " * (2**20 - 1)
    return b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()


@pytest.mark.parametrize("status", [200, 500])
def test_a_small_answer_that_unpacks_to_much_costs_bounded_memory(serve: Serve, status: int) -> None:
    provider = serve(status, bomb(300), Content_Encoding="gzip")
    tracemalloc.start()
    with pytest.raises(MalformedAnswer if status == 200 else ProviderUnavailable):
        provider.page(REPLIES, "9")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 180_000_000  # one read of 64 KB unpacks to at most 66 MB, which zlib joins from its pieces


@pytest.mark.parametrize("part", [b"x", b" " * 65_536, b'{"a":1},' * 1000])
@pytest.mark.parametrize("head", [b"", b"Content-Encoding: identity\r\n"])
def test_an_answer_without_end_ends(part: bytes, head: bytes) -> None:
    with canned_provider(KEY, timeout=0.3) as (serve, _):
        provider = serve(200, chunks(endless(part), head))
        began = time.monotonic()
        with pytest.raises((MalformedAnswer, ProviderUnavailable)):
            provider.page(REPLIES, "9")
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("pause", [0.01, 0.25])
def test_a_drip_ends_by_a_total_time(pause: float) -> None:
    def write(out: BinaryIO) -> None:
        out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        drip(b" " * 300, pause)(out)

    with canned_provider(KEY, timeout=0.4) as (serve, _):
        provider = serve(200, write)
        began = time.monotonic()
        with pytest.raises(ProviderUnavailable, match="no complete answer in time"):
            provider.page(REPLIES, "9")
        assert time.monotonic() - began < 1.6
        assert text_of(serve(200, GOOD % b"next")) == "next"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\x01\x02",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n" * 50,
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n",
    ],
)
def test_what_is_no_http_is_an_error_of_the_provider(serve: Serve, raw: bytes) -> None:
    def write(out: BinaryIO) -> None:
        out.write(raw)

    with pytest.raises(ProviderError) as raised:
        serve(200, write).page(REPLIES, "9")
    assert raised.value.message.isprintable()


def test_every_error_of_the_http_library_is_translated() -> None:
    raised = [
        thing for thing in vars(httpx).values() if isinstance(thing, type) and issubclass(thing, Exception)
    ]
    never = {
        "StreamError",
        "StreamConsumed",
        "StreamClosed",
        "ResponseNotRead",
        "RequestNotRead",
        "CookieConflict",
    }
    assert {thing.__name__ for thing in raised if not issubclass(thing, http.FAILURES)} == never


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 429, 500, 301, 200])
@pytest.mark.parametrize(
    "echo",
    [
        str,
        urllib.parse.quote,
        lambda key: urllib.parse.quote(key, safe=""),
        lambda key: repr(key.encode()),
        str.lower,
        lambda key: f"{'x' * 185}{key}",
        lambda key: f"{'x' * 250}{key}",
    ],
)  # fmt: skip
def test_no_key_comes_back_through_an_error(serve: Serve, status: int, echo: Callable[[str], str]) -> None:
    echoed = echo(KEY)
    for body in (
        {"status": "error", "message": f"bad key {echoed}!"},
        {"status": "error", "detail": [{"header": echoed}]},
        f"<p>bad key {echoed}".encode(),
        {"tweets": [{"id": echoed}, {"id": "x", "author": {echoed: echoed}}]},
    ):
        with pytest.raises(ProviderError) as raised:
            serve(status, body).page(REPLIES, "9")
        shown = (
            f"{raised.value!r} {raised.value.message} {raised.value.hint} {raised.value.__cause__!r}".lower()
        )
        for form in (echoed, KEY):
            assert form[-12:].lower() not in shown


def test_no_key_is_stored_with_a_row(serve: Serve) -> None:
    rows: list[Any] = [
        {"id": KEY},
        {"id": "5", "author": {"id": "1", "name": KEY}, "text": f"my key is {KEY}"},
    ]
    page = serve(200, {"tweets": rows, "next_cursor": "c"}).page(REPLIES, "9")
    assert KEY not in repr(page)
    assert page.items[0].text == "my key is ***"


@pytest.mark.parametrize(
    "key",
    [
        "# my key\nsecret-7731",
        "secret-7731\r",
        "secret\x007731",
        "secret-7731é",
        " secret-7731",
        "\ud800secret",
    ],
)
def test_a_key_that_no_header_can_hold_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ConfigError, match="key") as raised:
        TwitterApiIo(key, url="http://127.0.0.1:9")
    assert "7731" not in f"{raised.value!r} {raised.value.hint} {raised.value.__cause__!r}"


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "http://[::1", "//x", "http://x:port", "x"])
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        TwitterApiIo("k", url=url)


def test_the_key_is_in_no_repr(serve: Serve) -> None:
    provider = serve(200, b"")
    assert KEY not in repr(provider)


@pytest.mark.timeout(60)
def test_a_text_with_the_beginning_of_a_secret_is_looked_at_once_and_not_in_every_way() -> None:
    """Two spellings that match the same would be tried in 2ⁿ ways."""
    url = "https://automation.client.example/webhook/0123456789abcdef"
    mask = Mask(secrets_of(url))
    for length in range(8, len(url)):
        mask(f"go to {url[:length]}!login")
    assert mask(f"see {url}.") == "see ***."


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40))
def test_a_mask_hides_a_secret_and_its_url_encoded_form(secret: str) -> None:
    for form in (secret, quote(secret), quote(secret, safe=""), quote(secret, safe="").lower()):
        assert Mask([secret])(f"<{form}>") == "<***>"


def test_short_words_are_no_secrets() -> None:
    assert Mask(["k", ""])("bad key") == "bad key"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 7.5 "}, 7.5),
        ({"retry-after": "Mon, 02 Mar 2026 12:00:30 GMT", "date": "Mon, 02 Mar 2026 12:00:10 GMT"}, 20.0),
        ({"retry-after": "Mon, 02 Mar 2026 12:00:30 GMT"}, SHORTEST_WAIT),
        ({"retry-after": "Mon, 02 Mar 9026 12:00:30 GMT"}, LONGEST_WAIT),
        ({"retry-after": "Mon, 99 Mar 2026 12:00:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, LONGEST_WAIT),
        ({"retry-after": "1e300"}, LONGEST_WAIT),
        ({"retry-after": "-inf"}, SHORTEST_WAIT),
        ({"retry-after": "-4"}, SHORTEST_WAIT),
        ({"retry-after": "0"}, SHORTEST_WAIT),
        ({"retry-after": "9" * 5000}, LONGEST_WAIT),
        ({"retry-after": "\xff"}, None),
        ({"x-rate-limit-reset": "1772452830", "date": "Mon, 02 Mar 2026 12:00:10 GMT"}, 20.0),
        ({"x-rate-limit-reset": "9e99", "x-rate-limit-remaining": "0"}, LONGEST_WAIT),
        ({"x-rate-limit-reset": "1772452830", "x-rate-limit-remaining": "5"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_believed_blindly(
    headers: dict[str, str], expected: float | None
) -> None:
    assert retry_after(headers) == expected


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_retry_after_is_bounded(value: str, reset: str) -> None:
    found = retry_after({"retry-after": value, "x-rate-limit-reset": reset, "date": reset})
    assert found is None or SHORTEST_WAIT <= found <= LONGEST_WAIT


def test_a_proxy_is_used_with_its_user_and_its_password_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    with canned_server() as (address, answers):
        answers.status, answers.body = 407, {"message": "hello hunter2-secret"}
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", address.replace("//", "//user:hunter2-secret@"))
        through = TwitterApiIo("k", url="http://provider.example")
        with pytest.raises(ProviderError) as raised:
            through.page(REPLIES, "9")
        assert "hunter2" not in repr(raised.value)
        assert answers.paths[-1].startswith("http://provider.example/twitter/tweet/replies")


@pytest.mark.parametrize(
    "more", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"\r\n\r\n{}", b"x" * 70_000]
)
def test_a_connection_with_more_on_it_than_its_answer_is_not_used_for_long(more: bytes) -> None:
    """What is read with the end of an answer is taken for the next one, once; then its connection is dropped."""
    body = GOOD % b"mine"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s%s" % (len(body), body, more)

    def talk(connection: socket.socket) -> None:
        while b"\r\n\r\n" in connection.recv(65536):
            connection.sendall(answer)

    found = []
    with raw_server(talk) as port:
        provider = TwitterApiIo(KEY, url=f"http://127.0.0.1:{port}", timeout=2.0)
        for _ in range(8):
            try:
                found.append(text_of(provider))
            except ProviderError:
                found.append("failed")
        provider.close()
    assert set(found) <= {"mine", "failed"}
    assert ["failed", "failed"] not in [found[at : at + 2] for at in range(len(found))]


def test_a_connection_is_kept_when_nothing_is_left_of_an_answer() -> None:
    body, connections = GOOD % b"mine", []

    def talk(connection: socket.socket) -> None:
        connections.append(connection)
        while b"\r\n\r\n" in connection.recv(65536):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with raw_server(talk) as port:
        provider = TwitterApiIo(KEY, url=f"http://127.0.0.1:{port}", timeout=2.0)
        assert [text_of(provider) for _ in range(4)] == ["mine"] * 4
        provider.close()
    assert len(connections) == 1


@pytest.mark.parametrize("mark", "\ufeff\u202a\u202e\u2066\u2069")
def test_a_mask_knows_a_secret_with_marks_that_are_left_out_later(mark: str) -> None:
    assert Mask(["secretword"])(f"<{mark.join('secretword')}>") == "<***>"
