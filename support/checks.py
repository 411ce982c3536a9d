"""Looking through somebody's eyes stands and falls with the role that it reads by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

HINT = "Make the role port444_viewer with scripts/roles.sql and set DATABASE_VIEWER_URL to the same database as that role."


def viewer(app_configs: Any = None, **options: Any) -> Sequence[CheckMessage]:
    """In production there is a role to look with, and it is not the one that serves."""
    if settings.DEVELOPMENT:
        return []
    known = settings.DATABASES.get("viewer")
    if known is None:
        return [Error("DATABASE_VIEWER_URL is missing.", hint=HINT, id="port444.E012")]
    if known["USER"] in ("", settings.DATABASES["default"]["USER"]):
        return [Error("DATABASE_VIEWER_URL names a role that may write.", hint=HINT, id="port444.E013")]
    return []
