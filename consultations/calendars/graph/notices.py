"""What Graph posts to us. All of it is a hint: the truth is read afterwards, with the account's own token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

MOST = 1000
LIFECYCLE = {"missed": "missed", "subscriptionremoved": "removed", "reauthorizationrequired": "reauthorize"}


class Notice(NamedTuple):
    """`kind`: changed or missed (read the calendar), removed (the watch is gone) or reauthorize (watch anew soon)."""

    secret: str
    subscription: str
    kind: str


def read_notifications(body: bytes) -> list[Notice]:
    """Each subscription's news, once. Compare `secret` with the channel's in constant time. What cannot be read is no news."""
    try:
        items = json.loads(body)["value"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    found: dict[Notice, None] = {}
    for item in items[:MOST] if isinstance(items, list) else []:
        if isinstance(item, dict) and isinstance(item.get("subscriptionId"), str):
            event = str(item.get("lifecycleEvent") or "").casefold()
            kind = LIFECYCLE.get(event, "missed") if event else "changed"
            found[Notice(str(item.get("clientState") or ""), item["subscriptionId"], kind)] = None
    return list(found)


def validation_token(query: Mapping[str, str]) -> str | None:
    """What Graph wants back, as text/plain with 200 within ten seconds, before it believes an address; None in every other post."""
    token = query.get("validationToken")
    return token[:2000] if token else None
