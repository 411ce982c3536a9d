"""What opens a connected account, kept while it works and noticed when it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from consultations import emails
from consultations.calendars import CalendarError, Limited, NotConnected, Refused
from consultations.calendars.registry import provider_of
from consultations.models import CalendarLink, LinkStatus
from consultations.models.words import BROKEN, BUSY, CLOSED, REFUSED, failure
from port444.kit.clock import now
from port444.notifications.actions import notify

Keep = Callable[[dict[str, Any]], None]


def keeper(link: CalendarLink) -> Keep:
    """Saves what the provider renewed, unless the builder has connected or disconnected since `link` was read."""

    def keep(credentials: dict[str, Any]) -> None:
        same = CalendarLink.objects.filter(pk=link.pk, connected_at=link.connected_at).exclude(status=LinkStatus.OFF, hook_secret="")
        same.update(credentials=credentials)

    return keep


def plain(link: CalendarLink, error: Exception) -> str:
    """What went wrong, for the builder, as rows keep it."""
    kind = CLOSED if isinstance(error, NotConnected) else BUSY if isinstance(error, Limited) else REFUSED if isinstance(error, Refused) else BROKEN
    return failure(kind, provider_of(link.provider).key.label, error)


@transaction.atomic
def break_link(link: CalendarLink, error: CalendarError) -> None:
    """The provider refused the credentials that `link` was read with: say so to the builder, once."""
    moment = now()
    row = CalendarLink.objects.select_for_update(of=("self",), no_key=True).select_related("builder__user").get(pk=link.pk)
    if row.status != LinkStatus.ACTIVE or row.connected_at != link.connected_at:
        return  # told already, or connected again meanwhile
    row.move_to(LinkStatus.BROKEN, failed_at=moment, last_error=plain(row, error))
    record(Event.CALENDAR_BROKEN, actor=None, target=row, provider=row.provider, account=row.account)
    said = emails.calendar_broken(row)
    notify(
        row.builder.user,
        "calendar_broken",
        title=said.title,
        body=said.body,
        url=reverse("consultations:calendars"),
        dedupe_key=f"calendar_broken:{row.pk}:{row.connected_at.timestamp()}",
        context={"label": _("Connect it again")},
        moment=moment,
    )
