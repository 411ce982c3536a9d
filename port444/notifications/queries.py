"""Reads about notifications."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django.db.models import Count, Min, Q
from django.http import HttpRequest

from port444.kit.clock import now
from port444.kit.metrics import Reading

from .kinds import Group, leaving_when_read
from .models import Channel, Delivery, DeliveryStatus, Notification, NotificationQuerySet, Preference, QuietHours

MOST_COUNTED = 100


def defaults(group: str) -> dict[str, bool]:
    """What is sent to somebody who chose nothing: every e-mail, no SMS."""
    return {Channel.EMAIL: True, Channel.SMS: False}


def wanted_by(people: Iterable[UUID]) -> Callable[[UUID, str], set[str]]:
    """For each of `people` and a group: the channels by which they want to hear. Mail about the account cannot be refused."""
    chosen: dict[tuple[UUID, str], dict[str, bool]] = defaultdict(dict)
    for row in Preference.objects.filter(user__in=people):
        if (row.group, row.channel) != (Group.ACCOUNT, Channel.EMAIL):
            chosen[row.user_id, row.group][row.channel] = row.enabled

    def wanted(person: UUID, group: str) -> set[str]:
        return {channel for channel, enabled in {**defaults(group), **chosen.get((person, group), {})}.items() if enabled}

    return wanted


def quiet_hours_of(people: Iterable[UUID]) -> dict[UUID, QuietHours]:
    """The quiet hours of each of `people`, or the usual ones of who never chose any."""
    chosen = QuietHours.objects.in_bulk(list(people))
    return {person: chosen.get(person) or QuietHours(user_id=person) for person in people}


def quiet_hours(user: Any) -> QuietHours:
    """The quiet hours of `user`, or the usual ones when they never chose any."""
    return quiet_hours_of([user.pk])[user.pk]


@dataclass(frozen=True, slots=True)
class Bell:
    """How many notifications wait, counted up to 100, and the newest of them."""

    count: int = 0
    newest: UUID | None = None

    @property
    def etag(self) -> str:
        return f'"{self.count}.{self.newest or ""}"'

    @property
    def headers(self) -> str:
        """What a page that shows this bell asks with."""
        return json.dumps({"If-None-Match": self.etag})


def bell_of(user: Any) -> Bell:
    """The bell of `user`, in one query."""
    waiting = list(Notification.objects.visible_to(user).unread().order_by("-id").values_list("pk", flat=True)[:MOST_COUNTED])
    return Bell(len(waiting), waiting[0]) if waiting else Bell()


def shown_to(user: Any) -> NotificationQuerySet:
    """The notifications of `user`, without those that leave when they are read."""
    return Notification.objects.visible_to(user).exclude(kind__in=leaving_when_read(), read_at__isnull=False)


def page_of(user: Any, *, before: Notification | None = None, limit: int = 30) -> NotificationQuerySet:
    """The newest notifications of `user`, or those older than `before`; one more than `limit` when there are more."""
    rows = shown_to(user).order_by("-created_at", "-id")
    if before is not None:
        rows = rows.filter(Q(created_at__lt=before.created_at) | Q(created_at=before.created_at, id__lt=before.pk))
    return rows[: limit + 1]


@dataclass(frozen=True, slots=True)
class Choice:
    """One row of the preferences page."""

    group: str
    label: str
    email: bool
    sms: bool
    email_fixed: bool


def choices(user: Any) -> list[Choice]:
    """What `user` has chosen for every group, defaults filled in."""
    chosen = {(p.group, p.channel): p.enabled for p in Preference.objects.filter(user=user)}
    return [
        Choice(
            group.value,
            str(group.label),
            group == Group.ACCOUNT or chosen.get((group.value, Channel.EMAIL), True),
            chosen.get((group.value, Channel.SMS), False),
            group == Group.ACCOUNT,
        )
        for group in Group
    ]


def chrome(request: HttpRequest) -> dict[str, Callable[[], Bell]]:
    """Context processor: the bell, asked for only where a page shows it, and once."""

    @cache
    def bell() -> Bell:
        user = getattr(request, "user", None)
        return bell_of(user) if user is not None and user.is_authenticated else Bell()

    return {"bell": bell}


def readings() -> Iterator[Reading]:
    """For the metrics: messages that are due and not sent."""
    moment = now()
    waiting = Delivery.objects.filter(status__in=[DeliveryStatus.PENDING, DeliveryStatus.SENDING], due_at__lte=moment)
    found = {channel: (count, due) for channel, count, due in waiting.values_list("channel").annotate(Count("pk"), Min("due_at")).order_by()}
    for channel in Channel.values:
        count, due = found.get(channel, (0, moment))
        yield Reading("port444_messages_waiting", count, "Messages to people that are due and not sent", {"channel": channel})
        age = (moment - due).total_seconds()
        yield Reading("port444_messages_age_seconds", age, "Seconds for which the oldest of them is due", {"channel": channel})
