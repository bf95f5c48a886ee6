"""The structure: every room on its floor and within the budget."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path

import socap_cli

ROOT = Path(socap_cli.__file__).parent
REPOSITORY = Path(__file__).parent.parent
MOST_FILES, MOST_LINES = 125, 29_300
"""The aim is 26,000 lines; the bound follows the package down."""


@cache
def modules() -> dict[str, ast.Module]:
    """Every module by its dotted name, without the generated one."""
    names = {}
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(("socap_cli", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
            ".__init__"
        )
        if name != "socap_cli._version":
            names[name] = ast.parse(path.read_text(encoding="utf-8"))
    return names


def source_of(name: str) -> Path:
    path = ROOT.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def lines_of(name: str) -> int:
    return len(source_of(name).read_text(encoding="utf-8").splitlines())


def test_the_guide_draws_every_room_on_its_floor() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    floors, *_ = settings["tool"]["importlinter"]["contracts"]
    guide = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
    drawn = [set(re.findall(r"\w+", line)) for line in guide.split("```")[1].splitlines()[1:]]
    layers = [set(floor.split(" | ")) for floor in floors["layers"]]
    assert [layer - line for layer, line in zip(layers, drawn, strict=True)] == [set()] * len(layers)


def test_the_package_stays_within_its_budget() -> None:
    assert len(modules()) <= MOST_FILES
    assert sum(lines_of(name) for name in modules()) <= MOST_LINES


def test_few_small_modules_serve_one_sibling_alone() -> None:
    importers: dict[str, set[str]] = defaultdict(set)
    for importer, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    importers[full if full in modules() else node.module].add(importer)
    alone = [
        name
        for name in modules()
        if lines_of(name) < 100
        and source_of(name).name != "__init__.py"
        and len(importers[name]) == 1
        and source_of(next(iter(importers[name]))).parent == source_of(name).parent
    ]
    assert len(alone) <= 10, alone


def test_every_logger_is_named_after_its_room() -> None:
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).with_suffix("").parts[0]
        for name in re.findall(r"getLogger\(([^)]+)\)", path.read_text(encoding="utf-8")):
            assert name in (f'"socap.{room}"', "ROOT"), path


def test_a_class_name_occurs_once() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for module, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(module)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_private_attribute_of_another_object_is_used() -> None:
    """`os._exit` is the documented way to end a process at once."""
    used = [
        f"{module}:{node.lineno} {ast.unparse(node)}"
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
        and ast.unparse(node) != "os._exit"
    ]
    assert used == []
