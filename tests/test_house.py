"""The house keeps its measure: short functions and modules, few parameters, words for whoever comes next."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median, quantiles

import socap_cli

ROOT = Path(socap_cli.__file__).parent
REPOSITORY = Path(__file__).parent.parent
Function = ast.FunctionDef | ast.AsyncFunctionDef
LONGEST_FUNCTION, LONGEST_MODULE, MOST_PARAMETERS = 50, 250, 6


@cache
def modules() -> list[tuple[str, ast.Module, int]]:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append((str(path.relative_to(ROOT)), ast.parse(text), len(text.splitlines())))
    return found


def functions() -> Iterator[tuple[str, Function]]:
    for name, tree, _ in modules():
        for node in ast.walk(tree):
            if isinstance(node, Function):
                yield f"{name}:{node.lineno} {node.name}", node


def length(node: Function) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def parameters(node: Function) -> list[str]:
    arguments = node.args
    return [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def is_command(node: Function) -> bool:
    """A command's signature is the command line's; its length is that of its options."""
    return bool({"ctx", "config"} & set(parameters(node)[:1]))


def test_the_guide_draws_every_room_on_its_floor() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    floors, *_ = settings["tool"]["importlinter"]["contracts"]
    guide = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
    drawn = [set(re.findall(r"\w+", line)) for line in guide.split("```")[1].splitlines()[1:]]
    wanted = [set(floor.split(" | ")) for floor in floors["layers"]]
    assert [floor - line for floor, line in zip(wanted, drawn, strict=True)] == [set()] * len(wanted)


def test_no_function_is_longer_than_a_screen() -> None:
    long = [name for name, node in functions() if length(node) > LONGEST_FUNCTION and not is_command(node)]
    assert long == []


def test_most_functions_are_short() -> None:
    lengths = [length(node) for _, node in functions()]
    assert median(lengths) <= 8
    assert quantiles(lengths, n=10)[-1] <= 25


def test_no_module_is_longer_than_its_subject() -> None:
    assert [(name, lines) for name, _, lines in modules() if lines > LONGEST_MODULE] == []


def test_no_function_takes_more_than_a_hand_can_hold() -> None:
    many = [
        node.name
        for _, node in functions()
        if len(parameters(node)) > MOST_PARAMETERS and not is_command(node)
    ]
    assert many == []


def test_what_is_public_says_what_it_is_for() -> None:
    public = [
        (f"{name} {node.name}", ast.get_docstring(node))
        for name, tree, _ in modules()
        for node in [*tree.body, *(m for c in tree.body if isinstance(c, ast.ClassDef) for m in c.body)]
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
    ]
    without = [name for name, text in public if not text]
    assert len(without) <= 0.05 * len(public), without


def test_every_logger_is_named_after_its_room() -> None:
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).with_suffix("").parts[0]
        for name in re.findall(r"getLogger\(([^)]+)\)", path.read_text(encoding="utf-8")):
            assert name in (f'"socap.{room}"', "ROOT"), path
