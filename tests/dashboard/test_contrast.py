"""The colours of tokens.css: WCAG 2.2 AA for text (4.5) and marks (3.0) in both themes, and chart series that are
apart for normal sight, protanopia, deuteranopia and tritanopia. No colour is written anywhere else."""

from __future__ import annotations

import math
import re

import pytest

from gateway.dashboard import assets

TEXT = {  # ink: the grounds it is set on
    "text text-2": "bg surface sunken raised hover selected accent-soft",
    "text-3": "bg surface sunken raised hover selected",
    "accent": "bg surface sunken raised hover selected accent-soft",
    "success": "surface raised success-soft hover",
    "warning": "surface raised warning-soft hover",
    "error": "surface raised error-soft hover selected",
    "info": "surface raised info-soft hover",
    "on-ink": "ink",
}
MARK = {
    "success-mark warning-mark error-mark info-mark accent-solid line-control": "surface bg",
    " ".join(f"series-{n}" for n in range(1, 9)): "surface",
    "chart-before": "surface",
    "on-accent": "accent-solid",
}
SIGHT = {  # Machado et al. 2009, severity 1, linear RGB
    "normal": [(1, 0, 0), (0, 1, 0), (0, 0, 1)],
    "protan": [(0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)],
    "deutan": [(0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)],
    "tritan": [(1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)],
}
MIN_DISTANCE = 0.07  # OKLab
TOKENS = (assets.folder("static") / "tokens.css").read_text()
COLORS = {
    name: (light, dark) for name, light, dark in re.findall(r"--([\w-]+):\s*light-dark\((#\w{6}), (#\w{6})\)", TOKENS)
}
PAIRS = [
    (ink, ground, least)
    for table, least in ((TEXT, 4.5), (MARK, 3.0))
    for inks, grounds in table.items()
    for ink in inks.split()
    for ground in grounds.split()
]


def linear(color: str) -> tuple[float, ...]:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)


def contrast(one: str, other: str) -> float:
    lights = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in map(linear, (one, other))]
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def oklab(rgb: tuple[float, ...]) -> tuple[float, ...]:
    r, g, b = (min(1.0, max(0.0, c)) for c in rgb)
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    medium = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.793617785 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.428592205 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.808675766 * short,
    )


def seen(color: str, sight: str) -> tuple[float, ...]:
    rgb = linear(color)
    return oklab(tuple(sum(w * c for w, c in zip(row, rgb, strict=True)) for row in SIGHT[sight]))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS, ids=lambda value: str(value))
def test_contrast(ink: str, ground: str, least: float, theme: int) -> None:
    assert contrast(COLORS[ink][theme], COLORS[ground][theme]) >= least


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("sight", SIGHT)
def test_series_can_be_told_apart(sight: str, theme: int) -> None:
    series = [seen(COLORS[f"series-{n}"][theme], sight) for n in range(1, 9)]
    nearest = min(math.dist(a, b) for i, a in enumerate(series) for b in series[:i])
    assert nearest >= MIN_DISTANCE


@pytest.mark.parametrize("file", ["app.css", "charts.js", "main.js", "actions.js", "list.js"])
def test_no_colour_is_written_outside_of_the_tokens(file: str) -> None:
    text = (assets.folder("static") / file).read_text()
    text = re.sub(r"light-dark\([^()]*\)", "", text)  # the one exception: a pair for both themes
    text = re.sub(r"@media print \{.*", "", text)  # paper is white
    allowed = {"#fff", "#0000002e"}  # the check mark, and the shade within a trace bar
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", text)) <= allowed
