"""Telling people, and carrying it out.

`notify` writes inside the caller's transaction what is to be told; `deliver` carries out one delivery: it claims the row in a
transaction of its own, talks to the network outside of any, and records the answer in another one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.kit import jobs, mail
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.language import speaking_to, worded

from . import emails, queries, quiet, sms
from .kinds import Group, kind_of
from .models import Channel, Delivery, DeliveryStatus, Notification, Preference, QuietHours

log = logging.getLogger(__name__)

DELIVER = "port444.notifications.jobs.deliver"
# Longer than the queue lets a job run: while a worker can still be sending, nobody else takes the row.
LEASE = timedelta(seconds=settings.Q_TIMEOUT + 15)
BACK_OFF = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60)]
MOST_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to be told to one person, once.

    `dedupe_key` names the fact for this person; telling it again gives the first notification and sends nothing. `context` may
    hold `facts` (pairs of label and value; a datetime is shown in the reader's zone), `label` (of the button), `links` (pairs of
    label and address below the words), `quote` (title and text), `at` with `other_zone` and `other` (a time in two zones).
    """

    user: User
    kind: str
    title: str | Promise
    body: str | Promise
    url: str
    dedupe_key: str
    context: Mapping[str, Any] = field(default_factory=dict)


def notify(
    user: User,
    kind: str,
    *,
    title: str | Promise,
    body: str | Promise,
    url: str,
    dedupe_key: str,
    context: Mapping[str, Any] | None = None,
    moment: datetime | None = None,
) -> Notification:
    """Tell `user` one `Notice`: in the app at once, by e-mail and SMS as they chose. Call it inside the action's transaction.

    What is given lazily is worded in the reader's language; whoever puts words together does so inside `speaking_to(user)`.
    Raises LookupError for an unknown kind.
    """
    return notify_many([Notice(user, kind, title, body, url, dedupe_key, context or {})], moment=moment)[0]


def notify_many(notices: Sequence[Notice], *, moment: datetime | None = None) -> list[Notification]:
    """Tell all of `notices`, in as many queries as one takes; gives the notifications in their order."""
    moment = moment or now()
    rows = [_worded(one, moment) for one in notices]
    for row in rows:
        kind_of(row.kind)
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
    keys = {row.dedupe_key for row in rows}
    found = Notification.objects.select_related("user").filter(user__in={row.user_id for row in rows}, dedupe_key__in=keys)
    told = {(row.user_id, row.dedupe_key): row for row in found}
    answers = [told[row.user_id, row.dedupe_key] for row in rows]
    _plan_deliveries([answer for row, answer in zip(rows, answers, strict=True) if answer.pk == row.pk], moment)
    return answers


def _worded(one: Notice, moment: datetime) -> Notification:
    with speaking_to(one.user):
        return Notification(
            user=one.user,
            kind=one.kind,
            title=str(one.title)[:200],
            body=str(one.body),
            url=one.url,
            dedupe_key=one.dedupe_key,
            context=worded(dict(one.context)),
            created_at=moment,
        )


def _plan_deliveries(notifications: Sequence[Notification], moment: datetime) -> None:
    """Write what is to leave by e-mail and SMS, after the quiet hours of each reader, and queue what may leave now."""
    kinds = {row.pk: kind_of(row.kind) for row in notifications}
    open_to = [row for row in notifications if row.user.is_active and (not row.user.is_suspended or kinds[row.pk].group == Group.ACCOUNT)]
    if not open_to:
        return
    people = {row.user_id for row in open_to}
    wanted, hours = queries.wanted_by(people), queries.quiet_hours_of(people)
    deliveries = []
    for row in open_to:
        user, kind = row.user, kinds[row.pk]
        addresses = {Channel.EMAIL: user.email, Channel.SMS: user.phone if kind.sms else ""}
        due_at = moment + kind.delay
        if not kind.urgent:
            due_at = quiet.release_at(due_at, hours[user.pk], ZoneInfo(user.time_zone))
        for channel, address in addresses.items():
            if address and channel in wanted(user.pk, kind.group):
                deliveries.append(Delivery(notification=row, channel=channel, address=address, due_at=due_at, created_at=moment))
    Delivery.objects.bulk_create(deliveries)
    jobs.enqueue_many(DELIVER, [delivery.pk for delivery in deliveries if delivery.due_at <= moment])


