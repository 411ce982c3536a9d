from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from consultations.actions import live_busy
from consultations.models import CalendarLink, LinkedCalendar
from port444.builders.models import Builder

from .conftest import TUESDAY_NINE


@pytest.mark.django_db(transaction=True)
def test_calendars_are_asked_outside_of_transactions_and_nobody_anywhere(builder: Builder) -> None:
    until = TUESDAY_NINE + timedelta(hours=1)
    with transaction.atomic():
        assert live_busy(builder, TUESDAY_NINE, until) == []
    link = CalendarLink.objects.create(builder=builder, provider="google", account="a@example.com", hook_secret="s")
    LinkedCalendar.objects.create(link=link, external_id="a@example.com", name="A")
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        live_busy(builder, TUESDAY_NINE, until)
