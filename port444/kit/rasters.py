"""Our own drawings as pixels: what builders' portraits and covers of services are made of, and no more of SVG than that.

Rectangles, circles and paths that are filled, groups with a matrix. Never given what somebody sent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from fontTools.pens.basePen import BasePen
from fontTools.svgLib.path import parse_path

from port444.kit import lazy

if TYPE_CHECKING:
    from PIL import Image, ImageDraw
else:
    Image, ImageDraw = lazy.load("PIL.Image"), lazy.load("PIL.ImageDraw")

FINER = 3  # drawn this much larger and made small again, which smooths the edges
STEPS = 14  # straight pieces of a curve
NUMBER = re.compile(r"-?[0-9.]+")
UPRIGHT = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)

Matrix = tuple[float, ...]
Point = tuple[float, float]


class _Outline(BasePen):  # type: ignore[misc]  # fontTools carries no types
    """A path as polygons."""

    def __init__(self) -> None:
        super().__init__(None)
        self.shapes: list[list[Point]] = []

    def _moveTo(self, to: Point) -> None:  # noqa: N802
        self.shapes.append([to])

    def _lineTo(self, to: Point) -> None:  # noqa: N802
        self.shapes[-1].append(to)

    def _curveToOne(self, one: Point, two: Point, to: Point) -> None:  # noqa: N802
        start = self.shapes[-1][-1]
        for step in range(1, STEPS + 1):
            t = step / STEPS
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            x, y = (sum(w * point[axis] for w, point in zip(weights, (start, one, two, to), strict=True)) for axis in (0, 1))
            self.shapes[-1].append((x, y))


def raster(svg: str, width: int, height: int) -> Any:
    """`svg`, one of our own drawings, filling a picture of that many pixels from its middle; RGB."""
    root = ElementTree.fromstring(svg)  # noqa: S314  # drawn by us a moment ago
    left, top, across, down = (float(number) for number in root.attrib["viewBox"].split())
    scale = FINER * max(width / across, height / down)
    canvas = Image.new("RGB", (width * FINER, height * FINER))
    start = (width * FINER - scale * (across + 2 * left), height * FINER - scale * (down + 2 * top))
    _draw(canvas, root, (scale, 0.0, 0.0, scale, start[0] / 2, start[1] / 2))
    return canvas.resize((width, height), Image.Resampling.LANCZOS)


def _draw(canvas: Any, parent: ElementTree.Element, matrix: Matrix) -> None:
    for element in parent:
        kind, get = element.tag.rpartition("}")[2], element.attrib.get
        if kind == "g":
            _draw(canvas, element, _times(matrix, tuple(float(n) for n in NUMBER.findall(get("transform", ""))) or UPRIGHT))
            continue
        pen = _Outline()
        if kind == "path":
            parse_path(element.attrib["d"], pen)
        elif kind == "rect":
            width, height = float(element.attrib["width"]), float(element.attrib["height"])
            pen.shapes.append([(0, 0), (width, 0), (width, height), (0, height)])
        elif kind == "circle":
            x, y, r = (float(element.attrib[name]) for name in ("cx", "cy", "r"))
            parse_path(f"M{x - r} {y}a{r} {r} 0 1 1 {2 * r} 0a{r} {r} 0 1 1 {-2 * r} 0z", pen)
        mask = Image.new("L", canvas.size)
        for shape in pen.shapes:
            ImageDraw.Draw(mask).polygon([_moved(matrix, point) for point in shape], fill=round(255 * float(get("fill-opacity", "1"))))
        canvas.paste(element.attrib["fill"], (0, 0), mask)


def _times(one: Matrix, two: Matrix) -> Matrix:
    (a, b, c, d, e, f), (p, q, r, s, t, u) = one, two
    return (a * p + c * q, b * p + d * q, a * r + c * s, b * r + d * s, a * t + c * u + e, b * t + d * u + f)


def _moved(matrix: Matrix, point: Point) -> Point:
    a, b, c, d, e, f = matrix
    return (a * point[0] + c * point[1] + e, b * point[0] + d * point[1] + f)
