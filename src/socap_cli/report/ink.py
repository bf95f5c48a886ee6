"""matplotlib's SVG made small and part of a page: no ids twice, no style of its own, the page's colours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

SVG = "http://www.w3.org/2000/svg"
SOFT, GRID = "#010101", "#020202"
FIRST_SERIES = 3
MOST_SERIES = 9
"""Tokens that matplotlib takes for colours, and that become the page's own afterwards."""
DROPPED = frozenset({"metadata", "style", "title", "use"})
KEPT_STYLE = frozenset(
    {"fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "fill-opacity", "text-anchor"}
)
DEFAULTS = {("fill-opacity", "1"), ("opacity", "1"), ("stroke-dasharray", "none"), ("text-anchor", "start")}
USUAL_SIZE = 11.0
"""Pixels of the letters that say nothing of their size; the page's style knows it."""
BOX = re.compile(r"M ([\d.-]+) ([\d.-]+) L ([\d.-]+) \2 L \3 ([\d.-]+) L \1 \4(?: L \1 \2)? z ?")
NUMBER = re.compile(r"-?\d+\.\d+")


def series(count: int) -> Sequence[str]:
    """The tokens of so many series."""
    return [f"#{n:02x}{n:02x}{n:02x}" for n in range(FIRST_SERIES, FIRST_SERIES + min(count, MOST_SERIES))]


def _variable(token: str) -> str | None:
    """The page's variable that a token stands for."""
    fixed = {SOFT: "var(--ink-soft)", GRID: "var(--grid)"}
    if token in fixed:
        return fixed[token]
    tokens = series(MOST_SERIES)
    return f"var(--c{tokens.index(token) + 1})" if token in tokens else None


def inline(svg: str, *, prefix: str) -> str:
    """The picture for a page: nothing that is not seen, ids that begin with a prefix, hidden from screen readers.

    The figures behind it stand in a table beside it.
    """
    ET.register_namespace("", SVG)
    root = ET.fromstring(svg[svg.index("<svg") :])  # noqa: S314 (our own picture)
    _strip(root)
    _name(root, prefix)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("aria-hidden", "true")
    root.set("focusable", "false")
    text = ET.tostring(root, encoding="unicode")
    return re.sub(r">\s+<", "><", text).strip()


def _strip(node: ET.Element) -> None:
    for child in list(node):
        _strip(child)
        local = child.tag.rpartition("}")[2]
        empty = local in ("g", "defs") and len(child) == 0
        unseen = (
            local == "path"
            and "fill: none" in child.get("style", "")
            and "stroke" not in child.get("style", "")
        )
        if local in DROPPED or empty or unseen or _is_mark(child, node):
            node.remove(child)
            continue
        _restyle(child)
        for name in ("d", "x", "y", "points", "transform"):
            if name in child.attrib:
                child.set(name, _rounded(child.get(name, "")))
        if "d" in child.attrib:
            boxed = BOX.sub(r"M\1 \2H\3V\4H\1z", child.attrib["d"])
            child.set("d", boxed.replace(" L ", " ").replace("M ", "M"))
        child.text = child.text if local in ("text", "tspan") else None
        child.tail = None
        if local == "g":
            child.attrib.pop("id", None)
    _unwrap(node)
    _join(node)


def _join(node: ET.Element) -> None:
    """Make one path of neighbours that look the same: a chart's columns are hundreds of them."""
    before: ET.Element | None = None
    for child in list(node):
        is_path = child.tag.rpartition("}")[2] == "path"
        if is_path and before is not None and _look(child) == _look(before):
            before.set("d", f"{before.get('d')} {child.get('d')}")
            node.remove(child)
        else:
            before = child if is_path else None


def _look(path: ET.Element) -> dict[str, str]:
    return {name: value for name, value in path.attrib.items() if name != "d"}


def _is_mark(child: ET.Element, parent: ET.Element) -> bool:
    """A tick's little line, which only `use` would have shown."""
    in_defs = parent.tag.rpartition("}")[2] == "defs"
    return in_defs and child.tag.rpartition("}")[2] == "path"


def _unwrap(node: ET.Element) -> None:
    """Put the only child of a bare group in the group's place."""
    for place, child in enumerate(list(node)):
        if child.tag.rpartition("}")[2] == "g" and not child.attrib and len(child) == 1:
            node[place] = child[0]


def _rounded(text: str) -> str:
    flat = NUMBER.sub(lambda found: f"{float(found.group()):.1f}".rstrip("0").rstrip("."), text)
    return " ".join(flat.replace("-0 ", "0 ").split())


def _restyle(node: ET.Element) -> None:
    """Style attributes would need `unsafe-inline`; what they say is said in attributes."""
    if re.match(r"rotate\(-?0(\.0*)? ", node.get("transform", "")):
        del node.attrib["transform"]
    for part in node.attrib.pop("style", "").split(";"):
        name, _, value = (piece.strip() for piece in part.partition(":"))
        if name in ("font", "font-size"):
            size = re.search(r"([\d.]+)px", value)
            if size and float(size.group(1)) != USUAL_SIZE:
                node.set("font-size", _rounded(size.group(1)))
        elif name in KEPT_STYLE and (name, value) not in DEFAULTS:
            node.set(name, _variable(value) or _rounded(value))


def _name(root: ET.Element, prefix: str) -> None:
    """Give what is referred to a name of its own, and take the other ids away."""
    text = ET.tostring(root, encoding="unicode")
    used = set(re.findall(r"url\(#([^)]+)\)", text))
    names = {old: f"{prefix}-{number}" for number, old in enumerate(sorted(used))}
    for node in root.iter():
        if "id" in node.attrib:
            if node.get("id") in names:
                node.set("id", names[node.attrib["id"]])
            else:
                del node.attrib["id"]
        if "clip-path" in node.attrib:
            found = re.search(r"#([^)]+)", node.attrib["clip-path"])
            if found:
                node.set("clip-path", f"url(#{names[found.group(1)]})")
