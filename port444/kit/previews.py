"""Pictures of files, for pages: drawn by `drawing` in a process that ends, whatever the file makes of it."""

from __future__ import annotations

import logging
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

DRAWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"})
SECONDS = 30
MOST_BYTES = 4 * 2**20  # of what comes back
HEADER = struct.Struct(">HHI")  # as in drawing.py, which nothing imports: it would load all that draws
PROGRAM = Path(__file__).with_name("drawing.py")


@dataclass(frozen=True, slots=True)
class Drawn:
    """Two JPEGs of one file; the size in pixels is that of the large one."""

    width: int
    height: int
    small: bytes
    large: bytes


def draw(content: Any, kind: str) -> Drawn | None:
    """The picture of an open file of the MIME type `kind`, which is one of DRAWN; None when it cannot be drawn within the limits."""
    command = [sys.executable, "-I", str(PROGRAM), kind]
    try:
        done = subprocess.run(command, input=content.read(), capture_output=True, timeout=SECONDS, env={}, cwd="/", check=True)  # noqa: S603
    except (subprocess.SubprocessError, OSError) as error:
        log.info("a file of the kind %s was not drawn: %s", kind, type(error).__name__)
        return None
    if not HEADER.size < len(done.stdout) <= MOST_BYTES:
        return None
    width, height, length = HEADER.unpack_from(done.stdout)
    drawn = done.stdout[HEADER.size :]
    return Drawn(width, height, drawn[:length], drawn[length:])
