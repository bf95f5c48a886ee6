"""Channels over real sockets: what each answer means, in what time, and what is never said."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import quote

import pytest
import standardwebhooks
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from support.hostile import HOSTILE
from support.memory_channel import Memory
from support.messages import AT, engagement, message, person
from support.servers import hook, mail_server, raw_server, reply

from socap_cli.alerts.compose import halves
from socap_cli.channels import CHANNELS, Channel, open_channels
from socap_cli.channels.email import Email, parse_server, text_body, write_letter
from socap_cli.channels.slack import Slack, SlackTemplates, payload
from socap_cli.channels.webhook import Webhook
from socap_cli.channels.webhook import payload as json_payload
from socap_cli.errors import (
    AddressNotFound,
    ChannelDead,
    ChannelError,
    ConfigError,
    DeliveryFailed,
    DeliveryUnknown,
    MessageRefused,
    MessageTooLarge,
    SocapError,
)
from socap_cli.settings import AlertSettings, parse_address

pytestmark = pytest.mark.server

SECRET = "secretsecretsecret"


def settings_of(**changes: object) -> AlertSettings:
    return AlertSettings.model_validate({"webhook_hosts": ["127.0.0.1"], "timeout": 2.0, **changes})


def outcome(call: Callable[[], None]) -> str:
    try:
        call()
    except ChannelError as error:
        assert SECRET not in f"{error.message} {error.hint}"
        assert "T0AAAAAA" not in error.message
        return type(error).__name__
    return "sent"


SENT, FAILED, UNKNOWN, REFUSED, DEAD = (
    "sent", DeliveryFailed.__name__, DeliveryUnknown.__name__, MessageRefused.__name__, ChannelDead.__name__,
)  # fmt: skip
TOO_LARGE, NOT_FOUND = MessageTooLarge.__name__, AddressNotFound.__name__
BEHAVIOURS = int(os.environ.get("SOCAP_FUZZ", "0")) * 5 // 2
"""Of webhooks, and as many of mail servers; `make fuzz-inputs` asks for more."""
ANSWERS: list[tuple[bytes, str, str]] = [
    # answer, what it means to Slack, what it means to a JSON webhook
    (reply(200, b"ok"), SENT, SENT),
    (reply(200, b"OK"), SENT, SENT),
    (reply(200), SENT, SENT),
    (reply(200, b'{"success": true}'), SENT, SENT),
    (reply(200, b"<html>thanks</html>", Content_Type="text/html; charset=hex"), SENT, SENT),
    (reply(201, b'{"id": 7}'), SENT, SENT),
    (reply(202), SENT, SENT),
    (reply(204), SENT, SENT),
    (reply(299, b"\xff\xfe\x00"), SENT, SENT),
    (reply(200, b"[" * 100_000), SENT, SENT),
    (reply(200, b"no_text"), REFUSED, SENT),
    (reply(200, b"invalid_blocks"), REFUSED, SENT),
    (reply(200, b"no_service"), DEAD, SENT),
    (reply(200, b'{"ok": false, "error": "channel_not_found"}'), DEAD, SENT),
    (reply(200, b'{"ok": false, "error": "rate_limited", "retry_after": 7}'), FAILED, SENT),
    (reply(200, b'{"ok": false, "error": "something"}'), UNKNOWN, SENT),
    (reply(200, b'{"ok": false}'), UNKNOWN, SENT),
    (reply(400, b"invalid_payload"), REFUSED, REFUSED),
    (reply(400, b"invalid_token"), DEAD, REFUSED),
    (reply(413), TOO_LARGE, TOO_LARGE),
    (reply(400, b"msg_blocks_too_long"), TOO_LARGE, REFUSED),
    (reply(422, b'{"detail": "no"}'), REFUSED, REFUSED),
    (reply(401), DEAD, DEAD),
    (reply(403, b"action_prohibited"), DEAD, DEAD),
    (reply(404, b"no_service"), DEAD, NOT_FOUND),
    (reply(404), NOT_FOUND, NOT_FOUND),
    (reply(410, b"channel_is_archived"), DEAD, DEAD),
    (reply(301, b"", Location="http://127.0.0.1:1/"), DEAD, DEAD),
    (reply(307, b"", Location="http://127.0.0.1:1/"), DEAD, DEAD),
    (reply(408), FAILED, FAILED),
    (reply(429, b"", Retry_After="30"), FAILED, FAILED),
    (reply(429, b"", Retry_After="nan"), FAILED, FAILED),
    (reply(500, b"oops", Content_Type="text/plain; charset=undefined"), FAILED, FAILED),
    (reply(502), FAILED, FAILED),
    (reply(503, b"", Retry_After="Wed, 21 Oct 2065 07:28:00 GMT"), FAILED, FAILED),
    (reply(599), FAILED, FAILED),
    (reply(666), FAILED, FAILED),
    (b"", UNKNOWN, UNKNOWN),
    (b"HTTP/1.1 2", UNKNOWN, UNKNOWN),
    (b"SSH-2.0-OpenSSH_9\r\n", UNKNOWN, UNKNOWN),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nok", SENT, SENT),
    (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", SENT, SENT),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", SENT, SENT),
    (b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nabc", FAILED, FAILED),
    (b"\x00" * 200_000, UNKNOWN, UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "slack", "webhook"), ANSWERS, ids=lambda value: repr(value[:60]))
def test_what_a_webhooks_answer_means(answer: bytes, slack: str, webhook: str) -> None:
    wanted = settings_of(webhook_secret="key")
    with hook(answer) as one:
        assert outcome(lambda: Slack(wanted).send(one.url, message())) == slack
        assert outcome(lambda: Webhook(wanted).send(one.url, message())) == webhook
        assert len(one.requests) == 2


@pytest.mark.slow
@given(status=st.integers(100, 999), body=st.binary(max_size=300), headers=st.lists(st.tuples(
    st.sampled_from(["Retry-After", "Content-Type", "Location", "X"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f\x85"), max_size=40),
), max_size=3))  # fmt: skip
@settings(deadline=None, max_examples=max(100, BEHAVIOURS))
def test_no_answer_of_a_webhook_is_a_bug(status: int, body: bytes, headers: list[tuple[str, str]]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    answer = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode("latin-1") + body
    with hook(answer) as one:
        found = outcome(lambda: Slack(settings_of(timeout=0.5)).send(one.url, message()))
        assert found == SENT if 200 <= status < 300 and b"_" not in body and b"{" not in body else True


ECHOES: dict[str, Callable[[str], str]] = {
    "path": lambda url: url.partition("127.0.0.1")[2].partition("/")[2],
    "url": lambda url: url,
    "percent-encoded": lambda url: quote(url, safe=""),
    "json": lambda url: url.replace("/", "\\/"),
    "html": lambda url: url.replace("/", "&#47;"),
    "upper": lambda url: url.upper(),
    "token": lambda url: url.rpartition("/")[2],
}


@pytest.mark.parametrize("status", [200, 400, 404, 500])
@pytest.mark.parametrize("echo", list(ECHOES))
def test_what_a_server_echoes_of_the_address_is_masked(status: int, echo: str) -> None:
    with hook() as one:
        one.answer = reply(status, f'{{"ok": false, "error": "no {ECHOES[echo](one.url)}"}}'.encode())
        with pytest.raises(ChannelError) as raised:
            Slack(settings_of()).send(one.url, message())
        told = f"{raised.value.message} {raised.value.hint}".lower()
        for word in (SECRET, "t0aaaaaa", "%73ecret"):
            assert word not in told


def test_an_answer_that_drips_ends_in_the_given_time() -> None:
    with hook(reply(200, b"o" * 500), pause=0.01) as one:
        started = time.monotonic()
        outcome(lambda: Slack(settings_of(timeout=0.6)).send(one.url, message()))
        assert time.monotonic() - started < 1.5


def test_a_host_that_nobody_listens_at_got_nothing() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/{SECRET}"
    assert outcome(lambda: Slack(settings_of()).send(url, message())) == FAILED


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://evil.example/services/T0/B0/secret", "may not go to evil.example"),
        ("http://hooks.slack.com/services/T0/B0/secret", "plain http"),
        ("hooks.slack.com/secret", "not a URL"),
        ("https://hooks.slack.com.evil.example/secret", "may not go to"),
        ("https://hooks.slack.com@evil.example/secret", "may not go to"),
        ("https://hooks.slack.com:99999/secret", "not a URL"),
        ("https://hooks.slack.com/secret\r", "not a URL"),
        ("https://hooks.slack.com/\x00secret", "not a URL"),
        ("https://hooks.slack.com/sécret", "not a URL"),
        ("https://[::1/secret", "not a URL"),
        ("https:///secret", "not a URL"),
        ("file:///secret", "not a URL"),
    ],
)
def test_a_webhook_goes_only_where_it_may_and_is_never_shown(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        Slack(AlertSettings()).check(url)
    assert "secret" not in f"{raised.value} {raised.value.hint}"


def test_a_signature_holds_for_another_library() -> None:
    key = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()
    with hook(reply(204)) as one:
        Webhook(settings_of(webhook_secret=key)).send(one.url, message())
        ((headers, body),) = one.requests
    verified = standardwebhooks.Webhook(key).verify(body, headers)
    assert verified == {"schema_version": 2, **json_payload(message())}
    assert headers["webhook-id"] == message().message_id
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(key).verify(body.replace(b"ann", b"eve"), headers)


def test_what_is_sent_is_dated_by_the_clock_that_is_given() -> None:
    key = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()
    with hook(reply(204)) as one, mail_server() as post:
        wanted = settings_of(webhook_secret=key, email_smtp=f"smtp://127.0.0.1:{post.port}")
        channels = open_channels(wanted, lambda: AT)
        channels["webhook"].send(one.url, message())
        channels["email"].send("team@agency.example", message())
        assert one.requests[0][0]["webhook-timestamp"] == str(int(AT.timestamp()))
        assert post.messages[0]["Date"] == "Mon, 02 Mar 2026 12:00:00 +0000"


@pytest.mark.parametrize("secret", ["whsec_", "whsec_=", "whsec_!!!!", "whsec_MDEy-_Nj", "whsec_M"])
def test_a_secret_that_makes_no_key_is_refused(secret: str) -> None:
    with pytest.raises(ConfigError, match="whsec_"):
        open_channels(settings_of(webhook_secret=secret))


def test_a_webhook_without_its_secret_says_which_of_the_two_is_missing() -> None:
    with_address = open_channels(settings_of(webhooks=["http://127.0.0.1/hook"]))["webhook"]
    assert with_address.missing.endswith("; set SOCAP_ALERTS__WEBHOOK_SECRET")
    assert with_address.missing != open_channels(settings_of())["webhook"].missing


def test_a_mail_server_that_nobody_answers_at_is_named_without_its_login() -> None:
    with pytest.raises(DeliveryFailed) as failed:
        email(f"smtp://ada:{SECRET}@127.0.0.1:9").send("team@agency.example", message())
    assert failed.value.message.startswith("127.0.0.1:9: the mail server cannot be used")
    assert failed.value.hint == "check SOCAP_ALERT_EMAIL_SMTP"
    assert SECRET not in failed.value.message


def test_json_is_never_sent_unsigned() -> None:
    with hook() as one:
        with pytest.raises(ConfigError, match="signed"):
            Webhook(settings_of()).send(one.url, message())
        assert not one.requests


texts = st.sampled_from(HOSTILE) | st.text(max_size=300)


def hostile(name: str, handle: str, bio: str, text: str) -> object:
    told = engagement(text=text, tweet_label=f"@{handle}'s tweet")
    return message(
        person(name=name, username=handle, bio=bio, labels=(bio,), organisation=bio, engagements=(told,)),
        title=f"{name}: {text}", campaign_name=name,
    )  # fmt: skip


@pytest.mark.slow
@given(texts, texts, texts, texts)
@settings(deadline=None, max_examples=300)
def test_no_text_of_strangers_is_markup_for_slack(name: str, handle: str, bio: str, text: str) -> None:
    body = payload(hostile(name, handle, bio, text), SlackTemplates())  # type: ignore[arg-type]
    links = 0
    for block in body["blocks"]:
        for part in [block["text"]] if "text" in block else block["elements"]:
            limit = 150 if part["type"] == "plain_text" else 3000
            assert len(part["text"]) <= limit
            if part["type"] == "mrkdwn":
                assert part["verbatim"] is True
                links += part["text"].count("<")
                assert part["text"].count("<") == part["text"].count(">") - part["text"].count("\n>")
                assert part["text"].count("<") == part["text"].count("<https://x.com/")
    assert links <= 3
    assert len(body["blocks"]) <= 50
    for word in ("<!", "@everyone", "@here", "@channel"):
        assert word not in json.dumps(body, ensure_ascii=False)


@pytest.mark.slow
@given(texts, texts, texts, texts)
@settings(deadline=None, max_examples=300)
def test_no_text_of_strangers_is_a_header_or_markup_of_a_mail(
    name: str, handle: str, bio: str, text: str
) -> None:
    letter = email_letter(hostile(name, handle, bio, text))
    assert letter.isascii()
    assert b"\x00" not in letter
    head, _, _ = letter.partition(b"\r\n\r\n")
    names = [line.split(b":")[0].decode() for line in head.split(b"\r\n") if not line.startswith(b" ")]
    assert names == [
        "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
        "X-Auto-Response-Suppress", "MIME-Version", "Content-Type",
    ]  # fmt: skip
    parsed = message_from_bytes(letter, policy=policy.default)
    assert [part.get_content_type() for part in parsed.walk()] == [
        "multipart/alternative", "text/plain", "text/html",
    ]  # fmt: skip
    html = parsed.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "<script" not in html
    assert "<img" not in html
    assert html.count("<a ") == 3


def email_letter(told: object) -> bytes:
    """The mail of a message as bytes, through the channel's own templates."""
    from socap_cli.channels.common import Templates

    templates = Templates()
    text, html = (templates.render(name, told) for name in ("email.txt", "email.html"))  # type: ignore[arg-type]
    return write_letter(
        text_body(text, html), parse_address("socap <alerts@agency.example>"), parse_address("team@agency.example"),
        told.title, (told.message_id,), now=AT, thread=told.thread,  # type: ignore[attr-defined]
    )  # fmt: skip


