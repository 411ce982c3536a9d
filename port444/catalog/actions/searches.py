"""Saved searches, and telling what they have found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.builders.actions import check_fields
from port444.catalog.models import Frequency, SavedSearch, Service
from port444.catalog.queries import matches_of
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, word_constraint
from port444.kit.language import speaking_to
from port444.notifications.actions import Notice, notify_many

MOST_SAVED = 20
MOST_TOLD = 5  # services of one search that a mail names
SETTLES = timedelta(minutes=2)  # what was published just now may not be committed yet; it is told the next time
EVERY = {Frequency.DAILY: timedelta(days=1), Frequency.WEEKLY: timedelta(days=7)}
FOUND = "search.found"

SAVED_ALREADY = Conflict(_("You have saved this search already."), code="search_saved")
word_constraint("saved_search_once", SAVED_ALREADY)
word_constraint("saved_search_frequency_known", Invalid(_("Choose how often to be told."), code="frequency"))


@transaction.atomic
def save_search(asked: Mapping[str, str], *, actor: User, name: str, frequency: str) -> SavedSearch:
    """Keep a search: the fields of its form that are set. What is for sale already is not told."""
    moment = now()
    user = User.objects.lock(actor.pk)
    if SavedSearch.objects.filter(user=user, asked=dict(asked)).exists():
        raise Conflict(SAVED_ALREADY.message, code=SAVED_ALREADY.code)
    if SavedSearch.objects.filter(user=user).count() >= MOST_SAVED:
        raise Invalid(gettext("You have %(most)s saved searches. Remove one first.") % {"most": MOST_SAVED}, code="too_many_searches")
    row = SavedSearch(user=user, asked=dict(asked), seen_at=moment, told_until=moment, created_at=moment)
    _set(row, name, frequency, moment)
    row.save()
    record(Event.SEARCH_SAVED, actor=actor, target=row, after={"name": row.name, "asked": row.asked, "frequency": row.frequency})
    return row


@transaction.atomic
def change_search(search_id: UUID, *, actor: User, name: str, frequency: str) -> SavedSearch:
    """Call a saved search something else, or be told at other times. Who was not told for a while is told of what comes from now on."""
    row = _own(search_id, actor)
    before = {"name": row.name, "frequency": row.frequency}
    moment = now()
    if row.frequency == Frequency.NEVER:
        row.told_until = moment
    _set(row, name, frequency, moment)
    row.save(update_fields=["name", "frequency", "due_at", "told_until"])
    record(Event.SEARCH_CHANGED, actor=actor, target=row, before=before, after={"name": row.name, "frequency": row.frequency})
    return row


@transaction.atomic
def remove_search(search_id: UUID, *, actor: User) -> None:
    """Forget a saved search."""
    row = _own(search_id, actor)
    record(Event.SEARCH_REMOVED, actor=actor, target=row, before={"name": row.name, "asked": row.asked})
    row.delete()


@transaction.atomic
def look_at_search(search_id: UUID, *, actor: User) -> datetime:
    """Note that somebody looks at what their search finds now; gives when they last did."""
    row = _own(search_id, actor)
    before, row.seen_at = row.seen_at, now()
    row.save(update_fields=["seen_at"])
    return before


@transaction.atomic
def tell_found_batch(moment: datetime, limit: int) -> int:
    """Tell up to `limit` people what their saved searches that are due have found, each in one notice; how many people were taken.

    Everything of one person happens in this transaction, under the lock of their row: another run passes them over, and what dies before
    the commit has told nothing.
    """
    waiting = SavedSearch.objects.filter(due_at__lte=moment).order_by("due_at").values_list("user_id", flat=True)[: limit * MOST_SAVED]
    ids = list(dict.fromkeys(waiting))[:limit]
    users = User.objects.filter(pk__in=ids).order_by("pk").select_for_update(skip_locked=True, of=("self",), no_key=True)
    rows: dict[User, list[SavedSearch]] = {user: [] for user in users}
    by_id = {user.pk: user for user in rows}
    for row in SavedSearch.objects.filter(user__in=rows, due_at__lte=moment).order_by("created_at", "pk"):
        rows[by_id[row.user_id]].append(row)
    notices = [notice for user, due in rows.items() if due and (notice := _told(user, due, moment))]
    notify_many(notices, moment=moment)
    return len(rows)


def _told(user: User, due: Sequence[SavedSearch], moment: datetime) -> Notice | None:
    """What these searches found since the last time, and when they are due again: every hour until there is something."""
    until = moment - SETTLES
    key = f"{FOUND}:{max(row.due_at for row in due if row.due_at).isoformat()}"
    found: list[tuple[SavedSearch, list[Service]]] = []
    for row in due:
        if until > row.told_until:
            services = matches_of(row, row.told_until, until, MOST_TOLD + 1)
            row.told_until = until
            if services:
                found.append((row, services))
    named = {row.pk for row, _ in found}
    for row in due:
        row.due_at = _next(moment, EVERY[Frequency(row.frequency)] if row.pk in named or row.frequency == Frequency.WEEKLY else timedelta(hours=1))
    SavedSearch.objects.bulk_update(due, ["told_until", "due_at"])
    if not found or not user.is_active or user.is_suspended:
        return None
    with speaking_to(user):
        names = ", ".join(gettext("“%(name)s”") % {"name": row.name} for row, _services in found)
        body = "\n\n".join(f"{row.name}: {_counted(services)}." for row, services in found)
        links: list[Any] = [
            (gettext("%(title)s, from $%(price)s") % {"title": one.title, "price": number_format(one.from_price)}, one.get_absolute_url())
            for _row, services in found
            for one in services[:MOST_TOLD]
        ]
        title = gettext("New services for %(names)s") % {"names": names}
    context = {"links": links, "label": _("See your searches")}
    return Notice(user, FOUND, title, body, reverse("catalog:saved_searches"), key, context)


def _counted(services: Sequence[Service]) -> str:
    if len(services) > MOST_TOLD:
        return gettext("more than %(most)s new services") % {"most": MOST_TOLD}
    return ngettext("%(count)s new service", "%(count)s new services", len(services)) % {"count": len(services)}


def _next(moment: datetime, wait: timedelta) -> datetime:
    """On the hour, so that all searches of a person are due together."""
    return (moment + wait).replace(minute=0, second=0, microsecond=0)


def _set(row: SavedSearch, name: str, frequency: str, moment: datetime) -> None:
    row.name, row.frequency = " ".join(name.split()), frequency
    check_fields(row, {"name": "", "frequency": ""})
    row.due_at = None if frequency == Frequency.NEVER else _next(moment, timedelta(hours=1))


def _own(search_id: UUID, actor: User) -> SavedSearch:
    row = SavedSearch.objects.select_for_update(of=("self",), no_key=True).get(pk=search_id)
    if row.user_id != actor.pk:
        raise NotAllowed(_("This is not your search."))
    return row
