"""The documents agree with the program: whatever it has is documented, whatever they show is taken by it, and runs."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest
from support.command_lines import commands_in, complaint, parser

from socap_cli.cli.app import COMMANDS, GROUPS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]+)?(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def shell_lines(page: Path) -> list[str]:
    """What a person would type: lines of console blocks behind their prompt, and those of sh blocks."""
    lines = []
    for language, text in FENCE.findall(page.read_text("utf-8")):
        if language == "console":
            lines += [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
        elif language == "sh":
            lines += text.splitlines()
    return [re.sub(r"\s#.*$", "", line) for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_document_shows_is_one_of_the_programs(page: Path) -> None:
    words = [found for line in shell_lines(page) for found in commands_in(line)]
    assert {" ".join(one): complaint(one) for one in words if complaint(one)} == {}


def anchor(heading: str) -> str:
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading.lower())).strip("-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_document_leads_somewhere(page: Path) -> None:
    for target, part in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), target
        if part:
            assert part in {anchor(heading) for heading in HEADING.findall(file.read_text("utf-8"))}, (
                target,
                part,
            )


def test_every_page_stands_in_the_sites_contents() -> None:
    contents = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text("utf-8")))
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    assert pages - contents == set()


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["reference.py", "n8n_workflows.py"])
def test_what_is_written_by_a_tool_is_what_it_would_write_now(tool: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / tool), "--check"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_every_option_argument_setting_and_exit_code_says_what_it_is() -> None:
    for name in ("commands", "settings", "exit-codes"):
        text = (ROOT / "docs" / "reference" / f"{name}.md").read_text("utf-8")
        rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("| `")]
        rows += [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if re.match(r"\| \d", line)]
        assert rows
        assert [row[0].strip() for row in rows if not row[1].strip()] == []


def test_every_command_stands_in_the_overview_and_in_its_group() -> None:
    overview = (ROOT / "docs" / "commands.md").read_text("utf-8")
    names = list(COMMANDS)
    names += [f"{group} {inner}" for group in GROUPS for inner in parser().commands[group].commands]
    assert [name for name in names if f"`socap {name}" not in overview] == []


@pytest.mark.exhaustive
@pytest.mark.skipif(util.find_spec("mkdocs") is None, reason="needs mkdocs-material: make docs")
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path / "site")]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=quiet)
    assert (done.returncode, done.stderr) == (0, "")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def block_of(page: str, heading: str) -> str:
    section = (ROOT / page).read_text("utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    ((_, text),) = FENCE.findall(section)
    return str(text)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.skipif(util.find_spec("fiftyone") is None, reason="needs the extra `embedded`")
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_stages_by_hand_run_when_their_block_is_pasted_twice(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "socap"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH={os.pathsep.join(sys.path)!r} exec {sys.executable} -m socap_cli "$@"\n'
    )
    program.chmod(0o755)
    block = block_of("docs/first-campaign.md", "Every stage by hand, without a key").replace(
        "8400", str(free_port())
    )
    block = block.replace("source .venv/bin/activate\n", "").replace("--speed 0", "--speed 0 --tweets 20")
    script = f"set -e\ntrap 'kill $! 2>/dev/null || true; socap db stop' EXIT\n{block}\n{block}"
    done = subprocess.run(
        ["bash", "-m", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "error" not in done.stderr
    assert len(list(tmp_path.glob("try.*/socap-report/*/launch.html"))) == 2
