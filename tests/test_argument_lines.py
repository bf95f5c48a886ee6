"""Any line of arguments ends in an answer: an exit code of the contract, one JSON object, never a bug."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from support.terminal import Cli

from socap_cli.cli.app import execute

LINES = 100 * int(os.environ.get("SOCAP_FUZZ", "3"))
ROUNDS = 10
"""Each with a database and a seed of its own."""
FILES = {
    "good.csv": b"url,category\nhttps://x.com/ada/status/101,client\nnonsense\n",
    "utf16.csv": "url\nhttps://x.com/a/status/5\n".encode("utf-16"),
    "quote.csv": b'url,n\nx.com/a/status/1,"oops\nx.com/a/status/2,ok\n',
    "bytes.csv": b"\xff\x00\xfe",
    "deep.toml": b"a=" + b"[" * 3000,
    "nan.toml": b'slug="launch"\nthreshold=nan\n[[tweets]]\nurl="x.com/a/status/9"\n',
    "good.toml": b'slug="launch"\ndays=3\nthreshold=3\n[[tweets]]\nurl="x.com/a/status/9"\n',
    "digits.json": b'[{"username":"ada","weight":' + b"9" * 5001 + b"}]",
    "deep.json": b"[" * 100_000,
    "people.json": b'{"important_people":[{"username":"ada","weight":1e999},{"username":"bob","tags":{"\\u0000":1}},'
    b'{"username":"\\ud800"}],"following_index":[{"followed_username":"x","followed_by":["ada",{"weight":null}]}]}',
    "people.csv": b"Name;Handle;Weight\nAda;@ada;5\nX;;\n",
    "sheet.xlsx": b"PK\x03\x04aaaa",
    "empty.txt": b"",
    "nul.txt": b"a\0b",
}
VALUES = (
    "launch", "second", "index", "nope", "", "\udcff", "A B", "../x", "x" * 100, "-1", "0", "1e9", "nan", "inf", "3",
    "5.5", "2026-01-01", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00", "soon", "@ada", "ada,bob", "Ada Example",
    "https://x.com/ada", "https://x.com/ada/status/101", "x.com/a/status/102=investor", "1.99E+18", "client", "zebra",
    "slack", "email", "pigeon", "https://hooks.slack.com/services/x", "http://evil/", "a@b.example", "a\nb@c", "json",
    "csv", "xml", "\x1b[31m", "🚀", "end", "vips", "name", "active", "completed", *FILES,
)  # fmt: skip
TWEETS = ("https://x.com/ada/status/101", "x.com/a/status/102", "\udcff", "1.99E+18", "101")
ADD = (
    "--tweet", "--from", "--start", "--end", "--days", "--threshold", "--channel", "--slack-webhook", "--client-name",
    "--client-email", "--vip", "--ignore", "--spacing", "--frequency-window", "--name",
)  # fmt: skip
EDIT = (*ADD, "--clear", "--add-vip", "--remove-vip", "--add-ignore", "--remove-ignore")
SHAPES: dict[str, tuple[int, tuple[str, ...], tuple[str, ...]]] = {
    "campaign add": (1, ADD, ("--no-verify", "--dry-run")),
    "campaign add-tweets": (1, ("--tweet", "--from"), ("--no-verify", "--dry-run")),
    "campaign edit": (1, EDIT, ("--no-verify", "--dry-run")),
    "campaign edit-tweet": (2, ("--category",), ("--dry-run",)),
    "campaign remove-tweet": (2, (), ("--dry-run",)),
    "campaign list": (0, ("--status",), ()),
    "campaign show": (1, (), ()),
    "campaign pause": (1, (), ()),
    "campaign resume": (1, ("--days",), ()),
    "campaign complete": (1, (), ()),
    "campaign delete": (1, (), ("--yes", "--dry-run")),
    "campaign estimate": (1, (), ()),
    "campaign apply": (1, (), ("--no-verify", "--dry-run")),
    "campaign export --out out.txt": (1, (), ()),
    "importance import": (1, ("--column",), ("--dry-run",)),
    "importance list": (0, ("--limit",), ("--index",)),
    "importance show": (1, (), ()),
    "importance remove": (1, (), ("--dry-run",)),
    "importance export --out out.txt": (0, ("--format",), ()),
    "importance rescore": (0, ("--campaign",), ("--dry-run",)),
    "categories test": (1, (), ()),
    "enqueue": (0, ("--campaign",), ()),
}
"""Each command with its number of arguments, its options with a value, and its switches."""


def line_of(rng: random.Random) -> list[str]:
    """A line that is right in about half of its parts."""
    name = rng.choice(list(SHAPES))
    count, options, switches = SHAPES[name]
    line = name.split()
    for position in range(count):
        is_slug = position == 0 and name.startswith("campaign") and name != "campaign apply"
        line.append(rng.choice(("launch", "second") if is_slug and rng.random() < 0.8 else VALUES))
    for _ in range(rng.randint(0, 3) if options else 0):
        option = rng.choice(options)
        line += [option, rng.choice({"--tweet": TWEETS, "--from": tuple(FILES)}.get(option, VALUES))]
    if name == "campaign add" and rng.random() < 0.7:
        line += ["--days", "3", "--no-verify"]
    return line + [switch for switch in switches if rng.random() < 0.6]


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_any_line_ends_in_an_answer(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    rng = random.Random(f"{seed}:{LINES}")
    for _ in range(LINES // ROUNDS):
        line = line_of(rng)
        code = execute([*line, "--json"])
        out, err = cli.capsys.readouterr()
        assert code in (0, 1, 2, 4), (line, code, out, err)
        assert "Traceback" not in out + err, line
        answer = json.loads(out.strip().splitlines()[-1])
        assert (answer["exit_code"], answer["ok"]) == (code, code in (0, 4)), line
        assert (answer["error"] is None) is (code in (0, 4)), line