@pytest.mark.slow
@given(texts)
@settings(deadline=None)
def test_a_subject_is_shown_as_exactly_the_text_that_it_is(text: str) -> None:
    from socap_cli.model import cleaning

    letter = email_letter(message(title=text))
    shown = message_from_bytes(letter, policy=policy.default)["Subject"]
    assert " ".join(str(shown).split()) == cleaning.one_line(text, limit=200)


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> trustme.CA:
    """A certificate authority that this machine trusts."""
    one = trustme.CA()
    file = tmp_path / "authority.pem"
    one.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return one


def email(url: str, **changes: object) -> Email:
    return Email(settings_of(email_smtp=url, email_from='"Söcap, Inc." <alerts@agency.example>', **changes))


LOGIN = "us%C3%A9r:p%C3%A4ssw%C3%B6rd@"


def test_a_mail_goes_over_verified_tls_with_a_password_of_any_letters(authority: trustme.CA) -> None:
    for implicit, scheme in ((False, "smtp"), (True, "smtps")):
        with mail_server(authority, implicit=implicit, login=True) as post:
            email(f"{scheme}://{LOGIN}localhost:{post.port}").send("team@agency.example", message())
            assert post.logins == [("usér".encode(), "pässwörd".encode())]
            (mail,) = post.messages
            assert str(mail["Message-ID"]).endswith("@agency.example>")
            assert mail["Auto-Submitted"] == "auto-generated"
            assert mail["References"]


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "smtps"])
@pytest.mark.parametrize("name", ["localhost", "evil.example"])
def test_no_password_goes_to_a_server_with_a_wrong_certificate(
    implicit: bool, name: str, request: pytest.FixtureRequest
) -> None:
    authority = request.getfixturevalue("authority") if name != "localhost" else trustme.CA()
    scheme = "smtps" if implicit else "smtp"
    with mail_server(authority, name=name, implicit=implicit, login=True) as post:
        channel = email(f"{scheme}://{LOGIN}localhost:{post.port}")
        with pytest.raises(DeliveryFailed, match="certificate"):
            channel.send("team@agency.example", message())
        with pytest.raises(DeliveryFailed, match="certificate"):
            channel.examine("team@agency.example")
        assert (post.logins, post.messages) == ([], [])


