from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django_q.models import OrmQ

from port444.accounts.models import User
from port444.kit import clock
from port444.notifications import actions, emails, jobs
from port444.notifications.kinds import Group, Kind, register
from port444.notifications.models import Channel, Delivery, DeliveryStatus, Notification, Preference

register(Kind("test.plain", Group.ORDERS))
register(Kind("test.urgent", Group.CALLS, urgent=True, sms=True))
register(Kind("test.account", Group.ACCOUNT, urgent=True))

DAY = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NIGHT = datetime(2026, 11, 24, 23, 0, tzinfo=UTC)


def tell(user: User, kind: str = "test.plain", key: str = "order:1", **extra: Any) -> Notification:
    return actions.notify(user, kind, title="Order 1042 started", body="The clock runs.", url="/orders/1042/", dedupe_key=key, **extra)


def test_tells_in_the_app_and_by_mail(client_user: User) -> None:
    with clock.at(DAY):
        told = tell(client_user, context={"facts": [["Due", datetime(2026, 12, 5, 22, 30, tzinfo=UTC)]], "label": "See the order"})
        delivery = told.deliveries.get()
        assert (delivery.channel, delivery.address, delivery.due_at) == (Channel.EMAIL, client_user.email, DAY)
        assert OrmQ.objects.count() == 1
        jobs.deliver(str(delivery.pk))
    sent = mail.outbox[0]
    assert sent.subject == "Order 1042 started"
    assert sent.extra_headers["Message-ID"].startswith(f"<{delivery.pk}@")
    assert "Due: Saturday 5 December 2026, 23:30 (Amsterdam)" in sent.body
    assert "See the order: http://127.0.0.1:8444/orders/1042/" in sent.body
    html = str(sent.alternatives[0][0])  # type: ignore[attr-defined]  # set by attach_alternative
    assert "23:30" in html
    assert "&lt;" not in html
    assert sent.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    delivery.refresh_from_db()
    assert (delivery.status, delivery.sent_at, delivery.attempts) == (DeliveryStatus.SENT, DAY, 1)


def test_the_same_fact_is_told_once_to_each(client_user: User, builder_user: User) -> None:
    with clock.at(DAY):
        first, again = tell(client_user), tell(client_user)
        other = tell(builder_user)
    assert first.pk == again.pk != other.pk
    assert Notification.objects.count() == Delivery.objects.count() == OrmQ.objects.count() == 2


def test_an_unknown_kind_is_a_mistake_of_ours(client_user: User) -> None:
    with pytest.raises(LookupError):
        tell(client_user, "test.nothing")
    assert not Notification.objects.exists()


def test_a_reader_hears_it_in_their_own_language(client_user: User) -> None:
    User.objects.filter(pk=client_user.pk).update(language="de")
    client_user.refresh_from_db()
    facts: dict[str, Any] = {"label": _("Open port444"), "facts": [[_("Language"), "1.50"]]}
    told = actions.notify(
        client_user, "test.plain", title=_("Saved."), body=_("Nothing was changed by this."), url="/", dedupe_key="de", context=facts
    )
    told.refresh_from_db()
    assert (told.title, told.body) == ("Gespeichert.", "Dadurch wurde nichts geändert.")
    assert told.context == {"label": "port444 öffnen", "facts": [["Sprache", "1.50"]]}
    letter = emails.compose(Delivery.objects.select_related("notification__user").get(notification=told))
    assert "Auswählen, was wir mailen" in letter.text
    assert '<html lang="de">' in (letter.html or "")


def test_a_rollback_takes_everything_back(client_user: User) -> None:
    with transaction.atomic():
        tell(client_user)
        transaction.set_rollback(True)
    assert not Notification.objects.exists()
    assert not OrmQ.objects.exists()


def test_quiet_hours_hold_the_mail_and_not_the_notification(client_user: User) -> None:
    with clock.at(NIGHT):
        told = tell(client_user)
        delivery = told.deliveries.get()
        assert delivery.due_at == datetime(2026, 11, 25, 7, 0, tzinfo=UTC)
        assert not OrmQ.objects.exists()
        jobs.deliver(str(delivery.pk))
        assert jobs.sweep() == 0
    assert mail.outbox == []
    with clock.at(delivery.due_at):
        assert jobs.sweep() == 1
    assert len(mail.outbox) == 1


def test_urgent_kinds_ignore_quiet_hours(client_user: User) -> None:
    with clock.at(NIGHT):
        assert tell(client_user, "test.urgent").deliveries.get().due_at == NIGHT


def test_sms_is_for_those_who_asked_for_it(client_user: User) -> None:
    client_user.phone = "+31 20 123 4567"
    client_user.save()
    assert tell(client_user, "test.urgent", "a").deliveries.count() == 1
    Preference.objects.create(user=client_user, group=Group.CALLS, channel=Channel.SMS, enabled=True)
    assert tell(client_user, "test.urgent", "b").deliveries.count() == 2
    Preference.objects.create(user=client_user, group=Group.ORDERS, channel=Channel.SMS, enabled=True)
    assert tell(client_user, "test.plain", "c").deliveries.count() == 1, "this kind is not told by SMS"


def test_refused_mail_is_not_sent_but_told_in_the_app(client_user: User) -> None:
    Preference.objects.create(user=client_user, group=Group.ORDERS, channel=Channel.EMAIL, enabled=False)
    assert not tell(client_user).deliveries.exists()
    Preference.objects.create(user=client_user, group=Group.ACCOUNT, channel=Channel.EMAIL, enabled=False)
    account = tell(client_user, "test.account", "x").deliveries.get()
    with clock.at(account.due_at):
        jobs.deliver(str(account.pk))
    assert "List-Unsubscribe" not in mail.outbox[0].extra_headers


def test_a_suspended_person_hears_about_the_account_only(client_user: User) -> None:
    client_user.suspended_at, client_user.suspension_reason = DAY, "Fraud"
    client_user.save()
    assert not tell(client_user).deliveries.exists()
    assert tell(client_user, "test.account", "x").deliveries.exists()
