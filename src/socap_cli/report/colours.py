"""Colours that can be read: contrast by WCAG 2.2 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio). Pure."""

from __future__ import annotations

LIGHT_GROUND, DARK_GROUND = "#ffffff", "#171c25"
BLACK, WHITE = "#000000", "#ffffff"
Rgb = tuple[int, int, int]


def rgb(colour: str) -> Rgb:
    """`#rrggbb` as three numbers."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def luminance(colour: str) -> float:
    """Relative luminance, from 0 (black) to 1 (white)."""
    parts = [value / 255 for value in rgb(colour)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black on white)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mixed(colour: str, other: str, part: float) -> str:
    """A colour with so much (0 to 1) of another in it."""
    pairs = zip(rgb(colour), rgb(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pairs)


def readable(colour: str, ground: str, ratio: float) -> str:
    """The colour, moved towards black or white until it has that contrast with its ground."""
    target = BLACK if luminance(ground) > 0.18 else WHITE
    return next(
        (
            changed
            for step in range(21)
            if contrast(changed := mixed(colour, target, step / 20), ground) >= ratio
        ),
        target,
    )