def test_nothing_goes_over_a_plain_line_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server(login=True) as post:
        real = socket.create_connection
        monkeypatch.setattr(  # a name that is not this machine's
            socket, "create_connection",
            lambda address, *rest, **more: real(("127.0.0.1", address[1]), *rest, **more),
        )  # fmt: skip
        far = f"{LOGIN}mail.example:{post.port}"
        with pytest.raises(DeliveryFailed, match="STARTTLS"):
            email(f"smtp://{far}").send("team@agency.example", message())
        assert (post.logins, post.messages) == ([], [])
        email(f"smtp://{far}?tls=no").send("team@agency.example", message())
        assert (len(post.logins), len(post.messages)) == (1, 1)


def test_a_wrong_password_switches_the_channel_off_and_is_not_repeated(authority: trustme.CA) -> None:
    with mail_server(authority, login=True) as post, pytest.raises(ChannelDead, match="login") as raised:
        email(f"smtp://u:wrongword@localhost:{post.port}").send("team@agency.example", message())
    assert "wrongword" not in raised.value.message


def test_international_addresses_use_what_the_server_offers() -> None:
    with mail_server(utf8=True) as post:
        email(f"smtp://127.0.0.1:{post.port}").send("jörg@müller.example", message())
        assert post.receivers == ["jörg@xn--mller-kva.example"]
        assert "SMTPUTF8" in post.options[0]
    with mail_server() as post:
        channel = email(f"smtp://127.0.0.1:{post.port}")
        channel.send("info@müller.example", message())
        assert post.receivers == ["info@xn--mller-kva.example"]
        with pytest.raises(MessageRefused, match="international"):
            channel.send("jörg@müller.example", message())


