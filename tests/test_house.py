"""The structure: every room on its floor, every logger named after its room."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import socap_cli

ROOT = Path(socap_cli.__file__).parent
REPOSITORY = Path(__file__).parent.parent


def test_the_guide_draws_every_room_on_its_floor() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    floors, *_ = settings["tool"]["importlinter"]["contracts"]
    guide = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
    drawn = [set(re.findall(r"\w+", line)) for line in guide.split("```")[1].splitlines()[1:]]
    wanted = [set(floor.split(" | ")) for floor in floors["layers"]]
    assert [floor - line for floor, line in zip(wanted, drawn, strict=True)] == [set()] * len(wanted)


def test_every_logger_is_named_after_its_room() -> None:
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).with_suffix("").parts[0]
        for name in re.findall(r"getLogger\(([^)]+)\)", path.read_text(encoding="utf-8")):
            assert name in (f'"socap.{room}"', "ROOT"), path
