"""Moments in words, on somebody's clock."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from .language import dated
from .templatetags.ui import city


def when(moment: datetime, zone: str) -> str:
    """A moment on somebody's clock, with its place: "Tue 24 Nov, 11:00 (Amsterdam)"."""
    return f"{short(moment, zone)} ({city(zone)})"


def short(moment: datetime, zone: str) -> str:
    """A moment on a clock that is named beside it: "Tue 24 Nov, 11:00"."""
    return dated(moment.astimezone(ZoneInfo(zone)), "D j M, H:i")
