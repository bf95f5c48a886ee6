"""Any configuration is taken, or refused in one line that names its place and repeats no secret."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from socap_cli.cli.app import execute
from socap_cli.settings import FILE_NAME, PLAN_NAMES, Settings

pytestmark = pytest.mark.slow

ROUNDS = 20 * int(os.environ.get("SOCAP_FUZZ", "0")) or 300
EXAMPLE = (Path(__file__).parent.parent / "config.example.toml").read_text("utf-8")
MARK = "hush4711"
PLACES = ("SOCAP_CONFIG", "SOCAP_DATA_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME")
NAMES = [
    *PLAN_NAMES,
    *(f"SOCAP_{section}__{key}".upper() for section, field in Settings.model_fields.items()
      for key in getattr(field.annotation, "model_fields", {})),
    "SOCAP_PROVIDER", "SOCAP_FOO__BAR", "SOCAP_", "SOCAP___",
    *PLACES,
]  # fmt: skip
VALUES = [
    "", " ", "x", "0", "-1", "1", "1.5", "nan", "inf", "-inf", "1e9", "1e309", "9" * 30, "9" * 5000, "true", "null",
    "{}", "[]", "[1]", "{\"a\": 1}", "a,b", ",", "http://", "http://h:x", "https://h/p?q#f", "smtp://", "smtp://u:p@h:99999",
    "mongodb://", "~", "~nosuchuser", "/", ".", "..", "a" * 300, "a/" * 3000, "\r\n", "a\nb", "\x1b[31m", "é", "\udcff",
    "\u202e", "\U0001f600", "\ud83d", "%s", "%00", "$HOME", "`id`", "socap.toml", "/no/such/file", "'", '"', "\\",
]  # fmt: skip
SECRETS = [
    "https://hooks.slack.com/services/{}", "smtp://u:{}@mail.example", "mongodb://u:{}@db.example/", "{}", "http://u:{}@h/",
    "slack://{}/x", "{}\n{}", "{}\x01", "{} {}", "é{}",
]  # fmt: skip


def variables(rng: random.Random) -> dict[str, str]:
    chosen = {}
    for _ in range(rng.choice([0, 1, 1, 1, 2, 5])):
        name = rng.choice(NAMES) + rng.choice(["", "", "", "_FILE"])
        secret = rng.choice(SECRETS).replace("{}", MARK)
        value = rng.choice(
            [rng.choice(VALUES), secret, "".join(chr(rng.randrange(1, 0x3000)) for _ in range(5))]
        )
        if name in PLACES and MARK in value:
            continue  # a path is told, and no secret
        chosen[name] = value.encode("utf-8", "ignore").decode() if "\ud83d" in value else value
    if rng.random() < 0.1:
        Path("secret").write_bytes(
            rng.choice([MARK.encode(), b"\xff" + MARK.encode(), f"# k\n{MARK}\n".encode(), b"\0"])
        )
        chosen[f"{rng.choice([*PLAN_NAMES])}_FILE"] = "secret"
    return chosen


def written(rng: random.Random) -> bytes:
    """The example, some of its settings switched on, some of those with another value, and a little damage."""
    lines = []
    for line in EXAMPLE.splitlines():
        shown = line.removeprefix("# ") if " = " in line and rng.random() < 0.2 else line
        if shown != line and rng.random() < 0.2:
            value = rng.choice([*VALUES, *(one.replace("{}", MARK) for one in SECRETS)])
            shown = f"{shown.partition(' = ')[0]} = {rng.choice([value, json.dumps(value), f'[{value}]'])}"
        lines.append(shown)
    text = "\n".join(lines).encode("utf-8", "surrogatepass" if rng.random() < 0.1 else "replace")
    for _ in range(rng.choice([0, 0, 0, 1, 3])):
        at = rng.randrange(len(text))
        text = text[:at] + rng.randbytes(rng.randrange(3)) + text[at + rng.randrange(3) :]
    return text


def test_any_configuration_is_taken_or_refused_with_its_place(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ends = set()
    for seed in range(ROUNDS):
        rng = random.Random(seed)
        given = variables(rng)
        has_file = rng.random() < 0.5
        Path(FILE_NAME).write_bytes(written(rng) if has_file else b"")
        with monkeypatch.context() as patch:
            for name, value in given.items():
                patch.setenv(name, value)
            code = execute(["--json", "db", "stop"] if rng.random() < 0.5 else ["db", "stop"])
        out, err = capfd.readouterr()
        shown = (seed, given, out, err)
        assert code in (0, 1, 2), shown
        assert "Traceback" not in out + err, shown
        assert MARK not in out + err, shown
        if out.startswith("{"):
            answer = json.loads(out)
            assert answer["exit_code"] == code, shown
            assert (answer["error"] is None) is (code == 0), shown
        elif code:
            assert err.startswith("error: "), shown
            assert err.count("\n") == 1, shown
        ends.add(code)
    assert {0, 2} <= ends