def deliver(delivery_id: UUID) -> None:
    """Send one delivery unless it is sent, not due, or in the hands of another worker. Safe to call at any time, any number of times."""
    delivery = _claim(delivery_id)
    if delivery is None:
        return
    try:
        _send(delivery)
    except sms.OptedOut as error:
        _settle(delivery, DeliveryStatus.FAILED, error=str(error))
        stop_sms(delivery.address)
    except (mail.Undeliverable, sms.Refused) as error:
        _settle(delivery, DeliveryStatus.FAILED, error=str(error))
    except sms.Unavailable as error:
        _settle(delivery, DeliveryStatus.SKIPPED, error=str(error))
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the message waits for its next try
        log.warning("delivery %s, attempt %s: %s: %s", delivery.pk, delivery.attempts, type(error).__name__, error)
        _settle(delivery, DeliveryStatus.PENDING, error=f"{type(error).__name__}: {error}")
    else:
        _settle(delivery, DeliveryStatus.SENT)


@transaction.atomic(durable=True)
def _claim(delivery_id: UUID) -> Delivery | None:
    """Take the delivery for as long as the lease lasts; None when there is nothing to do."""
    moment = now()
    due = Delivery.objects.due(moment).select_related("notification__user")
    delivery = due.select_for_update(of=("self",), no_key=True, skip_locked=True).filter(pk=delivery_id).first()
    if delivery is None:
        return None
    notification = delivery.notification
    kind = kind_of(notification.kind)
    if kind.skip_if_read and notification.read_at is not None:
        delivery.move_to(DeliveryStatus.SKIPPED, claimed_until=None, error="Read before it was sent")
        return None
    if kind.holds is not None and not kind.holds(notification):
        delivery.move_to(DeliveryStatus.SKIPPED, claimed_until=None, error="Not true any more when it was to be sent")
        return None
    if delivery.attempts >= MOST_ATTEMPTS:
        delivery.move_to(DeliveryStatus.FAILED, claimed_until=None, error=delivery.error or "Every attempt was cut off")
        return None
    delivery.move_to(DeliveryStatus.SENDING, claimed_until=moment + LEASE, attempts=delivery.attempts + 1)
    return delivery


def _send(delivery: Delivery) -> None:
    if delivery.channel == Channel.SMS:
        sms.current().send(emails.compose_sms(delivery))
    else:
        mail.send(emails.compose(delivery))


@transaction.atomic(durable=True)
def _settle(claimed: Delivery, status: DeliveryStatus, *, error: str = "") -> None:
    """Record how the attempt went.

    What was sent is sent, even if the lease had run out and somebody else has the row by now; a failure is recorded only by
    the holder of the last attempt.
    """
    moment = now()
    delivery = Delivery.objects.select_for_update(of=("self",), no_key=True).get(pk=claimed.pk)
    if status == DeliveryStatus.SENT:
        if delivery.status in (DeliveryStatus.SENDING, DeliveryStatus.PENDING):
            delivery.move_to(DeliveryStatus.SENT, sent_at=moment, claimed_until=None, error="")
        return
    if delivery.status != DeliveryStatus.SENDING or delivery.attempts != claimed.attempts:
        return
    if status == DeliveryStatus.PENDING and delivery.attempts >= MOST_ATTEMPTS:
        status = DeliveryStatus.FAILED
    wait = BACK_OFF[min(delivery.attempts, len(BACK_OFF)) - 1] if status == DeliveryStatus.PENDING else timedelta(0)
    delivery.move_to(status, claimed_until=None, error=error[:300], due_at=moment + wait)


