"""The role that owns the tables, for the few commands that make and remove them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import environ
from django.conf import settings
from django.db import connection


@contextmanager
def as_owner() -> Iterator[None]:
    """Be connected by DATABASE_OWNER_URL meanwhile, or as before when it is not set and one role does everything."""
    known = dict(connection.settings_dict)
    if settings.DATABASE_OWNER_URL:
        owner = environ.Env.db_url_config(settings.DATABASE_OWNER_URL)
        connection.close()
        who = {key: owner.get(key, "") for key in ("USER", "PASSWORD", "HOST", "PORT")}
        connection.settings_dict.update(who, OPTIONS={**known["OPTIONS"], **owner.get("OPTIONS", {})})
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(known)
