from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from port444.accounts.models import User
from tests.orders.conftest import make_order, package, service

__all__ = ["make_order", "package", "service"]


@pytest.fixture
def browse(settings: Any) -> Callable[[User | None], Client]:
    """Somebody's browser; staff have given their second factor."""
    settings.STAFF_SECOND_FACTOR = False

    def open_browser(user: User | None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return open_browser
