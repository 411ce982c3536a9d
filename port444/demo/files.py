"""Files that people of the demo send and show: notes, and small drawings in the colours of the site."""

from __future__ import annotations

import io
from collections.abc import Callable
from random import Random

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 640, 360
FINE = 2  # drawn so many times larger, for smooth edges
PAPER, CARD, FAINT, PALE, BRAND, BUOY = "#eef6f8", "#ffffff", "#d3e2e6", "#7fb0ba", "#00616f", "#f2b53c"


class Pen:
    """Draws on a sheet of WIDTH by HEIGHT."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH * FINE, HEIGHT * FINE), PAPER)
        self.draw = ImageDraw.Draw(self.image)

    def box(self, left: float, top: float, right: float, bottom: float, colour: str, corner: float = 0) -> None:
        self.draw.rounded_rectangle([FINE * value for value in (left, top, right, bottom)], FINE * corner, fill=colour)

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        self.draw.ellipse([FINE * value for value in (x - radius, y - radius, x + radius, y + radius)], fill=colour)

    def line(self, points: list[tuple[float, float]], colour: str, width: int) -> None:
        self.draw.line([(FINE * x, FINE * y) for x, y in points], fill=colour, width=FINE * width, joint="curve")


type Drawing = Callable[[Pen, Random], None]


def text(name: str) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, f"{name}\n\nWhat was done, and why.\n".encode(), "text/plain")


def picture(name: str, drawing: Drawing, chance: Random) -> SimpleUploadedFile:
    """A drawing, as the PNG or PDF that `name` says."""
    pen = Pen()
    drawing(pen, chance)
    data = io.BytesIO()
    pen.image.reduce(FINE).save(data, name.rpartition(".")[2])
    return SimpleUploadedFile(name, data.getvalue())


def bars(pen: Pen, chance: Random) -> None:
    """Five things measured before and after."""
    for column in range(5):
        left, tall = 60 + column * 110, chance.randint(150, 300)
        pen.box(left, 340 - tall, left + 40, 340, PALE)
        pen.box(left + 45, 340 - tall // 6, left + 85, 340, BRAND)


def line(pen: Pen, chance: Random) -> None:
    """Something that grew, week after week."""
    for row in range(60, 341, 70):
        pen.line([(40, row), (600, row)], FAINT, 2)
    points = [(40.0, 320.0)]
    for week in range(1, 13):
        points.append((40 + week * 45, min(points[-1][1], 330 - week * 20) + chance.randint(-22, 14)))
    pen.line(points, BRAND, 6)
    for x, y in points[:-1]:
        pen.dot(x, y, 6, BRAND)
    pen.dot(*points[-1], 12, BUOY)


def pair(pen: Pen, chance: Random) -> None:
    """A page that still loads, beside the page that is there."""
    for left in (40, 335):
        pen.box(left, 40, left + 265, 320, CARD, 14)
    pen.box(60, 62, 180, 78, FAINT, 8)
    for row in range(4):
        pen.box(60, 112 + row * 50, 285, 136 + row * 50, PAPER, 6)
    pen.box(60, 296, 110, 304, PALE, 4)
    pen.box(355, 62, 475, 78, BRAND, 8)
    for row in range(4):
        pen.box(355, 112 + row * 50, 355 + chance.randint(110, 180), 136 + row * 50, PALE, 6)
        pen.box(550, 112 + row * 50, 580, 136 + row * 50, BUOY if row == 0 else BRAND, 6)


def dots(pen: Pen, chance: Random) -> None:
    """A table of dots: many were looked at, few were found."""
    found = set(chance.sample(range(84), 5))
    for place in range(84):
        column, row = place % 14, place // 14
        colour, radius = (BUOY, 14) if place in found else (chance.choice((FAINT, PALE, PALE, BRAND)), 10)
        pen.dot(60 + column * 40, 55 + row * 50, radius, colour)


def phones(pen: Pen, chance: Random) -> None:
    """Three screens of an app, with buttons for a thumb in a glove."""
    for left in (75, 245, 415):
        pen.box(left, 24, left + 150, 336, BRAND, 22)
        pen.box(left + 8, 32, left + 142, 328, CARD, 16)
        pen.box(left + 22, 50, left + 22 + chance.randint(50, 100), 62, PALE, 6)
        pressed = chance.randrange(3)
        for row in range(3):
            pen.box(left + 22, 86 + row * 78, left + 128, 148 + row * 78, BUOY if row == pressed else FAINT, 14)
