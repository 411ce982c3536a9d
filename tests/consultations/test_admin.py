"""The console shows calls and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from consultations.models import Consultation
from port444.accounts.models import User

MODELS = ["consultation", "slotclaim", "callsettings", "availabilityrule"]


@pytest.fixture
def console(client: Client, make_user: Callable[..., User], settings: Any) -> Client:
    settings.STAFF_SECOND_FACTOR = False
    client.force_login(make_user("Rut Root", is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize("model", MODELS)
def test_staff_can_look_and_search_but_not_write(console: Client, scheduled: Consultation, model: str) -> None:
    name = f"admin:consultations_{model}"
    assert scheduled.client.name in console.get(reverse("admin:consultations_consultation_changelist")).content.decode()
    assert console.get(reverse(f"{name}_changelist"), {"q": "anaya@example.com"}).status_code == 200
    assert console.get(reverse(f"{name}_add")).status_code == 403
    row = apps.get_model("consultations", model).objects.first()
    assert row is not None
    assert console.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200
    assert console.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
    assert console.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
