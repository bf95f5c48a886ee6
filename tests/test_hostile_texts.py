"""What strangers write, from their stored engagement to what each channel sends: harmless, whatever it is.

`SOCAP_FUZZ=10000` tries as many engagements.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.hostile import HOSTILE
from support.lab import campaign
from support.messages import AT
from support.servers import hook, reply

from socap_cli.alerts.compose import Background, compose
from socap_cli.channels import open_channels
from socap_cli.channels.common import Templates
from socap_cli.channels.email import text_body, write_letter
from socap_cli.channels.slack import SlackTemplates
from socap_cli.channels.slack import payload as blocks
from socap_cli.channels.webhook import payload
from socap_cli.model.account import Profile
from socap_cli.model.alert import ClaimedMessage
from socap_cli.model.campaign import CampaignTweet, TweetCategory
from socap_cli.model.engagement import Engagement, Importance
from socap_cli.model.message import Message, MessageKind
from socap_cli.settings import AlertSettings, parse_address
from socap_cli.text import escape_formulas

TRIED = int(os.environ.get("SOCAP_FUZZ", "60"))
UNWANTED = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff\\u202a-\\u202e\\u2066-\\u2069]"
)
CALLS = re.compile(r"@(?:everyone|here|channel|all|group|room|team)\b|<[!@#&]", re.IGNORECASE)
texts = (
    st.sampled_from(HOSTILE) | st.text(max_size=200) | st.tuples(*[st.sampled_from(HOSTILE)] * 2).map("".join)
)
fuzz = settings(deadline=None, max_examples=TRIED)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """What is told of one or two accounts whose every text is a stranger's."""
    found = [_engagement(draw, number) for number in range(draw(st.integers(1, 2)))]
    author = draw(texts)
    watched = CampaignTweet(
        "launch", "100", TweetCategory.MAIN, f"https://x.com/{author}", AT, author, author
    )
    name = draw(texts)
    known = Background(
        {"100": watched}, followers={found[0].profile.user_id: (9, ((draw(texts), 5.0),))},
        organisations={found[0].profile.user_id: "of Fund Z"}, report_url="https://reports.example/launch.html",
    )  # fmt: skip
    kind = MessageKind.PERSON if len(found) == 1 else MessageKind.DIGEST
    claimed = ClaimedMessage("launch-1", "launch", "", "", kind, AT)
    return compose(claimed, [[one] for one in found], campaign(at=AT, name=name), known)


def _engagement(draw: st.DrawFn, number: int) -> Engagement:
    profile = Profile(f"{number}{draw(texts)}", draw(texts), draw(texts), draw(texts), 5, verified=True)
    return Engagement(
        f"100:reply:{number}", "100", "reply", draw(texts), profile, Importance(31.0, ((draw(texts), 5.0),)),
        ("investors",), AT, AT, False, AT, draw(texts), (draw(texts),),
    )  # fmt: skip


@pytest.mark.slow
@given(messages())
@fuzz
def test_slack_shows_it_and_does_nothing_else(message: Message) -> None:
    body = blocks(message, SlackTemplates())
    written = json.dumps(body, ensure_ascii=False)
    assert not UNWANTED.search(written)
    assert not CALLS.search(written)
    assert len(body["blocks"]) == len(message.people) + 2
    for block in body["blocks"]:
        for part in [block["text"]] if "text" in block else block["elements"]:
            assert 0 < len(part["text"]) <= (150 if part["type"] == "plain_text" else 3000)
            if part["type"] == "mrkdwn":
                links = re.findall(r"<([^<>|\n]*)\|[^<>\n]*>", part["text"])
                assert part["text"].count("<") == len(links)
                assert all(
                    re.match(r"https://(?:x\.com|reports\.example)(?:/[\w/.#=%~-]*)?$", link)
                    for link in links
                )


class Tags(HTMLParser):
    """The tags and addresses of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, " ".join(sorted(name for name, _ in attrs))))
        for name, value in attrs:
            if name == "href":
                assert re.match(r"https://(?:x\.com|reports\.example)(?:/|$)", value or "")


USUAL_TAGS = frozenset(
    [
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "table",
        "tr",
        "td",
        "bdi",
        "div",
        "span",
        "strong",
        "a",
    ]
)


@pytest.mark.slow
@given(messages())
@fuzz
def test_a_mail_shows_it_and_does_nothing_else(message: Message) -> None:
    templates = Templates()
    page = templates.render("email.html", message)
    letter = write_letter(
        text_body(templates.render("email.txt", message), page),
        parse_address("socap <alerts@agency.example>"), parse_address("team@agency.example"),
        templates.render("subject.txt", message), (message.message_id,), now=AT, thread=message.thread,
    )  # fmt: skip
    assert letter.isascii()
    head, _, _ = letter.partition(b"\r\n\r\n")
    names = [line.split(b":")[0].decode() for line in head.split(b"\r\n") if not line.startswith(b" ")]
    assert names == [
        "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
        "X-Auto-Response-Suppress", "MIME-Version", "Content-Type",
    ]  # fmt: skip
    assert max(map(len, letter.split(b"\r\n"))) <= 998
    parsed = message_from_bytes(letter, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    parts = [part.get_content() for part in parsed.walk() if not part.is_multipart()]
    assert len(parts) == 2
    assert not any(UNWANTED.search(part.replace("\r", "")) for part in parts)
    tags = Tags(parts[1]).found
    assert {tag for tag, _ in tags} <= USUAL_TAGS
    told = [one for person in message.people for one in person.engagements]
    assert sum(tag == "a" for tag, _ in tags) == 2 * len(told) + 2 * len(message.people) + 1


def every_text(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in every_text(part)]
    if isinstance(value, list):
        return [text for part in value for text in every_text(part)]
    return [value] if isinstance(value, str) else []


@pytest.mark.slow
@given(messages())
@fuzz
def test_json_holds_it_cleaned_and_within_bounds(message: Message) -> None:
    body = payload(message)
    assert json.loads(json.dumps(body).encode("utf-8")) == body
    found = every_text(body)
    assert not any(UNWANTED.search(text) for text in found)
    assert max(map(len, found)) <= 1100
    assert all(text.encode("utf-8") is not None for text in found)


@pytest.mark.slow
def test_apprise_gets_it_as_plain_text_without_a_call() -> None:
    with hook(reply(200)) as one:
        address = f"json://127.0.0.1:{one.port}/x"
        chosen = AlertSettings.model_validate({"webhook_hosts": ["127.0.0.1"], "apprise": [address]})
        channel = open_channels(chosen)["apprise"]

        @given(messages())
        @settings(deadline=None, max_examples=max(20, TRIED // 10))
        def tried(message: Message) -> None:
            one.requests.clear()
            channel.send(address, message)
            for _, body in one.requests:
                said = json.loads(body)
                assert not UNWANTED.search(said["title"] + said["message"].replace("\r", ""))
                assert not CALLS.search(said["title"] + said["message"])

        tried()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@given(st.lists(st.text(st.sampled_from("=+-@＝;\t\r\n ,\"'ax1")), min_size=1, max_size=3))
def test_no_cell_is_a_formula_whichever_delimiter_a_spreadsheet_takes(
    delimiter: str, texts: list[str]
) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerow([escape_formulas(text) for text in texts])
    for row in csv.reader(io.StringIO(stream.getvalue(), newline=""), delimiter=delimiter):
        assert not [cell for cell in row if cell.lstrip(" ").startswith(tuple("=+-@＝"))]
