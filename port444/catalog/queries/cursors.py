"""Where a page of an answer ended, written so that it can stand in an address."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

MOST_INTEGER = 2**31 - 1


class Sort(models.TextChoices):
    BEST = "best", _("Best match")
    CHEAP = "cheap", _("Price, low first")
    DEAR = "dear", _("Price, high first")
    ORDERED = "ordered", _("Most ordered")
    NEW = "new", _("Newest")


class Way(models.TextChoices):
    """How the words were taken: as they stand, put right, or any of them."""

    SAID = "said"
    CORRECTED = "corrected"
    NEAR = "near"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the last row's key in the order, and its id."""

    sort: Sort
    way: Way
    key: Any
    pk: UUID

    def write(self) -> str:
        key = self.key.isoformat() if isinstance(self.key, datetime) else str(self.key)
        return base64.urlsafe_b64encode(f"{self.sort}|{self.way}|{key}|{self.pk.hex}".encode()).decode().rstrip("=")


def read_cursor(text: str, sort: Sort) -> Cursor | None:
    """The cursor in `text`, or None when it is broken or belongs to another order."""
    try:
        words = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
        name, way, key, pk = words.split("|")
        if name != sort or len(text) > 200 or not re.fullmatch(r"[0-9a-f]{32}", pk):
            return None
        return Cursor(sort, Way(way), READ[sort](key), UUID(pk))
    except (ValueError, UnicodeError, binascii.Error, InvalidOperation, OverflowError):
        return None


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,10}", text) or abs(int(text)) > MOST_INTEGER:
        raise ValueError(text)
    return int(text)


def _price(text: str) -> Decimal:
    if not re.fullmatch(r"[0-9]{1,12}\.[0-9]{2}", text):
        raise ValueError(text)
    return Decimal(text)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not 2000 < moment.year < 3000:
        raise ValueError(text)
    return moment


READ: dict[Sort, Callable[[str], Any]] = {
    Sort.BEST: _integer,
    Sort.CHEAP: _price,
    Sort.DEAR: _price,
    Sort.ORDERED: _integer,
    Sort.NEW: _moment,
}