@pytest.mark.parametrize(
    ("stage", "answer", "expected"),
    [
        ("team@agency.example", "550 no such user", DEAD),
        ("team@agency.example", "551 not here", DEAD),
        ("team@agency.example", "552 full", FAILED),
        ("team@agency.example", "451 later", FAILED),
        ("team@agency.example", "450 greylisted", FAILED),
        ("DATA", "554 spam", REFUSED),
        ("DATA", "452 no room", FAILED),
        ("DATA", "550 5.4.5 Daily user sending limit exceeded", FAILED),
        ("DATA", "552 5.2.2 mailbox over quota", FAILED),
        ("DATA", "550 5.7.60 client has no permission to send as this sender", FAILED),
        ("DATA", "554 5.6.0 content not accepted", REFUSED),
        ("team@agency.example", "554 5.7.1 Client host rejected: Access denied", FAILED),
        ("team@agency.example", "550 5.1.1 no such user", DEAD),
        ("DATA", "552 5.3.4 Message size exceeds fixed limit", TOO_LARGE),
        ("DATA", "552 5.2.3 Your message exceeded the size limits", TOO_LARGE),
    ],
)
def test_what_a_mail_servers_refusal_means(stage: str, answer: str, expected: str) -> None:
    with mail_server() as post:
        post.answers[stage] = answer
        channel = email(f"smtp://127.0.0.1:{post.port}")
        assert outcome(lambda: channel.send("team@agency.example", message())) == expected
        assert outcome(lambda: channel.send("other@agency.example", message())) == (
            SENT if stage != "DATA" else expected
        )


