"""The console shows the books and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.payments.models import Invoice, JournalEntry

pytestmark = pytest.mark.django_db

MODELS = [
    "invoice",
    "payment",
    "providerevent",
    "refund",
    "withdrawal",
    "payoutaddress",
    "bankaccount",
    "payouthold",
    "payoutbatch",
    "escrowoperation",
    "ledgeraccount",
    "journalentry",
    "walletpayment",
    "chaintransfer",
]


@pytest.fixture
def console(client: Client, make_user: Callable[..., User], settings: Any) -> Client:
    settings.STAFF_SECOND_FACTOR = False
    client.force_login(make_user("Rut Root", is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize("model", MODELS)
def test_staff_can_look_and_search_but_not_write(console: Client, paid: Callable[..., Any], model: str) -> None:
    paid()
    name = f"admin:payments_{model}"
    assert console.get(reverse(f"{name}_changelist"), {"q": "nothing"}).status_code == 200
    assert console.get(reverse(f"{name}_changelist")).status_code == 200
    assert console.get(reverse(f"{name}_add")).status_code == 403
    row = apps.get_model("payments", model).objects.first()
    if row is not None:
        assert console.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200
        assert console.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
        assert console.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def test_an_entry_shows_its_postings(console: Client, paid: Callable[..., Any]) -> None:
    paid()
    entry = JournalEntry.objects.get(key__startswith="settle:")
    page = console.get(reverse("admin:payments_journalentry_change", args=[entry.pk])).content.decode()
    assert "-105.50" in page
    assert Invoice.objects.get().total == entry.postings.get(account__kind="external").amount * -1