@transaction.atomic
def read_notification(notification_id: UUID, *, actor: User) -> Notification:
    """Mark one notification of `actor` as read; again changes nothing."""
    notification = Notification.objects.visible_to(actor).get(pk=notification_id)
    Notification.objects.filter(pk=notification_id).unread().update(read_at=now())
    return notification


@transaction.atomic
def read_all(*, actor: User, until: datetime | None = None) -> int:
    """Mark all notifications of `actor` as read (those up to `until`); how many were not."""
    unread = Notification.objects.visible_to(actor).unread()
    return (unread.filter(created_at__lte=until) if until else unread).update(read_at=now())


@transaction.atomic
def read_about(url: str, *, actor: User) -> int:
    """Mark as read what points `actor` to `url`, because they are looking at it; how many were not."""
    return Notification.objects.visible_to(actor).unread().filter(url=url).update(read_at=now())


@dataclass(frozen=True, slots=True)
class Hours:
    """Quiet hours as a person chose them."""

    enabled: bool
    starts: time
    ends: time


@transaction.atomic
def change_preferences(user_id: UUID, *, actor: User, chosen: Mapping[tuple[str, str], bool], hours: Hours) -> None:
    """Keep what a person wants to hear by which channel, and when not to be disturbed."""
    user = User.objects.lock(user_id)
    if actor.pk != user.pk:
        raise Invalid(_("Only the person can choose this."))
    before = _preferred(user)
    rows = [Preference(user=user, group=Group(group), channel=Channel(channel), enabled=on) for (group, channel), on in chosen.items()]
    Preference.objects.bulk_create(rows, update_conflicts=True, unique_fields=["user", "group", "channel"], update_fields=["enabled"])
    QuietHours.objects.update_or_create(user=user, defaults={"enabled": hours.enabled, "starts": hours.starts, "ends": hours.ends})
    after = {f"{group} by {channel}": on for (group, channel), on in chosen.items()} | _quiet(hours)
    old = {name: before.get(name) for name, value in after.items() if before.get(name) != value}
    record(Event.PROFILE_CHANGED, actor=actor, target=user, before=old, after={name: after[name] for name in old})


def _preferred(user: User) -> dict[str, Any]:
    """What a person has chosen so far; what is absent was never chosen."""
    hours = QuietHours.objects.filter(user=user).first()
    quiet = _quiet(Hours(hours.enabled, hours.starts, hours.ends)) if hours is not None else {}
    return {f"{row.group} by {row.channel}": row.enabled for row in Preference.objects.filter(user=user)} | quiet


def _quiet(hours: Hours) -> dict[str, Any]:
    return {"quiet hours": f"{hours.starts:%H:%M} to {hours.ends:%H:%M}" if hours.enabled else "none"}


@transaction.atomic
def unsubscribe(user_id: UUID, group: str) -> User:
    """Stop the mails of one group for the person named in the link of such a mail. Raises Invalid for mail about the account."""
    if group == Group.ACCOUNT:
        raise Invalid(_("Mail about your account cannot be stopped."))
    user = User.objects.lock(user_id)
    Preference.objects.update_or_create(user=user, group=Group(group), channel=Channel.EMAIL, defaults={"enabled": False})
    record(Event.PROFILE_CHANGED, actor=user, target=user, after={f"{group} by {Channel.EMAIL.value}": False}, description="By the link in a mail")
    return user


@transaction.atomic
def stop_sms(number: str) -> int:
    """Send no more text messages to a number, because whoever has it said so; to how many people it had belonged."""
    people = list(User.objects.filter(phone=number).exclude(phone="").order_by("pk"))
    for person in people:
        rows = [Preference(user=person, group=group, channel=Channel.SMS, enabled=False) for group in Group]
        Preference.objects.bulk_create(rows, update_conflicts=True, unique_fields=["user", "group", "channel"], update_fields=["enabled"])
        record(Event.PROFILE_CHANGED, actor=None, target=person, after={"sms": False}, description="Answered STOP to a text message")
    return len(people)
