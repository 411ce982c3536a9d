"""UUIDv7 keys, made in Python because PostgreSQL before 18 has no function for them."""

from __future__ import annotations

import secrets
import time
from uuid import UUID


def uuid7() -> UUID:
    """A new version 7 UUID (RFC 9562): 48 bits of Unix milliseconds, 12 bits of the part of the millisecond that has passed (6.2, method 3), so
    that what one process makes is in its order, and 62 random bits."""
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    passed = rest * 4096 // 1_000_000
    return UUID(int=(milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | passed << 64 | 0x2 << 62 | secrets.randbits(62))
