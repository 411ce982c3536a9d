"""Pictures of builders: a portrait drawn from the slug, and photos made small and harmless.

The same slug always gives the same portrait, so it can be cached for ever and needs no storage. Attributes only: the picture is
served under a policy that allows no styles and no scripts.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from PIL import UnidentifiedImageError

from port444.kit import lazy
from port444.kit.errors import Invalid
from port444.kit.uploads import check

if TYPE_CHECKING:
    from PIL import Image, ImageOps
else:
    Image, ImageOps = lazy.load("PIL.Image"), lazy.load("PIL.ImageOps")

EDITION = "1"  # part of the ETag; raise it when the drawing changes
SIDE = 512
LONGEST = 1600
PHOTO_BYTES = 8 * 2**20
PHOTO_PIXELS = 40_000_000
FORMATS = {"PNG": {"png"}, "JPEG": {"jpg", "jpeg"}, "WEBP": {"webp"}}

# ground, sun, shirt
PALETTES = (
    ("#0f5a6b", "#f3b63a", "#0b2a3a"),
    ("#7a3b2e", "#f2c58b", "#2b1a2b"),
    ("#25506b", "#e98b5f", "#f1e6d0"),
    ("#3d5a45", "#e9d38a", "#1e2f33"),
    ("#5b3f6e", "#f0a884", "#24213d"),
    ("#b3543b", "#fbe3b4", "#143f4b"),
    ("#1c6e74", "#f7d9a8", "#7b2d3b"),
    ("#33426f", "#f1b94e", "#e6ded0"),
)
SKINS = ("#f1c9a5", "#e0ac84", "#c98a62", "#a86a45", "#7d4a30", "#5b3625")
DARK_HAIRS = ("#1c1512", "#2d211b", "#3d2a20", "#6b6b6f")
HAIRS = (*DARK_HAIRS, "#5a3a24", "#8a5a2e", "#c79a56", "#9c4a2c")
STYLES = (
    # long, swept to one side
    "M30 40c-3-18 5-31 20-31 14 0 22 11 19 29-3-7-7-11-12-14-7 5-16 7-22 7-3 2-4 5-5 9zM69 36c4 14 4 26 0 34l-7-6c3-8 4-17 3-26z",
    # short
    "M31 34c-2-15 6-25 19-25s21 10 18 25c-2-5-4-9-7-12-8 3-17 3-24 1-3 3-5 6-6 11z",
    # bun
    "M31 36c-3-16 6-27 19-27s21 11 18 27c-2-6-5-11-9-14-7 4-14 4-20 2-4 3-6 7-8 12zM43 8a8 8 0 1 1 14 0z",
    # curls
    "M30 38a8 8 0 0 1-2-13 9 9 0 0 1 8-12 11 11 0 0 1 14-5 11 11 0 0 1 14 5 9 9 0 0 1 7 12 8 8 0 0 1-2 13c-1-6-4-10-7-13-8 2-17 2-24-1-4 3-6 8-8 14z",
    # bob
    "M28 58c-4-10-4-24 0-34 4-10 12-15 22-15s18 5 21 15c4 10 4 24 0 34l-6-2c2-10 2-20-2-29-8 3-18 3-26 0-4 9-4 20-3 30z",
    # shaved, with a shadow of hair
    "M32 31c0-12 8-20 18-20s18 8 18 20c-5-8-11-11-18-11s-13 3-18 11z",
)
SHIRTS = (
    "M0 96V80c8-9 22-12 36-15h28c12 3 26 6 32 15v16z",
    "M4 96c2-16 14-25 29-30l8 10 9-10c16 4 27 13 31 30z",
    "M0 96V78c8-7 22-10 38-13l11 6 11-6c14 3 28 6 36 13v18z",
)


def portrait(slug: str) -> str:
    """A friendly abstract portrait for `slug`, as SVG."""
    seed = hashlib.sha256(slug.encode()).digest()
    ground, sun, shirt = PALETTES[seed[0] % len(PALETTES)]
    tone = seed[1] % len(SKINS)
    hairs = HAIRS if tone < 2 else DARK_HAIRS
    skin, hair = SKINS[tone], hairs[seed[2] % len(hairs)]
    x, y = 14 + seed[5] % 70, 16 + seed[6] % 22
    mirror = ' transform="matrix(-1 0 0 1 96 0)"' if seed[7] % 2 else ""
    style, cut = STYLES[seed[3] % len(STYLES)], SHIRTS[seed[4] % len(SHIRTS)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="512" height="512"><rect width="96" height="96" fill="{ground}"/>'
        f'<circle cx="{x}" cy="{y}" r="{28 + seed[8] % 10}" fill="{sun}"/><g{mirror}><path d="{cut}" fill="{shirt}"/>'
        f'<path d="M41 52h18v16c-5 6-13 6-18 0z" fill="{skin}"/>'
        f'<path d="M33 30c0-10 7-18 17-18s17 8 17 18v9c0 12-8 21-17 21s-17-9-17-21z" fill="{skin}"/>'
        f'<path d="{style}" fill="{hair}"/></g></svg>'
    )


def shrink(upload: Any) -> bytes:
    """The photo as a square JPEG of 512 px, drawn anew: no metadata and nothing hidden survives. Raises Invalid."""
    return _written(ImageOps.fit(_flat(upload), (SIDE, SIDE)))


def redraw(upload: Any) -> tuple[bytes, int, int]:
    """A picture as a JPEG of at most 1,600 px on either side, drawn anew as photos are; with its width and height. Raises Invalid."""
    picture = _flat(upload)
    picture.thumbnail((LONGEST, LONGEST))
    return _written(picture), picture.width, picture.height


def _flat(upload: Any) -> Any:
    """What was sent, on white, the right way up."""
    name = check(upload)[0]
    extension = name.rpartition(".")[2].lower()
    if not any(extension in extensions for extensions in FORMATS.values()):
        raise Invalid(_("A photo is a PNG, JPEG or WebP picture."), code="photo_type")
    if upload.size > PHOTO_BYTES:
        raise Invalid(_("The photo is larger than %(size)s MB.") % {"size": PHOTO_BYTES // 2**20}, code="photo_size")
    try:
        with Image.open(upload, formats=list(FORMATS)) as opened:
            if opened.width * opened.height > PHOTO_PIXELS:
                raise Invalid(_("The photo has too many pixels. 512 by 512 is enough."), code="photo_size")
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Invalid(_("This picture cannot be read. Try another one."), code="photo_content") from error
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture.getchannel("A"))
    return flat


def _written(picture: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85, optimize=True)
    return out.getvalue()
