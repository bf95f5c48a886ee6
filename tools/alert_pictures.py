"""Draws what alerts look like: Slack's blocks and the mail, narrow and wide, light and dark, as PNG files.

python tools/alert_pictures.py FOLDER    # needs chromium

Slack's own fonts and distances are imitated, its limits are not: what is drawn is what the blocks say.
"""

from __future__ import annotations

import html
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from socap_cli.channels.common import Templates
from socap_cli.channels.slack import SlackTemplates, payload
from socap_cli.model.message import Message, MessageEngagement, MessageKind, MessagePerson

NOW = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
PAGE = "https://reports.agency.example/launch.html"
STYLE = """
body{margin:0;padding:16px;background:#fff;color:#1d1c1d;font:15px/1.46 Lato,Helvetica,Arial,sans-serif}
.m{display:flex;gap:8px;max-width:900px}.i{width:36px;height:36px;flex:none;border-radius:6px;background:#2f5bd7}
.b{min-width:0;flex:1}.n{font-weight:900}.t{color:#616061;font-size:12px}h1{font-size:18px;line-height:1.33;margin:4px 0}
.s{margin:8px 0;white-space:pre-wrap;overflow-wrap:anywhere}.c{color:#616061;font-size:13px;overflow-wrap:anywhere}
a{color:#1264a3;text-decoration:none}q{display:block;quotes:none;border-left:4px solid #ddd;padding-left:8px}
.dark{background:#1a1d21;color:#d1d2d3}.dark .t,.dark .c{color:#ababad}.dark a{color:#1d9bd1}.dark q{border-color:#424448}
"""


def drawn(body: dict[str, Any], *, dark: bool) -> str:
    """A page that shows blocks as Slack does."""
    parts = "".join(map(_block, body["blocks"]))
    theme = "dark" if dark else ""
    return (
        f'<!DOCTYPE html><meta charset="utf-8"><style>{STYLE}</style><body class="{theme}"><div class="m"><div class="i">'
        f'</div><div class="b"><span class="n">socap</span> <span class="t">APP 14:05</span>{parts}</div></div></body>'
    )


def _block(block: dict[str, Any]) -> str:
    if block["type"] == "header":
        return f"<h1>{html.escape(block['text']['text'])}</h1>"
    if block["type"] == "section":
        return f'<div class="s">{_markup(block["text"]["text"])}</div>'
    if block["type"] == "divider":
        return "<hr>"
    return "".join(f'<div class="c">{_markup(part["text"])}</div>' for part in block["elements"])


def _markup(text: str) -> str:
    text = re.sub(
        r"^(?:&gt;|>) ?(.*)$",
        r"<q>\1</q>",
        re.sub(r"<([^|>]+)\|([^>]*)>", r'<a href="\1">\2</a>', text),
        flags=re.M,
    )
    text = re.sub(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])", r"<b>\1</b>", text)
    text = re.sub(r"(?<![\w_/])_([^_\n]+)_(?![\w_])", r"<i>\1</i>", text)
    return text.replace("</q>\n", "</q>")


def _engagement(number: int, action: str, verb: str, text: str = "") -> MessageEngagement:
    who = f"https://x.com/ada_vc/status/19966{number:014}"
    return MessageEngagement(
        f"19965:{action}:{number}", action, verb, who, "1996518988151706001",
        "https://x.com/launchco/status/1996518988151706001", "@launchco's tweet", "client",
        NOW - timedelta(minutes=7 * number), text,
    )  # fmt: skip


ADA = MessagePerson(
    "7", "ada_vc", "Ada Novák", "https://x.com/ada_vc", 31.0,
    (
        _engagement(1, "reply", "replied to", "This is the cleanest launch I have seen this year.\nWho built the indexer?"),
        _engagement(2, "retweet", "retweeted"),
    ),
    is_vip=True, is_verified=True, followers=128_345, bio="General partner at Fund Z. Protocols, proofs, and long dinners.",
    labels=("vcs", "founders"), reasons=(("boss", 12.0), ("vc1", 10.5), ("vc2", 5.0)), important_followers=19,
    organisation="third of Fund Z in this campaign", report_url=f"{PAGE}#q=ada_vc",
)  # fmt: skip
OTHERS = tuple(
    MessagePerson(
        str(number), handle, name, f"https://x.com/{handle}", score,
        (_engagement(number, action, verb, text),), followers=followers, bio=bio, labels=labels,
        reasons=(("boss", 12.0),), important_followers=more, report_url=f"{PAGE}#q={handle}",
    )
    for number, handle, name, score, action, verb, text, followers, bio, labels, more in (
        (3, "omar_builds", "Omar Silva", 22.0, "quote", "quoted", "Read the thread, then read it again.", 9_120, "Building rollups", ("founders",), 4),
        (4, "研究者の山田", "山田 花子", 18.0, "reply", "replied to", "おめでとうございます！", 45_003, "分散システムの研究者", ("researchers",), 1),
        (5, "layla", "\u2067ليلى حداد\u2069", 14.5, "reply", "replied to", "مبروك الإطلاق، متى تفتحون الباب؟", 3_200, "مستثمرة", ("investors",), 2),
        (6, "averyveryverylongname", "A" * 60, 12.0, "retweet", "retweeted", "", 17, "x" * 150, (), 0),
    )
)  # fmt: skip
FOOT = {"thread": "launch-20260302", "created_at": NOW, "report_url": PAGE}
PERSON = Message(
    "launch-1", MessageKind.PERSON, "launch", "Spring Launch",
    "Spring Launch: VIP Ada Novák (@ada_vc) engaged 2 times: replied to, retweeted", (ADA,), **FOOT,  # type: ignore[arg-type]
)  # fmt: skip
DIGEST = replace(
    PERSON, kind=MessageKind.DIGEST, people=(replace(ADA, is_vip=False), *OTHERS), may_be_repeated=True,
    title="Spring Launch: 5 important people engaged: @ada_vc, @omar_builds, @研究者の山田 and 2 more",
)  # fmt: skip


def pages() -> Iterator[tuple[str, str, bool]]:
    """(name, page, whether the browser prefers dark)."""
    for name, message in (("person", PERSON), ("digest", DIGEST)):
        body = payload(message, SlackTemplates())
        mail = Templates().render("email.html", message)
        for dark in (False, True):
            theme = "dark" if dark else "light"
            yield f"slack-{name}-{theme}", drawn(body, dark=dark), dark
            yield f"mail-{name}-{theme}", mail, dark


def main() -> None:
    """Write the pictures."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name, page, dark in pages():
            file = Path(scratch, f"{name}.html")
            file.write_text(page, encoding="utf-8")
            for width in (400, 1200):
                _shoot(file, folder / f"{name}-{width}.png", width, dark=dark)


def _shoot(page: Path, picture: Path, width: int, *, dark: bool) -> None:
    """In a frame of that width: a window of Chromium has at least 500 points."""
    frame = page.with_name(f"frame-{width}.html")
    height = 1700 if width < 500 else 1300
    frame.write_text(
        f'<body style="margin:0"><iframe src="{page.name}" style="border:0;width:{width}px;height:{height}px"></iframe>',
        encoding="utf-8",
    )
    theme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *theme,
         f"--window-size={max(width, 500)},{height}", f"--screenshot={picture}", frame.as_uri()],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip


if __name__ == "__main__":
    main()
