"""What people read uses the words of docs/architecture.md's glossary, not those that were replaced by them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "socap_cli"
REPLACED = re.compile(
    r"\b(told|tells|mend(ed|s)?|armed|arms|whom no|through whom|by whose|whose tweets|taken back|given up|let go"
    r"|lately|stayed away|stays away|engagers?|strangers?|crowd|post office|goes on|heeded|judged|is nowhere|like that"
    r"|swept|looked at)\b",
    re.IGNORECASE,
)
STORED = {"told lately"}
"""Values in databases of earlier versions."""
PAGES = sorted([ROOT / "README.md", ROOT / "config.example.toml", *(ROOT / "docs").rglob("*.md")])
TEMPLATES = sorted(path for path in PACKAGE.rglob("templates/*") if path.suffix in {".html", ".txt"})
MODULES = sorted(PACKAGE.rglob("*.py"))
IS_TEXT = re.compile(r"[a-z] [a-z]", re.IGNORECASE)


def visible_strings(module: Path) -> Iterator[tuple[int, str]]:
    """String constants with at least two words, without docstrings."""
    tree = ast.parse(module.read_text("utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in docstrings:
            continue
        if IS_TEXT.search(node.value):
            yield node.lineno, node.value


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_message_uses_a_word_that_was_replaced(module: Path) -> None:
    found = [row for row in visible_strings(module) if REPLACED.search(row[1])]
    assert [row for row in found if row[1] not in STORED] == []


@pytest.mark.parametrize("path", [*PAGES, *TEMPLATES], ids=lambda path: path.name)
def test_no_page_template_or_document_uses_a_word_that_was_replaced(path: Path) -> None:
    text = re.sub(r"\{[{%].*?[%}]\}", "", path.read_text("utf-8"))
    assert [line for line in text.splitlines() if REPLACED.search(line)] == []
