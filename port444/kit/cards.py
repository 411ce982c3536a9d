"""Pictures of 1,200 by 630 pixels that other sites show beside a link to one of our pages.

A card is drawn when somebody first asks for it, and again only when something on it changes; nothing is fetched for it.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import astuple, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.http import quote_etag

from port444.kit import lazy
from port444.kit.rasters import raster

if TYPE_CHECKING:
    from fontTools import ttLib
    from PIL import Image, ImageDraw, ImageFont, ImageOps
else:
    Image, ImageDraw, ImageFont = lazy.load("PIL.Image"), lazy.load("PIL.ImageDraw"), lazy.load("PIL.ImageFont")
    ImageOps, ttLib = lazy.load("PIL.ImageOps"), lazy.load("fontTools.ttLib")  # noqa: N816  # the name of the module

EDITION = "1"  # part of what a card is known by; raise it when the drawing changes
WIDTH, HEIGHT, EDGE = 1200, 630, 72
DEEP, LIGHT, SOFT, BUOY = "#002f3f", "#f1f7f9", "#bdd3db", "#ffc24d"
FONTS = settings.BASE_DIR / "static/fonts"
DISPLAY, TEXT = "bricolage.woff2", "instrument-sans.woff2"
TITLE_SIZES, TITLE_LINES = (76, 66, 58, 50), 3
FACE = 380
LOGO = (
    '<svg viewBox="0 0 32 32"><rect width="32" height="32" fill="#0b3a4a"/><path d="M7 23V12h4V9h10v3h4v11z" fill="#f1f7f9"/>'
    '<path d="M9 21v-7h4v-3h6v3h4v7z" fill="#0b3a4a"/><circle cx="13" cy="17.6" r="1.9" fill="#f3b63a"/>'
    '<circle cx="19.2" cy="17.6" r="1.9" fill="#8fa9b2"/></svg>'
)


@dataclass(frozen=True, slots=True)
class Card:
    """What is on a picture: words, and a drawing of ours (SVG) or a stored photo. A `wide` drawing lies behind the words, others stand
    beside them."""

    title: str
    line: str = ""
    fact: str = ""
    drawing: str = ""
    photo: str = ""  # its name in the storage
    wide: bool = False

    @property
    def mark(self) -> str:
        """Equal for equal pictures."""
        return hashlib.sha256("\x1f".join([EDITION, *map(str, astuple(self))]).encode()).hexdigest()[:24]


def answer(request: HttpRequest, name: str, card: Card) -> HttpResponse:
    """The picture, or 304 to whoever has it. `name` is unique among all that have a card, e.g. "services/<id>"."""
    etag = quote_etag(card.mark)
    if request.headers.get("If-None-Match") == etag:
        response: HttpResponse = HttpResponseNotModified()
    else:
        response = HttpResponse(picture(name, card), content_type="image/jpeg")
    response["ETag"], response["Cache-Control"] = etag, "public, max-age=86400"
    return response


def picture(name: str, card: Card) -> bytes:
    """The card as JPEG: the one that is kept, or else drawn and kept. Its mark follows the picture in the file, so that a file which was
    cut short or shows what was true before is known."""
    path, mark = f"cards/{name}.jpg", card.mark.encode()
    try:
        with default_storage.open(path) as file:
            kept: bytes = file.read()
    except FileNotFoundError:
        kept = b""
    if kept.endswith(mark):
        return kept.removesuffix(mark)
    drawn = draw(card)
    default_storage.delete(path)
    default_storage.save(path, ContentFile(drawn + mark))
    return drawn


def draw(card: Card) -> bytes:
    """The card, drawn anew."""
    canvas = Image.new("RGB", (WIDTH, HEIGHT), DEEP)
    room = WIDTH - 2 * EDGE
    if card.wide:
        canvas.paste(raster(card.drawing, WIDTH, HEIGHT))
        shade = Image.linear_gradient("L").rotate(-90).resize((WIDTH, HEIGHT)).point(lambda level: min(244, 30 + 3 * level // 2))
        canvas.paste(DEEP, (0, 0), shade)
        room -= 240
    elif card.drawing or card.photo:
        canvas.paste(_face(card), (WIDTH - EDGE - FACE, (HEIGHT - FACE) // 2), _rounded(FACE, 40))
        room -= FACE + 56
    pen = ImageDraw.Draw(canvas)
    canvas.paste(raster(LOGO, 52, 52), (EDGE, 64), _rounded(52, 13))
    pen.text((EDGE + 68, 90), "port444", LIGHT, _font(DISPLAY, 34), anchor="lm")
    font, lines = _fitted(_writable(card.title, DISPLAY), room)
    height = round(font.size * 1.08)
    top = 305 - height * len(lines) // 2
    for number, line in enumerate(lines):
        pen.text((EDGE, top + number * height), line, LIGHT, font)
    below, _ = _wrapped(_writable(card.line, TEXT), _font(TEXT, 32), room, 2)
    for number, line in enumerate(below):
        pen.text((EDGE, top + len(lines) * height + 26 + number * 42), line, SOFT, _font(TEXT, 32))
    pen.text((EDGE, HEIGHT - 66), _writable(card.fact, TEXT), BUOY, _font(TEXT, 34, 650), anchor="ls")
    out = io.BytesIO()
    canvas.save(out, "JPEG", quality=88, optimize=True)
    return out.getvalue()


def _face(card: Card) -> Any:
    if not card.photo:
        return raster(card.drawing, FACE, FACE)
    with default_storage.open(card.photo) as file, Image.open(file, formats=["JPEG"]) as opened:
        return ImageOps.fit(opened.convert("RGB"), (FACE, FACE))


def _rounded(side: int, radius: int) -> Any:
    mask = Image.new("L", (4 * side, 4 * side))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, 4 * side - 1, 4 * side - 1), 4 * radius, fill=255)
    return mask.resize((side, side), Image.Resampling.LANCZOS)


@cache
def _font(name: str, size: int, weight: int = 0) -> Any:
    font = ImageFont.truetype(FONTS / name, size)
    if weight:
        font.set_variation_by_axes([weight])
    return font


@cache
def _letters(name: str) -> frozenset[int]:
    with ttLib.TTFont(FONTS / name, lazy=True) as font:
        return frozenset(font.getBestCmap())


def _writable(text: str, font: str) -> str:
    """What the font has letters for; the rest would be boxes."""
    return " ".join("".join(letter for letter in text if ord(letter) in _letters(font)).split())


def _fitted(text: str, room: int) -> tuple[Any, list[str]]:
    """The largest size at which the title has its place; at the smallest it is cut short."""
    for size in TITLE_SIZES:
        font = _font(DISPLAY, size)
        lines, is_whole = _wrapped(text, font, room, TITLE_LINES)
        if is_whole:
            break
    return font, lines


def _wrapped(text: str, font: Any, room: int, most: int) -> tuple[list[str], bool]:
    """Lines of at most `room` pixels, and whether all words are on them."""
    lines: list[str] = []
    words = text.split()
    while words and len(lines) < most:
        count = next((n for n in range(len(words), 1, -1) if font.getlength(" ".join(words[:n])) <= room), 1)
        lines.append(_short(" ".join(words[:count]), font, room))
        words = words[count:]
    if words:
        lines[-1] = _short(f"{lines[-1]} {words[0]}", font, room)
    return lines, not words and not any(line.endswith("…") for line in lines)


def _short(line: str, font: Any, room: int) -> str:
    """The line, or as much of it as there is room for with three dots."""
    if font.getlength(line) <= room:
        return line
    return f"{next(line[:n] for n in range(len(line) - 1, -1, -1) if font.getlength(line[:n] + '…') <= room).rstrip()}…"