def scripted(*replies: bytes, pause: float = 0.0) -> Callable[[socket.socket], None]:
    """A server that says each line when it is its turn, whatever it is asked."""

    def talk(connection: socket.socket) -> None:
        for number, line in enumerate(replies):
            if number:
                connection.recv(65536)
            for byte in [line] if not pause else [bytes([b]) for b in line]:
                time.sleep(pause)
                connection.sendall(byte)
        connection.recv(65536)

    return talk


GOOD_TALK = (
    b"220 hi\r\n", b"250-mail\r\n250 8BITMIME\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n",
    b"250 kept\r\n", b"221 bye\r\n",
)  # fmt: skip
ODD_SERVERS = {
    "no SMTP": (b"HTTP/1.1 400 Bad Request\r\n\r\n",),
    "an SSH server": (b"SSH-2.0-OpenSSH_9.6\r\n",),
    "a banner of 100,000 bytes": (b"220 " + b"x" * 100_000 + b"\r\n",),
    "a closed door": (b"554 no service here\r\n",),
    "nothing": (b"",),
    "binary": (bytes(range(256)),),
    "502 to EHLO and HELO": (b"220 hi\r\n", b"502 what?\r\n", b"502 what?\r\n"),
    "150 to MAIL": (b"220 hi\r\n", b"250 ok\r\n", b"150 hm\r\n"),
    "999 to RCPT": (b"220 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"999 hm\r\n"),
    "150 to RCPT": (b"220 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"150 hm\r\n"),
    "250 to DATA": (b"220 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 huh\r\n"),
    "no number": (b"220 hi\r\n", b"250 ok\r\n", b"what\r\n"),
    "EHLO of odd bytes": (b"220 hi\r\n", b"250-\xff\xfe\r\n250 AUTH \xff\r\n", b"\r\n"),
}


@pytest.mark.parametrize("name", list(ODD_SERVERS))
def test_an_odd_mail_server_is_tried_again(name: str) -> None:
    with raw_server(scripted(*ODD_SERVERS[name])) as port:
        channel = email(f"smtp://127.0.0.1:{port}", timeout=1.0)
        assert outcome(lambda: channel.send("team@agency.example", message())) == FAILED


def test_an_answer_that_is_lost_after_the_data_may_have_arrived() -> None:
    script = (b"220 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n")
    with raw_server(scripted(*script)) as port:
        channel = email(f"smtp://127.0.0.1:{port}", timeout=1.0)
        assert outcome(lambda: channel.send("team@agency.example", message())) == UNKNOWN


@pytest.mark.parametrize("said", [b"nonsense\r\n", b"150 hm\r\n", b"354 go\r\n", b"999 hm\r\n"])
def test_an_answer_to_the_data_that_is_neither_yes_nor_no_may_mean_that_it_arrived(said: bytes) -> None:
    script = (b"220 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", said)
    with raw_server(scripted(*script)) as port:
        channel = email(f"smtp://127.0.0.1:{port}", timeout=1.0)
        assert outcome(lambda: channel.send("team@agency.example", message())) == UNKNOWN


@pytest.mark.slow
@given(talk=st.tuples(*[st.sampled_from([line, line, line, None]) for line in GOOD_TALK]), noise=st.lists(
    st.one_of(
        st.binary(max_size=80),
        st.builds("{} {}\r\n".format, st.integers(0, 999), st.text(max_size=20)).map(str.encode),
        st.builds("{}-{}\r\n".format, st.integers(100, 599), st.text(max_size=20)).map(str.encode),
    ),
    min_size=len(GOOD_TALK), max_size=len(GOOD_TALK),
))  # fmt: skip
@settings(deadline=None, max_examples=max(40, BEHAVIOURS))
def test_no_mail_server_is_a_bug(talk: tuple[bytes | None, ...], noise: list[bytes]) -> None:
    lines = [good if good is not None else other for good, other in zip(talk, noise, strict=True)]
    with raw_server(scripted(*lines)) as port:
        outcome(lambda: email(f"smtp://127.0.0.1:{port}", timeout=0.1).send("team@agency.example", message()))


def parrot(stage: str, code: int, said: str = "") -> Callable[[socket.socket], None]:
    """A mail server that answers a command, `.` being the end of a mail, with what it says or was told."""

    def talk(connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        connection.sendall(b"220 hi\r\n")
        answers = {
            b"EHLO": b"250-mail\r\n250 AUTH PLAIN LOGIN\r\n",
            b"AUTH": b"235 in\r\n",
            b"DATA": b"354 go\r\n",
            **dict.fromkeys((b"MAIL", b"RCPT", b".", b"RSET"), b"250 ok\r\n"),
            b"QUIT": b"221 bye\r\n",
        }
        for line in stream:
            word = (line.split() or [b""])[0].upper()
            if word == stage.encode():
                connection.sendall(b"%d %s\r\n" % (code, said.encode() or line.strip()))
            elif word in answers:
                connection.sendall(answers[word])

    return talk


@pytest.mark.parametrize("code", [450, 500, 535, 554])
@pytest.mark.parametrize("stage", ["AUTH", "MAIL", "RCPT", "DATA", "."])
def test_no_mail_server_gets_the_password_into_a_message(stage: str, code: int) -> None:
    password, sent = "secretword", base64.b64encode(b"\0ada\0secretword").decode()
    for said in (password, sent, sent.rstrip("="), base64.b64encode(password.encode()).decode(), ""):
        with raw_server(parrot(stage, code, said and f"no {said}")) as port:
            channel = email(f"smtp://ada:{password}@127.0.0.1:{port}", timeout=2.0)
            with pytest.raises(ChannelError) as told:
                channel.send("team@agency.example", message())
        assert not any(secret[:10] in str(told.value) for secret in (password, sent))
        assert "***" in str(told.value) or not said


def test_a_mail_that_is_larger_than_the_server_says_is_not_handed_in() -> None:
    with raw_server(scripted(b"220 hi\r\n", b"250-mail\r\n250 SIZE 1000\r\n")) as port:
        channel = email(f"smtp://127.0.0.1:{port}", timeout=1.0)
        assert outcome(lambda: channel.send("team@agency.example", message())) == TOO_LARGE


@pytest.mark.parametrize("letters", ["a", "あ", "&", "\U0001f389"])
def test_no_mail_is_larger_than_gmail_shows(letters: str) -> None:
    told = [
        person(
            user_id=f"{number}", name=letters * 80, bio=letters * 160,
            engagements=(engagement(text=letters * 280), engagement(text=letters * 280)),
        )
        for number in range(Email.most_people)
    ]  # fmt: skip
    with mail_server() as post:
        channel, waiting, sizes = email(f"smtp://127.0.0.1:{post.port}"), [message(*told)], list[int]()
        while waiting:
            part = waiting.pop()
            if outcome(lambda part=part: channel.send("team@agency.example", part)) == TOO_LARGE:  # type: ignore[misc]
                waiting += halves(part)
        for raw in post.raw:
            html = message_from_bytes(raw, policy=policy.default).get_body(("html",))
            sizes.append(len(html.get_content().encode()))  # type: ignore[union-attr]
    assert len(sizes) > 1
    assert max(sizes) <= 102_400


@pytest.mark.parametrize(("address", "header"), [
    ("team@agency.example", None),
    ("client@acme.example", "<mailto:alerts@agency.example?subject=unsubscribe-launch>"),
])  # fmt: skip
def test_a_client_can_unsubscribe_and_the_team_is_not_asked(address: str, header: str | None) -> None:
    with mail_server() as post:
        channel = email(f"smtp://127.0.0.1:{post.port}", email_to=["team@agency.example"])
        channel.send(address, message())
        assert post.messages[0]["List-Unsubscribe"] == header


def test_a_mail_that_is_sent_again_has_the_same_id() -> None:
    with mail_server() as post:
        channel = email(f"smtp://127.0.0.1:{post.port}")
        channel.send("team@agency.example", message())
        channel.send("team@agency.example", message(may_be_repeated=True))
        channel.send("boss@agency.example", message())
        ids = [mail["Message-ID"] for mail in post.messages]
        assert ids[0] == ids[1] != ids[2]
        assert b"may have arrived before" in post.raw[1]


@pytest.mark.parametrize(
    "url",
    ["smtp://", "http://mail.example", "smtp://h?tls=maybe", "smtp://h?x=1", "smtps://h?tls=no", "smtp://h:99999", "h",
     "smtp://u:12/secret@h", "smtp://u:1?secret@h", "smtp://u:1#secret@h", "smtp://u:12/34@h:25"],
)  # fmt: skip
def test_a_mail_server_that_cannot_be_one_is_refused_when_it_is_read(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_server(url)
    assert "secret" not in f"{refused.value.message} {refused.value.hint}"


@pytest.mark.parametrize(
    "address",
    ["", "x", "a@", "@b", "a b@c.d", "a@b\r\nBcc: x@y.z", "a@b..c", "a@" + "ü" * 70 + ".d", "a@-.d"],
)
def test_an_address_that_cannot_be_one_is_refused(address: str) -> None:
    with pytest.raises(ConfigError):
        email("smtp://127.0.0.1").check(address)
    with pytest.raises(ValueError):
        settings_of(email_to=[address or "x"])


def test_templates_can_be_replaced_for_all_campaigns_or_for_one(tmp_path: Path) -> None:
    (tmp_path / "subject.txt").write_text("for all: {{ message.title }}")
    (tmp_path / "launch").mkdir()
    (tmp_path / "launch" / "slack.txt").write_text("{{ person.name }}!")
    templates = SlackTemplates(tmp_path)
    body = payload(message(person(name="<!here>")), templates)
    assert body["text"].startswith("for all: Launch: Ann")
    assert body["blocks"][1]["text"]["text"] == "&lt;\u200b!here&gt;!"


@pytest.mark.parametrize(("text", "cut"), [("", False), ("A reply. " * 30, True)])
def test_a_digest_with_as_many_people_as_it_may_have_is_no_longer_than_slack_takes(
    text: str, cut: bool
) -> None:
    links = {
        "url": f"https://x.com/a_handle_of_fifteen/status/{2**63}",
        "tweet_url": f"https://x.com/client/status/{2**63}",
    }
    people = [
        person(
            name=f"Somebody With A Name {number}", username=f"somebody_{number:04}", bio="Partner at Fund Z.",
            report_url=f"https://reports.example/launch.html#q=somebody_{number:04}",
            engagements=(engagement(text=text, **links), engagement(text=text, verb="quoted", **links)),
        )
        for number in range(Slack.most_people)
    ]  # fmt: skip
    body = payload(message(*people), SlackTemplates())
    sections = [block["text"]["text"] for block in body["blocks"] if block["type"] == "section"]
    assert sum(map(len, sections)) < 9600
    for number, section in enumerate(sections):
        assert section.startswith(f"*Somebody With A Name {number}*")
        assert "importance 31" in section
        assert "|replied to>" in section
        assert section.endswith("\n…") is cut
    short = payload(message(*people[:3], person()), SlackTemplates())
    assert not any(block["text"]["text"].endswith("…") for block in short["blocks"] if "text" in block)


@pytest.mark.parametrize(
    "source",
    ["{{ nothing }}", "{% if", "{{ message.__class__.__mro__ }}", "{% include 'no.txt' %}", "{{ 1/0 }}"],
)
def test_a_template_that_does_not_work_refuses_the_message(tmp_path: Path, source: str) -> None:
    (tmp_path / "slack.txt").write_text(source)
    with hook() as one:
        with pytest.raises((MessageRefused, ZeroDivisionError)):
            Slack(settings_of(templates=tmp_path)).send(one.url, message())
        assert not one.requests


def test_apprise_speaks_for_others() -> None:
    with hook(reply(200)) as one:
        address = f"json://127.0.0.1:{one.port}/{SECRET}"
        channel = open_channels(settings_of(apprise=[address]))["apprise"]
        channel.send(address, message(person(name="@everyone", username="here")))
        ((_, body),) = one.requests
        said = json.loads(body)
        assert said["title"].startswith("Launch: Ann Lee")
        assert "@everyone" not in said["message"]
        assert "@here" not in said["message"]
        channel.send(address, message(person(name="@everyone_1 @here_we_go @channel_", username="all_")))
        assert not re.search("@(everyone|here|channel|all)", json.loads(one.requests[-1][1])["message"])
        assert SECRET not in channel.shown(address)
        one.answer = reply(500)
        assert outcome(lambda: channel.send(address, message())) == FAILED
        one.answer = reply(413)
        assert outcome(lambda: channel.send(address, message())) == TOO_LARGE
        one.answer = b""
        assert outcome(lambda: channel.send(address, message())) == UNKNOWN


@pytest.mark.parametrize(
    "address", ["nope://x", "", "x", "json://evil.example/", "mailto://u:p@evil.example"]
)
def test_an_apprise_address_of_a_campaign_goes_only_where_it_may(address: str) -> None:
    with pytest.raises(ConfigError):
        open_channels(settings_of())["apprise"].check(address)


def test_a_channel_is_added_by_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CHANNELS, "memory", lambda settings, _: Memory(settings))
    channel = open_channels(settings_of())["memory"]
    channel.notify("one", "hello")
    assert channel.said == ["hello"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("words", [("alerts", "test", "--help"), ("campaign", "add", "--help")])
def test_help_names_the_channels_that_are_rows(words: tuple[str, ...]) -> None:
    code = (
        "import sys; from socap_cli.channels import CHANNELS; CHANNELS['pigeon'] = None; "
        "from socap_cli.cli.app import main; main()"
    )
    environment = {**os.environ, "COLUMNS": "200"}
    run = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment
    )
    assert ", ".join(CHANNELS) + ", pigeon" in " ".join(run.stdout.replace("│", " ").split())


@pytest.mark.parametrize("name", [*CHANNELS, "memory"])
def test_every_channel_keeps_the_protocol(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CHANNELS, "memory", lambda settings, _: Memory(settings))
    channel: Channel = open_channels(settings_of())[name]
    assert channel.is_ready in (True, False)
    assert channel.name == name
    assert channel.interval >= 0
    assert channel.most_people >= 1
    assert channel.missing
    with pytest.raises(SocapError):
        channel.check("\x00")
    assert isinstance(channel.shown("https://h.example/secret"), str)


def test_a_message_says_when_it_was_made() -> None:
    assert datetime.fromisoformat(json_payload(message())["created_at"]) == AT
