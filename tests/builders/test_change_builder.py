from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.builders.actions import change_builder, count_completed, count_review, set_call_prices
from port444.builders.models import Builder
from port444.kit.errors import Invalid, NotAllowed, words


def test_a_change_is_kept_with_what_it_was(builder: Builder) -> None:
    change_builder(builder.pk, actor=builder.user, headline="New words", city="Goa")
    change_builder(builder.pk, actor=builder.user, headline="New words")
    builder.refresh_from_db()
    assert (builder.headline, builder.city) == ("New words", "Goa")
    row = AuditLog.objects.get(event_type="builder.changed")
    assert row.before_state == {"headline": "Django and Postgres performance", "city": ""}
    assert row.after_state == {"headline": "New words", "city": "Goa"}


def test_only_the_builder_changes_the_profile(builder: Builder, stranger: User) -> None:
    with pytest.raises(NotAllowed):
        change_builder(builder.pk, actor=stranger, headline="Mine")
    with pytest.raises(NotAllowed):
        set_call_prices(builder.pk, actor=stranger, enabled=True, prices={15: Decimal("1.00")})
    builder.refresh_from_db()
    assert builder.headline != "Mine"
    assert not builder.consultation_enabled
    assert AuditLog.objects.events().count() == 0


@pytest.mark.parametrize(
    "field", [{"headline": ""}, {"skills": ["x" * 31]}, {"skills": [str(i) for i in range(16)]}, {"meeting_url": "javascript:alert(1)"}]
)
def test_what_does_not_fit_is_refused(builder: Builder, field: Any) -> None:
    with pytest.raises(Invalid):
        change_builder(builder.pk, actor=builder.user, **field)
    assert AuditLog.objects.events().count() == 0


def test_call_prices(builder: Builder) -> None:
    set_call_prices(builder.pk, actor=builder.user, enabled=True, prices={15: None, 30: Decimal("60.00"), 60: Decimal("110")})
    builder.refresh_from_db()
    assert builder.call_prices == {30: Decimal("60.00"), 60: Decimal("110.00")}
    set_call_prices(builder.pk, actor=builder.user, enabled=False, prices={})
    builder.refresh_from_db()
    assert builder.call_prices == {}
    assert AuditLog.objects.events().count() == 2


@pytest.mark.parametrize("prices", [{}, {30: None}, {30: Decimal("0")}, {30: Decimal("-1")}, {30: Decimal("1.005")}, {45: Decimal("10")}])
def test_wrong_call_prices_write_nothing(builder: Builder, prices: dict[int, Decimal | None]) -> None:
    with pytest.raises(Invalid):
        set_call_prices(builder.pk, actor=builder.user, enabled=True, prices=prices)
    builder.refresh_from_db()
    assert not builder.consultation_enabled
    assert AuditLog.objects.events().count() == 0


def test_the_database_keeps_calls_priced_and_says_so(builder: Builder) -> None:
    with pytest.raises(Invalid, match="at least one length"), words(), transaction.atomic():
        Builder.objects.update(consultation_enabled=True)
    with pytest.raises(Invalid, match="more than zero"), words(), transaction.atomic():
        Builder.objects.update(consultation_30min_price=0)
    with pytest.raises(IntegrityError), transaction.atomic():
        Builder.objects.update(rating_sum=6, rating_count=1)


def test_reviews_and_orders_are_counted(builder: Builder) -> None:
    count_review(builder.pk, 5)
    count_review(builder.pk, 4)
    count_completed(builder.pk, on_time=True)
    count_completed(builder.pk, on_time=False)
    count_completed(builder.pk, on_time=None)
    builder.refresh_from_db()
    assert (builder.rating, builder.rating_count, builder.completed_count) == (Decimal("4.5"), 2, 3)
    assert (builder.on_time_count, builder.timed_count) == (1, 2)


def test_the_page_saves_and_shows_faults(client: Client, builder: Builder) -> None:
    client.force_login(builder.user)
    good = {"headline": "Better", "about": "", "skills": "", "languages": "Spanish", "city": "", "meeting_url": "https://meet.example.com/a"}
    assert client.post("/settings/profile/", good).status_code == 302
    for wrong in ({"headline": ""}, {"languages": "Klingon"}, {"skills": "a\x00b"}, {"meeting_url": "ftp://x"}, {"headline": "\x00"}):
        answer = client.post("/settings/profile/", good | wrong)
        assert answer.status_code == 422
        assert 'class="err"' in answer.content.decode()
    builder.refresh_from_db()
    assert (builder.headline, builder.languages) == ("Better", ["Spanish"])
    assert AuditLog.objects.events().count() == 1


def test_the_profile_needs_a_signed_in_person(client: Client) -> None:
    assert client.get("/settings/profile/")["Location"].startswith("/account/login/")
