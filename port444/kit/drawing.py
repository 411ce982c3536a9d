"""Draws one picture of a file that somebody sent, in a process of its own with little memory and little time.

Run as a program by `port444.kit.previews` alone: the kind is its argument, the file its input. What decodes such files is large and has had
faults; here it can open nothing, write nothing and go on for no longer than the limits say. The output is a header (width and height of the
large picture, length of the small one) and both as JPEG, drawn anew: no metadata and nothing hidden survives.
"""

from __future__ import annotations

import io
import resource
import struct
import sys

import pypdfium2
from PIL import Image, ImageOps

LARGE, SMALL = 1280, 320
MOST_PIXELS = 40_000_000
MEMORY, SECONDS = 1 << 30, 15
FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}
HEADER = struct.Struct(">HHI")  # as in previews.py


def main(kind: str) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    data = sys.stdin.buffer.read()
    picture = _page(data) if kind == "application/pdf" else _picture(data, FORMATS[kind])
    large = ImageOps.contain(picture, (LARGE, LARGE)) if max(picture.size) > LARGE else picture
    small = ImageOps.contain(large, (SMALL, SMALL)) if max(large.size) > SMALL else large
    drawn = [_jpeg(small), _jpeg(large)]
    sys.stdout.buffer.write(HEADER.pack(large.width, large.height, len(drawn[0])) + drawn[0] + drawn[1])


def _picture(data: bytes, name: str) -> Image.Image:
    """The first frame of a picture, upright, on white."""
    with Image.open(io.BytesIO(data), formats=[name]) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            raise ValueError("too many pixels")
        opened.draft("RGB", (LARGE, LARGE))
        drawn = ImageOps.exif_transpose(opened).convert("RGBA")
    flat = Image.new("RGB", drawn.size, "white")
    flat.paste(drawn, mask=drawn.getchannel("A"))
    return flat


def _page(data: bytes) -> Image.Image:
    """The first page of a PDF, no larger than it is shown."""
    document = pypdfium2.PdfDocument(data)
    page = document[0]
    width, height = page.get_size()
    drawn: Image.Image = page.render(scale=min(LARGE / max(width, height), 4)).to_pil().convert("RGB")
    return drawn


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80, optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main(sys.argv[1])
