"""The return: the builder is reminded of it and welcomed, and whoever asked to hear of it is told once.

Being back is nothing that is switched on: the clock says it. The sweeps here only tell people, in batches of one transaction each
with the same number of queries for any number of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Count
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from auditlog.actions import record
from auditlog.events import Event
from port444.away.models import DueMove, MoveStatus, ReturnAlert, Span
from port444.builders.models import Builder
from port444.catalog.models import Service, ServiceStatus
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid
from port444.kit.language import dated, speaking_to
from port444.notifications.actions import Notice, notify_many
from port444.notifications.models import Notification

# On the last day away. Where clocks go forward that day has 23 hours only, and "tomorrow" would be wrong before it begins.
REMIND_AHEAD = timedelta(hours=23)
MOST_ALERTS = 200  # that one person may wait for at a time


@transaction.atomic
def want_to_know(builder_id: UUID, *, actor: Any) -> ReturnAlert:
    """Tell `actor` once when the builder is back; asking again changes nothing. Raises Conflict when they are back already."""
    # Locked, so that nobody asks between the return and the telling of it, and is never told.
    builder = Builder.objects.visible().select_related("user").select_for_update(of=("self",), no_key=True).get(pk=builder_id)
    moment = now()
    if builder.user_id == actor.pk:
        raise Invalid(_("This is you."), code="own_profile")
    if not builder.is_away_at(moment):
        raise Conflict(_("%(name)s is here already.") % {"name": builder.user.first_name}, code="not_away")
    waiting = ReturnAlert.objects.filter(user=actor, told_at__isnull=True)
    if waiting.exclude(builder=builder)[:MOST_ALERTS].count() >= MOST_ALERTS:
        raise Conflict(_("You wait for very many people already. Take one off first."), code="too_many_alerts")
    ReturnAlert.objects.bulk_create([alert := ReturnAlert(builder=builder, user=actor, created_at=moment)], ignore_conflicts=True)
    stands = waiting.get(builder=builder)
    if stands.pk == alert.pk:
        record(Event.RETURN_ALERT_WANTED, actor=actor, target=builder)
    return stands


@transaction.atomic
def forget(builder_id: UUID, *, actor: Any) -> None:
    """`actor` does not want to hear of the return any more."""
    gone, _rows = ReturnAlert.objects.filter(builder=builder_id, user=actor, told_at__isnull=True).delete()
    if gone:
        record(Event.RETURN_ALERT_DROPPED, actor=actor, target=Builder(pk=builder_id))


@transaction.atomic
def remind_batch(moment: datetime, limit: int) -> int:
    """Remind builders on their last day away; how many spans were settled, of at most `limit`.

    What is over already, and a single day, bring no reminder: they are marked all the same, so that nothing stays behind.
    """
    claimed = Span.objects.standing().filter(reminded_at__isnull=True, ends_at__lte=moment + REMIND_AHEAD).order_by("ends_at", "id")
    spans = list(claimed.select_related("builder__user").select_for_update(of=("self",), no_key=True, skip_locked=True)[:limit])
    near = [span for span in spans if span.ends_at > moment and span.first_on < span.last_on]
    notify_many([_reminder(span, moment) for span in near], moment=moment)
    Span.objects.filter(pk__in=[span.pk for span in spans]).update(reminded_at=moment)
    return len(spans)


def _reminder(span: Span, moment: datetime) -> Notice:
    zone = ZoneInfo(span.time_zone)
    local, today = span.ends_at.astimezone(zone), moment.astimezone(zone).date()
    with speaking_to(span.builder.user):
        on = {"on": dated(local, "D j M")}
        back = {0: _("Back today, %(on)s"), 1: _("Back tomorrow, %(on)s")}.get((local.date() - today).days, _("Back %(on)s"))
        return Notice(
            span.builder.user,
            "away.near",
            title=back % on,
            body=_("You do not have to do anything. %(by_itself)s If you need longer, choose a later last day before then.")
            % {"by_itself": _opening(span, f"{local:%H:%M}")},
            url=reverse("away:home"),
            # The end is part of the fact: who has stayed longer is reminded again before the new end.
            dedupe_key=f"away.near:{span.pk}:{span.ends_at.isoformat()}",
            context={"span": str(span.pk), "ends_at": span.ends_at.isoformat(), "label": _("Stay away longer")},
        )


def _opening(span: Span, at: str) -> str:
    """What opens at the end of `span` without anybody doing anything."""
    if span.stops_orders and span.stops_calls:
        return _("Your services and your calendar open by themselves at %(at)s.") % {"at": at}
    if span.stops_orders:
        return _("Your services open by themselves at %(at)s.") % {"at": at}
    return _("Your calendar open by themselves at %(at)s.") % {"at": at} if span.stops_calls else _("Your message comes down by itself.")


def is_near(notification: Notification) -> bool:
    """Whether a reminder is still true: the builder has neither come back nor moved the end."""
    ends_at = datetime.fromisoformat(notification.context["ends_at"])
    return ends_at > now() and Span.objects.standing().filter(pk=notification.context["span"], ends_at=ends_at, returned_at__isnull=True).exists()


@transaction.atomic
def welcome_batch(moment: datetime, limit: int) -> int:
    """Welcome builders whose span is over, and let fall due what others asked to hear; how many spans, of at most `limit`.

    Who is away again by now is not welcomed, and whoever asked goes on waiting.
    """
    claimed = Span.objects.standing().filter(welcomed_at__isnull=True, ends_at__lte=moment).order_by("ends_at", "id")
    # The builder is locked as well, against `want_to_know`; both without waiting, so that the order of the locks does not matter.
    spans = list(claimed.select_related("builder__user").select_for_update(of=("self", "builder"), no_key=True, skip_locked=True)[:limit])
    back = [span for span in spans if not span.builder.is_away_at(moment)]
    builders = {span.builder_id for span in back}
    due = ReturnAlert.objects.filter(builder__in=builders, told_at__isnull=True, due_at__isnull=True)
    asked = dict(due.order_by().values_list("builder").annotate(Count("pk")))
    due.update(due_at=moment)
    notify_many(_welcomes(back, asked), moment=moment)
    Span.objects.filter(pk__in=[span.pk for span in spans]).update(welcomed_at=moment)
    return len(spans)


def _welcomes(spans: Sequence[Span], asked: dict[UUID, int]) -> list[Notice]:
    live = Service.objects.filter(builder__in=[span.builder_id for span in spans], status=ServiceStatus.PUBLISHED)
    services = dict(live.order_by().values_list("builder").annotate(Count("pk")))
    moves = DueMove.objects.filter(span__in=spans).exclude(status=MoveStatus.KEPT)
    moved = dict(moves.order_by().values_list("span").annotate(Count("pk")))
    return [_welcome(span, services.get(span.builder_id, 0), moved.get(span.pk, 0), asked.get(span.builder_id, 0)) for span in spans]


def _welcome(span: Span, services: int, moved: int, asked: int) -> Notice:
    with speaking_to(span.builder.user):
        facts = []
        if services and span.stops_orders:
            facts.append(ngettext("%(n)s service is live", "%(n)s services are live", services) % {"n": services})
        if moved:
            facts.append(ngettext("%(n)s due date moved", "%(n)s due dates moved", moved) % {"n": moved})
        if asked:
            facts.append(ngettext("%(n)s person asked to be told, and is", "%(n)s people asked to be told, and are", asked) % {"n": asked})
        told = f"{', '.join(facts)}." if facts else _("Nothing had to change while you were away.")
        if span.stops_orders:
            told = f"{told} {_('You are in the search again as before, and these days count nowhere.')}"
        return Notice(
            span.builder.user,
            "away.back",
            title=_("Welcome back"),
            body=told,
            url=reverse("orders:today"),
            dedupe_key=f"away.back:{span.pk}",
            context={"label": _("See what waits for you")},
        )


@transaction.atomic
def tell_batch(moment: datetime, limit: int) -> int:
    """Tell those who asked that the builder is back; how many, of at most `limit`. Who is away again by now is waited for again."""
    claimed = ReturnAlert.objects.filter(due_at__lte=moment, told_at__isnull=True).order_by("due_at", "id")
    claimed = claimed.select_related("builder__user", "user").select_for_update(of=("self",), no_key=True, skip_locked=True)
    alerts = list(claimed[:limit])
    gone = [alert.pk for alert in alerts if alert.builder.is_away_at(moment)]
    true = [alert for alert in alerts if not alert.builder.is_away_at(moment)]
    # A suspended builder has no page that could be opened: the wish is settled in silence.
    notify_many([_is_back(alert) for alert in true if not alert.builder.user.is_suspended and alert.builder.user.is_active], moment=moment)
    ReturnAlert.objects.filter(pk__in=gone).update(due_at=None)
    ReturnAlert.objects.filter(pk__in=[alert.pk for alert in true]).update(told_at=moment)
    return len(alerts)


def _is_back(alert: ReturnAlert) -> Notice:
    builder = alert.builder
    name = builder.user.first_name
    with speaking_to(alert.user):
        return Notice(
            alert.user,
            "away.returned",
            title=_("%(name)s is back") % {"name": name},
            body=_("You asked to hear when %(name)s is back. This is the one message about it.") % {"name": builder.user.name},
            url=builder.get_absolute_url(),
            dedupe_key=f"away.returned:{alert.pk}",
            context={"builder": str(builder.pk), "label": _("See what %(name)s offers") % {"name": name}},
        )


def is_back(notification: Notification) -> bool:
    """Whether the builder is still there when the mail about the return leaves."""
    builder = Builder.objects.visible().filter(pk=notification.context["builder"]).first()
    return builder is not None and not builder.is_away
