"""Covers of services, drawn from the slug: hills, water and a sun in the colours of the portraits."""

from __future__ import annotations

import hashlib

from port444.builders.pictures import PALETTES

EDITION = "1"  # part of the ETag; raise it when the drawing changes


def cover(slug: str) -> str:
    """A calm landscape for `slug`, as SVG; attributes only, so it needs no style policy."""
    seed = hashlib.sha256(slug.encode()).digest()
    ground, sun, dark = PALETTES[seed[0] % len(PALETTES)]
    x, y, r = 60 + seed[1] % 200, 40 + seed[2] % 40, 26 + seed[3] % 22
    a, b, c, d = (70 + seed[i] % 50 for i in range(4, 8))
    hills = (
        f'<path d="M0 {a}q80 -{30 + seed[8] % 30} 160 0t160 0V180H0z" fill="{dark}" fill-opacity=".35"/>'
        f'<path d="M0 {b + 30}q70 -{20 + seed[9] % 40} 150 0t170 {c - d}V180H0z" fill="{dark}" fill-opacity=".6"/>'
        f'<path d="M0 150q40 -10 80 0t80 0t80 0t80 0V180H0z" fill="{dark}"/>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 180" width="640" height="360"><rect width="320" height="180" fill="{ground}"/>'
        f'<circle cx="{x}" cy="{y}" r="{r}" fill="{sun}"/>{hills}</svg>'
    )
